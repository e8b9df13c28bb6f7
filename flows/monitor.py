"""Late labels against logged predictions: an event when the champion fell behind its promise."""

from pathlib import Path
from typing import Any

from prefect import flow

from flows.ingest import admit
from tasks.labelling import complete
from tasks.monitor import join_labels, keep_labels, report


@flow(name="monitor")
def monitor(project: Path = Path(), labels: list[Path] | None = None) -> dict[str, Any]:
    """How the champion does where labels came; returns what `incumbent monitor --json` prints.

    Rows of the data that waited for these labels get them, as a new version of the data.
    """
    kept = keep_labels(project, labels) if labels else None
    arrival = complete(project, kept.tables) if kept else None
    arrived = admit(arrival) if arrival and arrival.files else None
    health = join_labels(project)
    report(project, health)
    return {**health.to_json(), "labels": kept and kept.to_json(), "arrived": arrived}
