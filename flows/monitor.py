"""Late labels against logged predictions: an event when the champion fell behind its promise."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.monitor import join_labels, keep_labels, report


@flow(name="monitor")
def monitor(project: Path = Path(), labels: list[Path] | None = None) -> dict[str, Any]:
    """How the champion does where labels came; returns what `incumbent monitor --json` prints."""
    if labels:
        keep_labels(project, labels)
    health = join_labels(project)
    report(project, health)
    return health.to_json()
