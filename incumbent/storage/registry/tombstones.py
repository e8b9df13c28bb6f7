"""Tombstones: a version is marked long before it is deleted, and its name is never reused.

marked ──> deleted        by a later gc, when no promotion that began before the mark can be under way
   └─────> withdrawn      by a gc that finds the version needed; it may be marked again

Each transition is a compare-and-swap: of two gcs that disagree only one succeeds, so no version is deleted
whose mark was withdrawn.
"""

import uuid
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import AwareDatetime, TypeAdapter

from incumbent.errors import Conflict, NotFound
from incumbent.storage.s3.documents import dump, now, parse, who
from incumbent.storage.s3.store import Store

TOMBSTONE = "tombstone.json"

State = Literal["marked", "withdrawn", "deleted"]


@dataclass(frozen=True)
class Tombstone:
    """`nonce` makes the ETag of each document unique; `etag` comes with a read."""

    version: str
    state: State
    at: AwareDatetime
    by: str
    why: str
    nonce: str
    etag: str = ""


_SHAPE = TypeAdapter(Tombstone)


class Tombstones:
    """The tombstones of one model. All methods raise Tampered for documents that are not ours."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._top = store, f"{model}/versions/"

    def find(self, version: str) -> Tombstone | None:
        """The tombstone of this version, if there is one."""
        stored = self._store.find(self._key(version))
        if stored is None:
            return None
        return replace(parse(_SHAPE, stored.body, self._store.url(self._key(version))), etag=stored.etag)

    def move(self, version: str, known: Tombstone | None, state: State, why: str) -> bool:
        """Replace exactly `known` by the next state; False if another gc changed it meanwhile."""
        document = {"version": version, "state": state, "at": now(), "by": who(), "why": why}
        body = dump({**document, "nonce": uuid.uuid4().hex})
        if known is None:
            return self._store.put_if_absent(self._key(version), body)
        try:
            self._store.replace(self._key(version), body, known.etag)
        except Conflict:
            return False
        return True

    def require_none(self, version: str) -> None:
        """Raise NotFound for a version deleted or marked for deletion; a withdrawn mark does not count."""
        tombstone = self.find(version)
        if tombstone is not None and tombstone.state != "withdrawn":
            what = "deleted" if tombstone.state == "deleted" else "marked for deletion"
            raise NotFound(
                f"version '{version}' is {what} ({tombstone.why}) at {self._store.url(self._key(version))}; "
                "choose another version, or train anew"
            )

    def _key(self, version: str) -> str:
        return f"{self._top}{version}/{TOMBSTONE}"
