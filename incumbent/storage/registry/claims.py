"""Leases on S3: one run at a time does a piece of work, and a dead run's work is taken over."""

import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, TypeAdapter

from incumbent.errors import Conflict
from incumbent.storage.registry.owner import Owner
from incumbent.storage.s3.documents import check_name, dump, now, parse
from incumbent.storage.s3.store import Store

LONG_AGO = "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Claim:
    """A lease that this process holds, as of its last heartbeat; pass it on to `renew` and `finish`.

    `owner` is a nonce: no two claims have the same. `heir_of` is the run that held the work before and
    did not finish it.
    """

    digest: str
    owner: str
    run_seq: int
    heartbeat: str
    etag: str
    process: Owner
    heir_of: int | None = None


@dataclass(frozen=True)
class Claimed:
    """The work is ours."""

    claim: Claim


@dataclass(frozen=True)
class Running:
    """Another run does the work and sent a heartbeat within the lease."""

    owner: str
    run_seq: int
    heartbeat: str


@dataclass(frozen=True)
class Done:
    """The work is finished; `outcome` is what that run recorded."""

    run_seq: int
    outcome: dict[str, Any]


@dataclass(frozen=True)
class _Document:
    owner: str
    run_seq: int
    heartbeat: AwareDatetime
    state: Literal["running", "done"]
    outcome: dict[str, Any] | None = field(default=None)
    process: Owner | None = field(default=None)
    heir_of: int | None = field(default=None)

    def is_abandoned(self, lease_seconds: float) -> bool:
        silence = (datetime.now(UTC) - self.heartbeat).total_seconds()
        return silence > lease_seconds or (self.process is not None and self.process.is_known_dead())

    def answer(self) -> Running | Done:
        if self.state == "done":
            return Done(self.run_seq, self.outcome or {})
        return Running(self.owner, self.run_seq, self.heartbeat.isoformat())


_SHAPE = TypeAdapter(_Document)


class Claims:
    """The claims of one model. All methods raise Tampered for a document that is not ours."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._model = store, model

    def claim(self, digest: str, run_seq: int, lease_seconds: float) -> Claimed | Running | Done:
        """Take the work, unless another run does it or did it.

        A running claim without a heartbeat for `lease_seconds` is taken over, and at once when its process
        ran on this host and is dead. The machines' clocks must agree to well within `lease_seconds`.
        """
        claim = Claim(digest, uuid.uuid4().hex, run_seq, now(), etag="", process=Owner.here())
        while True:
            body = _body(claim)
            stored = self._store.find(self._key(digest))
            if stored is None:
                self._store.put_if_absent(self._key(digest), body)
                continue  # read it again: it may be another run's, and a read brings the ETag
            if stored.body == body:
                return Claimed(replace(claim, etag=stored.etag))
            held = parse(_SHAPE, stored.body, self._store.url(self._key(digest)))
            if held.state == "done" or not held.is_abandoned(lease_seconds):
                return held.answer()
            claim = replace(claim, heir_of=held.run_seq)
            try:
                return Claimed(self._move(claim, _body(claim), stored.etag))
            except Conflict:
                continue  # another run took it over, or its owner is alive after all: read it again

    def look(self, digest: str, lease_seconds: float) -> Running | Done | None:
        """What `claim` would answer, but None where it would give the work. Changes nothing."""
        stored = self._store.find(self._key(digest))
        held = stored and parse(_SHAPE, stored.body, self._store.url(self._key(digest)))
        if not held or (held.state == "running" and held.is_abandoned(lease_seconds)):
            return None
        return held.answer()

    def decided_by(self, digest: str) -> int | None:
        """The run that finished this work; None if none did."""
        answer = self.look(digest, 0)
        return answer.run_seq if isinstance(answer, Done) else None

    def renew(self, claim: Claim) -> Claim:
        """Send a heartbeat; go on with the claim returned. Raises Conflict if the work was taken over."""
        beating = replace(claim, heartbeat=now())
        return self._move(beating, _body(beating), claim.etag)

    def finish(self, claim: Claim, outcome: dict[str, Any]) -> None:
        """Mark the work done for good. Raises Conflict if it was taken over."""
        finished = replace(claim, heartbeat=now())
        self._move(finished, _body(finished, "done", outcome), claim.etag)

    def release(self, claim: Claim) -> None:
        """Give the work up unfinished; the next `claim` gets it. Raises Conflict if it was taken over."""
        self._move(claim, _body(replace(claim, heartbeat=LONG_AGO)), claim.etag)

    def require(self, digest: str, run_seq: int, lease_seconds: float) -> None:
        """Raise Conflict unless this run holds the claim and sent a heartbeat within the lease."""
        address = self._store.url(self._key(digest))
        stored = self._store.find(self._key(digest))
        held = stored and parse(_SHAPE, stored.body, address)
        if not held or held.state != "running" or held.run_seq != run_seq:
            holder = f"run {held.run_seq} ({held.state})" if held else "nobody"
            raise Conflict(f"run {run_seq} lost its claim at {address} to {holder}; it may not promote")
        if held.process is not None and held.process.is_known_dead():
            raise Conflict(f"the process of run {run_seq}, which claims {address}, is dead; run it again")
        age = (datetime.now(UTC) - held.heartbeat).total_seconds()
        if age > lease_seconds:
            raise Conflict(
                f"run {run_seq} sent no heartbeat to {address} for {age:.0f} s, longer than its lease of "
                f"{lease_seconds:.0f} s; it may not promote: run it again"
            )

    def _move(self, claim: Claim, body: bytes, expected: str) -> Claim:
        try:
            return replace(claim, etag=self._store.replace(self._key(claim.digest), body, expected))
        except Conflict as error:
            address = self._store.url(self._key(claim.digest))
            raise Conflict(f"the claim at {address} was taken over by another run; stop this one") from error

    def _key(self, digest: str) -> str:
        return f"{self._model}/claims/{check_name(digest, 'claim digest')}.json"


def _body(claim: Claim, state: str = "running", outcome: dict[str, Any] | None = None) -> bytes:
    known = {name: value for name, value in asdict(claim).items() if name not in ("digest", "etag")}
    return dump({**known, "state": state, "outcome": outcome})
