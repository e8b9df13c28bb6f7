"""A person lets a refused file, or refused rows, pass."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.arrival import add, announce, summary
from tasks.release import recover, settle


@flow(name="release")
def release(project: Path, entry: str, reason: str, folder: Path) -> dict[str, Any]:
    """Add what is in quarantine to the data, past the gate, and note who let it pass and why."""
    released = recover(project, entry, folder)
    version = add(released)
    settle(released, entry, reason, version)
    announce(released.params.dataset.name, version)
    return summary(released, version, None)
