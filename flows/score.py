"""Batch predictions, by the champion unless another model is named, logged for monitor."""

from pathlib import Path
from typing import Any

from prefect import flow

from incumbent.storage.registry.aliases import Alias
from tasks.scoring import predict


@flow(name="score")
def score(
    source: Path,
    target: Path,
    project: Path = Path(),
    version: str | None = None,
    alias: Alias = "champion",
) -> dict[str, Any]:
    """Score a file of any format that arrives; returns what `incumbent score --json` prints."""
    return predict(project, source, target, version, alias)
