"""New files become a data version, if they pass the gate, and an event announces it."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.announcement import announce
from tasks.arrival import Arrival, add, clear, inspect, quarantine_blocked, set_aside, summary, take
from tasks.probation import announce_probation


@flow(name="ingest")
def ingest(project: Path = Path(), files: list[Path] | None = None) -> dict[str, Any]:
    """Take files, or all that waits in the landing prefix, as partitions, without pulling the rest.

    What the gate blocks, a file or single rows, is kept in quarantine with its reasons and holds nobody else
    up. What is suspicious becomes part of the version, on probation. A file leaves the landing prefix last:
    whatever dies before, the next run finds it and ends with the same version.
    """
    arrival = take(project, files)
    if not arrival.files:
        return summary(arrival, None, None)
    return admit(arrival)


def admit(arrival: Arrival) -> dict[str, Any]:
    """What passes the gate becomes a version; what does not is kept with its reasons."""
    good, bad = inspect(arrival)
    blocked = quarantine_blocked(bad) if bad.files else None
    rows = set_aside(good)
    version = add(good) if good.files else None
    if version is not None:
        announce(good.project, version)
        if good.report.on_probation:
            announce_probation(good.project, good.report, version)
    clear(arrival)
    return summary(good, version, blocked, rows)
