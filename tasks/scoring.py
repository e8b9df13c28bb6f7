"""Score a file as `incumbent score` does."""

from pathlib import Path
from typing import Any

from prefect import get_run_logger

from incumbent.storage.registry.aliases import Alias
from incumbent.storage.serving.scoring import predict_file
from tasks.step import enter, retried


@retried
def predict(project: Path, source: Path, target: Path, version: str | None, alias: Alias) -> dict[str, Any]:
    """Predictions into a file and into the log."""
    enter(project)
    done = predict_file(project.resolve(), source, target, version, alias)
    get_run_logger().info("%d rows scored by %s", done["rows"], done["version"])
    return done
