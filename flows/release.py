"""A person lets a refused file, or refused rows, pass."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.announcement import announce
from tasks.arrival import add, summary
from tasks.release import close, recover, settle


@flow(name="release")
def release(project: Path, entry: str, reason: str, folder: Path) -> dict[str, Any]:
    """Add what is in quarantine to the data, past the gate, and note who let it pass and why.

    It is noted before the event is sent, as the run that the event starts looks whether the data were let
    pass; and closed after it, so that a release that died in between can be repeated.
    """
    released = recover(project, entry, folder)
    version = add(released)
    settle(released, entry, reason, version)
    announce(released.project, version)
    close(released, entry)
    return summary(released, version, None)
