"""Batch predictions by the champion, logged for monitor."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.scoring import predict


@flow(name="score")
def score(source: Path, target: Path, project: Path = Path(), version: str | None = None) -> dict[str, Any]:
    """Score a file of any format that arrives; returns what `incumbent score --json` prints."""
    return predict(project, source, target, version)
