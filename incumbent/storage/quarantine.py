"""Files that the gate refused: their bytes, why, and what became of them. Nothing in here is ever deleted.

<registry.address>/<dataset>/quarantine/<md5, 12 digits>-<name>        the bytes
<registry.address>/<dataset>/quarantine/<md5, 12 digits>-<name>.json   reasons, when, by whom, released
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput, NotFound
from incumbent.params import Params
from incumbent.storage.documents import now, who
from incumbent.storage.s3 import open_store
from incumbent.storage.store import Store
from incumbent.storage.versions import digest_of


def _file(entry: str) -> str:
    return f"files/{entry}"


def _reason(entry: str) -> str:
    return f"reasons/{entry}.json"


class Quarantine:
    """One dataset's. All methods raise StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, file: Path, reasons: Sequence[str], run: int | None) -> str:
        """Keep a file's bytes, then the reason; the same file again is one entry. Returns its name."""
        entry = f"{digest_of(file)[:12]}-{file.name}"
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self._store.upload(_file(entry), file, sha256)
        about = {
            "entry": entry,
            "reasons": list(reasons),
            "run": run,
            "at": now(),
            "by": who(),
            "released": None,
        }
        if not self._store.put_if_absent(_reason(entry), _dump(about)):
            found = self._store.get(_reason(entry))
            if (former := json.loads(found.body))["released"]:  # it came back, and was refused again
                self._store.replace(_reason(entry), _dump({**about, "before": former}), found.etag)
        return entry

    def entries(self) -> list[dict[str, Any]]:
        """Everything that was ever set aside, by name."""
        return [json.loads(found.body) for _, found in self._store.find_all(self._store.list("reasons/"))]

    def show(self, entry: str) -> dict[str, Any]:
        """Raises NotFound."""
        found = self._store.find(_reason(entry))
        if found is None:
            raise NotFound(f"nothing in quarantine is called '{entry}'; see `incumbent quarantine list`")
        return dict(json.loads(found.body))

    def fetch(self, entry: str, folder: Path) -> Path:
        """The file under its own name."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / entry.partition("-")[2]
        self._store.download(_file(entry), path)
        return path

    def require_held(self, entry: str) -> None:
        """Raise NotFound if there is no such entry, BadInput if somebody released it already."""
        _require_held(self.show(entry))

    def mark_released(self, entry: str, reason: str, rev: str) -> None:
        """Note who let it pass, why, and which revision holds it. Raises as require_held does."""
        found = self._store.get(_reason(entry))
        about = json.loads(found.body)
        _require_held(about)
        about["released"] = {"reason": reason, "rev": rev, "at": now(), "by": who()}
        self._store.replace(_reason(entry), _dump(about), found.etag)


def open_quarantine(params: Params) -> Quarantine:
    return Quarantine(open_store(f"{params.registry.address.rstrip('/')}/{params.dataset.name}/quarantine"))


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _require_held(about: dict[str, Any]) -> None:
    if released := about["released"]:
        raise BadInput(f"'{about['entry']}' was released by {released['by']} at {released['at']}")
