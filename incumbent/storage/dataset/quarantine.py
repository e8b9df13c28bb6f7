"""The files and rows that the gate refused, with reasons and releases. Nothing is ever deleted.

<registry.address>/<dataset>/quarantine/files/<entry>           the bytes of a file that was blocked
<registry.address>/<dataset>/quarantine/rows/<entry>            rows as Parquet, with what each failed
<registry.address>/<dataset>/quarantine/reasons/<entry>.json    kind, reasons, when, by whom, released

An entry is named <md5 of the bytes, 12 digits>-<file's or partition's name>.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from incumbent.errors import BadInput, NotFound
from incumbent.params import Params
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.documents import now, who
from incumbent.storage.s3.store import Store
from incumbent.tables.partitions import Partition, digest_of
from incumbent.tables.sources import Source

FOLDERS = {"file": "files", "rows": "rows"}


def _bytes(about: Mapping[str, Any]) -> str:
    return f"{FOLDERS[about['kind']]}/{about['entry']}"


def _reason(entry: str) -> str:
    return f"reasons/{entry}.json"


class Quarantine:
    """The quarantine of one dataset. All methods raise StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, source: Source, reasons: Sequence[str], run: int | None) -> str:
        """Store a file's bytes, then the reasons; the same file again is the same entry. Returns its name."""
        about = {"kind": "file", "place": str(source.place), "reasons": list(reasons), "run": run}
        return self._keep(source.path, source.file_name, about)

    def keep_rows(self, aside: Path, rows: int, rest: Path, reasons: Sequence[str]) -> str:
        """Store rows that were set aside from a partition, and the md5 of the partition without them.

        The same rows again are the same entry. Returns its name.
        """
        of = {"partition": rest.name, "md5": digest_of(rest), "rows": rows}
        return self._keep(aside, aside.name, {"kind": "rows", **of, "reasons": list(reasons), "run": None})

    def _keep(self, file: Path, name: str, about: dict[str, Any]) -> str:
        entry = f"{digest_of(file)[:12]}-{name}"
        about = {"entry": entry, **about, "at": now(), "by": who(), "released": None}
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self._store.upload(_bytes(about), file, sha256)
        if not self._store.put_if_absent(_reason(entry), _dump(about)):
            stored = self._store.get(_reason(entry))
            former = json.loads(stored.body)
            # Refused again after its release, or the same rows of another partition.
            if former["released"] or former.get("md5") != about.get("md5"):
                self._store.replace(_reason(entry), _dump({**about, "before": former}), stored.etag)
        return entry

    def entries(self) -> list[dict[str, Any]]:
        """All entries there ever were, by name."""
        return [json.loads(stored.body) for _, stored in self._store.find_all(self._store.list("reasons/"))]

    def show(self, entry: str) -> dict[str, Any]:
        """The document of an entry. Raises NotFound."""
        stored = self._store.find(_reason(entry))
        if stored is None:
            raise NotFound(f"nothing in quarantine is called '{entry}'; see `incumbent quarantine list`")
        return dict(json.loads(stored.body))

    def fetch(self, entry: str, folder: Path) -> Source:
        """The file, or the rows as Parquet, under its own name. Raises NotFound."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / entry.partition("-")[2]
        about = self.show(entry)
        self._store.download(_bytes(about), path)
        return Source(path, PurePosixPath(about.get("place", path.name)))

    def require_held(self, entry: str) -> dict[str, Any]:
        """The document of an entry that is still held. Raises NotFound, BadInput if it was released."""
        about = self.show(entry)
        _require_held(about)
        return about

    def mark_released(self, entry: str, reason: str, rev: str, partitions: Sequence[str]) -> None:
        """Record who released it, why, and which revision and partitions (md5) hold it.

        Until mark_announced it can be released again. Raises as require_held does.
        """
        kept = self._store.get(_reason(entry))
        about = json.loads(kept.body)
        _require_held(about)
        about["released"] = {
            "reason": reason,
            "rev": rev,
            "partitions": list(partitions),
            "at": now(),
            "by": who(),
            "announced": False,
        }
        self._store.replace(_reason(entry), _dump(about), kept.etag)

    def mark_announced(self, entry: str) -> None:
        """Record that the event of the release was sent, which completes the release."""
        kept = self._store.get(_reason(entry))
        about = json.loads(kept.body)
        about["released"]["announced"] = True
        self._store.replace(_reason(entry), _dump(about), kept.etag)

    def let_pass(self, partitions: Iterable[Partition]) -> dict[str, str]:
        """The partitions that hold released data: name -> who released it and why."""
        why = {
            md5: f"{released['by']} let it pass: {released['reason']}"
            for about in self.entries()
            if (released := about["released"])
            for md5 in released["partitions"]
        }
        return {each.name: why[each.md5] for each in partitions if each.md5 in why}


def open_quarantine(params: Params) -> Quarantine:
    return Quarantine(open_store(f"{params.registry.address.rstrip('/')}/{params.dataset.name}/quarantine"))


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _require_held(about: dict[str, Any]) -> None:
    released = about["released"]
    # Releases of earlier versions do not say whether they were announced.
    if released and released.get("announced", True):
        raise BadInput(f"'{about['entry']}' was released by {released['by']} at {released['at']}")
