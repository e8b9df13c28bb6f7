"""Tombstones: a version is marked long before it goes, and its name is never used again.

marked ──> deleted        by a later gc, when no promotion can be under way that did not see the mark
   └─────> withdrawn      by a gc that finds the version needed; it may be marked again

Each move is a compare-and-swap: of two gcs that disagree only one has its way, so nothing is deleted whose
mark somebody took back.
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
    """`nonce` makes each one's ETag its own; `etag` comes with a read."""

    version: str
    state: State
    at: AwareDatetime
    by: str
    why: str
    nonce: str
    etag: str = ""


_SHAPE = TypeAdapter(Tombstone)


class Tombstones:
    """Those of one model. All methods raise Tampered for documents that are not ours."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._top = store, f"{model}/versions/"

    def find(self, version: str) -> Tombstone | None:
        """This version's, if there is one."""
        found = self._store.find(self._key(version))
        if found is None:
            return None
        return replace(parse(_SHAPE, found.body, self._store.url(self._key(version))), etag=found.etag)

    def move(self, version: str, known: Tombstone | None, state: State, why: str) -> bool:
        """Write the next state in the place of exactly `known`; False if another gc did meanwhile."""
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
        """Raise NotFound for a name that was deleted or is about to be, unless that was taken back."""
        found = self.find(version)
        if found is not None and found.state != "withdrawn":
            what = "deleted" if found.state == "deleted" else "marked for deletion"
            raise NotFound(
                f"version '{version}' is {what} ({found.why}) at {self._store.url(self._key(version))}; "
                "choose another version, or train anew"
            )

    def _key(self, version: str) -> str:
        return f"{self._top}{version}/{TOMBSTONE}"
