"""New files become a data version, if they pass the gate; an event tells of it."""

from pathlib import Path
from typing import Any

from prefect import flow

from incumbent.gate import Verdict
from tasks.arrival import add, announce, inspect, receive, turn_away


@flow(name="ingest")
def ingest(project: Path, files: list[Path]) -> dict[str, Any]:
    """Add files as partitions without pulling the rest; a blocked file changes nothing."""
    run = receive(project, files)
    report = inspect(run, files)
    if report.verdict is Verdict.BLOCK:
        return turn_away(run, report)
    version = add(run, files)
    announce(run, version)
    return {
        "verdict": report.verdict.value,
        "reasons": list(report.reasons),
        "data": {"rev": version.rev, "md5": version.md5, "name": version.short, **run.diff.to_json()},
    }
