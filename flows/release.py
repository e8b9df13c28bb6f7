"""A person lets a refused file pass."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.arrival import add, announce, recover, settle, summary


@flow(name="release")
def release(project: Path, entry: str, reason: str, folder: Path) -> dict[str, Any]:
    """Add a file from quarantine to the data, past the gate, and note who let it pass and why."""
    file = recover(project, entry, folder)
    version = add(file)
    settle(file, entry, reason, version)
    announce(file.params.dataset.name, version)
    return summary(file, version, None)
