"""A person releases a partition that is on probation."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.announcement import announce
from tasks.probation import end_probation as commit


@flow(name="end-probation")
def end_probation(project: Path, partition: str, reason: str) -> dict[str, Any]:
    """Commit who released it and why, then send the event that starts a run on the data as they are now.

    If it dies in between, the same again sends the event.
    """
    version = commit(project, partition, reason)
    announce(project, version)
    return {"partition": partition, "data": version.to_json()}
