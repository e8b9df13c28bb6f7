"""Is there anything new for monitor? From listings alone, without the rows."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from incumbent.params import Params
from incumbent.storage.dataset.versions import POINTER
from incumbent.storage.s3.address import open_store
from incumbent.tables.atomic import atomic_write


def feedback_digest(project: Path, params: Params) -> str | None:
    """sha256 of what monitor's answer depends on: champion, logged predictions, labels, data, today.

    None where nothing was predicted of late: one request; else three.
    """
    store = open_store(f"{params.registry.address.rstrip('/')}/{params.dataset.name}")
    today = datetime.now(UTC).date()
    since = today - timedelta(days=2 * params.monitor.days)
    listed = list(store.listing("predictions/", after=f"predictions/{since}"))
    if not listed:
        return None
    listed += store.listing("labels/", after=f"labels/{since}")
    listed += store.listing("champion.json")
    pointer = project / POINTER
    parts = [str(today), pointer.read_text(encoding="utf-8") if pointer.exists() else ""]
    parts += [f"{each.key} {each.etag}" for each in listed]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def note_monitored(project: Path, digest: str | None) -> None:
    """Keep for the next look what monitor has answered for."""
    path = _file(project)
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as part:
        part.write_text(json.dumps({"feedback": digest}))


def is_monitored(project: Path, digest: str) -> bool:
    """Has monitor answered for this already?"""
    path = _file(project)
    return path.exists() and json.loads(path.read_text())["feedback"] == digest


def _file(project: Path) -> Path:
    return project / ".incumbent" / "monitored.json"
