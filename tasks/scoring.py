"""Score a file as `incumbent score` does."""

from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.storage.serving.scoring import predict_file
from tasks.step import is_outage, without_tracebacks


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=is_outage, cache_policy=NO_CACHE)
def predict(project: Path, source: Path, target: Path, version: str | None) -> dict[str, Any]:
    """Predictions into a file and into the log."""
    without_tracebacks()
    done = predict_file(project.resolve(), source, target, version)
    get_run_logger().info("%d rows scored by %s", done["rows"], done["version"])
    return done
