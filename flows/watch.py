"""Somebody pushed a data version by hand: the event that `ingest` would have sent."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.watch import announce_move, look


@flow(name="watch")
def watch(project: Path = Path(), rev: str | None = None) -> dict[str, Any]:
    """Bring the branch up to its upstream; tell if data.dvc moved since the last look.

    With `rev` it tells of that revision's data, whatever was seen before.
    """
    seen = look(project, rev)
    if seen.version is not None:
        announce_move(seen)
    return seen.to_json()
