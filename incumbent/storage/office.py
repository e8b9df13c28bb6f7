"""The champion's pointer and its log on S3: read it, move it by compare-and-swap, keep every entry.

`champion.json` is the only commit point. `log/<seq>.json` gets its copy afterwards; whoever moves the
pointer next first writes the copy that a crashed predecessor left out, so the log never has a gap.
"""

import uuid
from dataclasses import replace

from incumbent.errors import Conflict, Tampered
from incumbent.storage.champion import Champion, Op, check_chain, parse_champion
from incumbent.storage.documents import now
from incumbent.storage.store import Object, Store


class Office:
    """The pointer and the log of one model. All methods raise Tampered for documents that are not ours."""

    def __init__(self, store: Store, model: str) -> None:
        self._store = store
        self._pointer, self._log = f"{model}/champion.json", f"{model}/log/"

    def read(self) -> Champion | None:
        """Who is in office now. One request."""
        found = self._store.find(self._pointer)
        return None if found is None else self._parse(self._pointer, found)

    def read_and_help(self) -> Champion | None:
        """Who is in office, after making sure that the log has this entry. Two requests as a rule."""
        found = self._store.find(self._pointer)
        if found is None:
            return None
        current = self._parse(self._pointer, found)
        logged = self._store.find(self._entry(current.seq))
        if logged is None:
            self._keep(current.seq, found.body)
        elif logged.body != found.body:
            raise self._alarm(current.seq)
        return current

    def move(
        self,
        current: Champion | None,
        *,
        op: Op,
        version: str,
        run_seq: int,
        blocked: tuple[str, ...],
        reason: str,
    ) -> Champion:
        """Put `version` in the place of exactly `current`. Raises Conflict if somebody else moved first.

        After StorageUnavailable the move may have been made: read before anything else.
        """
        entry = Champion(
            seq=current.seq + 1 if current else 1,
            txid=uuid.uuid4().hex,
            prev_txid=current.txid if current else None,
            op=op,
            version=version,
            replaced=current.version if current else None,
            run_seq=run_seq,
            blocked=blocked,
            at=now(),
            reason=reason,
        )
        if not self._swap(current, entry) and not self._is_logged(entry):
            raise Conflict(f"the champion at {self._store.url(self._pointer)} moved meanwhile; compare again")
        return self._confirm(entry)

    def history(self) -> list[Champion]:
        """Every entry, oldest first. Raises Tampered if one is missing or was altered."""
        # The pointer first: an entry is in the log before the pointer can move on from it.
        pointer = self._store.find(self._pointer)
        logged = dict(self._store.find_all(self._store.list(self._log)))
        if pointer is not None:
            current = self._parse(self._pointer, pointer)
            if logged.setdefault(self._entry(current.seq), pointer).body != pointer.body:
                raise self._alarm(current.seq)
        entries = [self._parse(key, logged[key]) for key in sorted(logged)]
        check_chain(entries, self._store.url(self._log))
        return entries

    def _swap(self, current: Champion | None, entry: Champion) -> bool:
        if current is None:
            return self._store.put_if_absent(self._pointer, entry.body())
        try:
            self._store.replace(self._pointer, entry.body(), current.etag)
        except Conflict:
            return False
        return True

    def _is_logged(self, entry: Champion) -> bool:
        """Ours was committed in a doubtful attempt, and somebody already moved on from it."""
        logged = self._store.find(self._entry(entry.seq))
        return logged is not None and logged.body == entry.body()

    def _confirm(self, entry: Champion) -> Champion:
        """Read the commit back and log it; the champion may already be a later one."""
        found = self._store.find(self._pointer)
        if found is not None and found.body == entry.body():
            self._keep(entry.seq, found.body)
            return replace(entry, etag=found.etag)
        if not self._is_logged(entry):
            raise Tampered(
                f"{self._store.url(self._pointer)} lost entry {entry.seq}, which S3 had acknowledged; "
                "stop promoting and check the store"
            )
        return entry

    def _keep(self, seq: int, body: bytes) -> None:
        key = self._entry(seq)
        if not self._store.put_if_absent(key, body) and self._store.get(key).body != body:
            raise self._alarm(seq)

    def _parse(self, key: str, found: Object) -> Champion:
        return parse_champion(found.body, found.etag, self._store.url(key))

    def _entry(self, seq: int) -> str:
        return f"{self._log}{seq:012d}.json"

    def _alarm(self, seq: int) -> Tampered:
        log, pointer = self._store.url(self._entry(seq)), self._store.url(self._pointer)
        return Tampered(f"{log} differs from {pointer}, whose copy it should be: one of them was altered")
