"""Somebody pushed a data version by hand: the event that `ingest` would have sent."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.watch import announce_move, look


@flow(name="watch")
def watch(project: Path = Path(), rev: str | None = None) -> dict[str, Any]:
    """Bring the branch up to its upstream; announce data.dvc if it moved since the last check.

    With `rev`, announce that revision's data, whatever was announced before.
    """
    state = look(project, rev)
    if state.version is not None:
        announce_move(state)
    return state.to_json()
