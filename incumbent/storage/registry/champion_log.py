"""The champion's pointer and its log on S3: read it, move it by compare-and-swap, keep every entry.

`champion.json` is the only commit point. `log/<seq>.json` gets its copy afterwards; whoever moves the
pointer next first writes the copy that a crashed predecessor left out, so the log never has a gap.
"""

import uuid
from dataclasses import replace

from incumbent.errors import Conflict, IncumbentError, Tampered
from incumbent.storage.registry.champion import Champion, Op, breaks, parse_champion
from incumbent.storage.s3.documents import now, who
from incumbent.storage.s3.store import Object, Store


class ChampionLog:
    """The pointer and the log of one model. All methods raise Tampered for documents that are not ours."""

    def __init__(self, store: Store, model: str) -> None:
        self._store = store
        self._pointer, self._log = f"{model}/champion.json", f"{model}/log/"

    def read(self, known: Champion | None = None) -> Champion | None:
        """The current champion. One request, without a body when it is still the `known` one."""
        pointer = self._store.find(self._pointer, Object(known.body(), known.etag) if known else None)
        return None if pointer is None else self._parse(self._pointer, pointer)

    def ensure_logged(self, current: Champion) -> None:
        """Write the log entry that a crashed promoter left out, if it is missing. One request."""
        logged = self._store.find(self._entry(current.seq))
        if logged is None:
            self._keep(current.seq, current.body())
        elif logged.body != current.body():
            raise self._altered(current.seq)

    def move(
        self,
        current: Champion | None,
        *,
        op: Op,
        version: str,
        run_seq: int,
        blocked: tuple[str, ...],
        reason: str,
        by: str | None = None,
    ) -> Champion:
        """Replace exactly `current` by `version`. Raises Conflict if somebody else moved the champion first.

        by: who did it, if not this user on this host.
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
            by=by or who(),
            reason=reason,
        )
        if not self._swap(current, entry) and not self._is_held(entry) and not self._is_logged(entry):
            raise Conflict(
                f"the champion at {self._store.url(self._pointer)} was changed meanwhile; compare again"
            )
        return self._confirm(entry)

    def history(self) -> list[Champion]:
        """Every entry, oldest first. Raises Tampered if one is missing or was altered."""
        entries, problems = self.entries()
        for problem in problems:
            raise problem
        return entries

    def entries(self) -> tuple[list[Champion], list[IncumbentError]]:
        """Every entry that can be read, oldest first, and all that is wrong with the log and the pointer."""
        # The pointer first: an entry is in the log before the pointer can move on from it.
        pointer = self._store.find(self._pointer)
        logged = dict(self._store.find_all(self._store.list(self._log)))
        entries: list[Champion] = []
        problems: list[IncumbentError] = []
        seq = 0
        try:
            if pointer is not None:
                seq = self._parse(self._pointer, pointer).seq
                if logged.get(self._entry(seq), pointer).body != pointer.body:
                    problems.append(self._altered(seq))
                logged[self._entry(seq)] = pointer  # with the pointer's ETag, which a copy need not share
        except IncumbentError as error:
            problems.append(error)
        for key in sorted(logged):
            try:
                entries.append(self._parse(key, logged[key]))
            except IncumbentError as error:
                problems.append(error)
        problems += breaks(entries, self._store.url(self._log))
        if not problems and entries and entries[-1].seq > seq and self._is_behind(entries[-1].seq):
            problems.append(self._pointer_lost(entries[-1].seq))
        return entries, problems

    def require_vacant(self) -> None:
        """Raise Tampered if the log has entries but the pointer is missing. One request."""
        if self._store.find(self._entry(1)) is not None and self._is_behind(1):
            raise self._pointer_lost(1)

    def _is_behind(self, seq: int) -> bool:
        """Is the pointer still missing or older, read again after the log was?"""
        current = self.read()
        return current is None or current.seq < seq

    def _swap(self, current: Champion | None, entry: Champion) -> bool:
        if current is None:
            return self._store.put_if_absent(self._pointer, entry.body())
        try:
            self._store.replace(self._pointer, entry.body(), current.etag)
        except Conflict:
            return False
        return True

    def _is_held(self, entry: Champion) -> bool:
        """Our write was committed, and S3 refused a duplicate of the request made by the network."""
        pointer = self._store.find(self._pointer)
        return pointer is not None and pointer.body == entry.body()

    def _is_logged(self, entry: Champion) -> bool:
        """Our write was committed, its answer was lost, and the champion has changed again since."""
        logged = self._store.find(self._entry(entry.seq))
        return logged is not None and logged.body == entry.body()

    def _confirm(self, entry: Champion) -> Champion:
        """Read the commit back and log it; the champion may already have changed again."""
        pointer = self._store.find(self._pointer)
        if pointer is not None and pointer.body == entry.body():
            self._keep(entry.seq, pointer.body)
            return replace(entry, etag=pointer.etag, stored=pointer.body)
        if not self._is_logged(entry):
            raise Tampered(
                f"{self._store.url(self._pointer)} lost entry {entry.seq}, which S3 had acknowledged; "
                "stop promoting and check the store"
            )
        return entry

    def _keep(self, seq: int, body: bytes) -> None:
        key = self._entry(seq)
        if not self._store.put_if_absent(key, body) and self._store.get(key).body != body:
            raise self._altered(seq)

    def _parse(self, key: str, stored: Object) -> Champion:
        return parse_champion(stored.body, stored.etag, self._store.url(key))

    def _entry(self, seq: int) -> str:
        return f"{self._log}{seq:012d}.json"

    def _pointer_lost(self, seq: int) -> Tampered:
        return Tampered(
            f"{self._store.url(self._pointer)} is missing or older than {self._store.url(self._entry(seq))}, "
            "which is written after it; to repair it, copy the last entry of the log over it"
        )

    def _altered(self, seq: int) -> Tampered:
        log, pointer = self._store.url(self._entry(seq)), self._store.url(self._pointer)
        return Tampered(f"{log} differs from {pointer}, whose copy it should be: one of them was altered")
