"""The champion: one entry per change of champion, and the rules for the next entry."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import Field, TypeAdapter

from incumbent.errors import BadInput, Blocked, StaleRun, Tampered
from incumbent.storage.s3 import documents

Op = Literal["promote", "provisional", "force", "rollback"]
VERDICTS = ("promote", "provisional")
"""The changes that a run makes by its verdict."""


@dataclass(frozen=True)
class Champion:
    """Which version is champion, and since which change.

    `provisional` is a promotion of a model that nothing shows yet to be better than the baseline, `force` one
    against or without a verdict. `by` is the user and host that made the change.
    `etag` and `stored`, the exact bytes, come with a read and are not part of the document.
    """

    seq: Annotated[int, Field(ge=1)]
    txid: str
    prev_txid: str | None
    op: Op
    version: str
    replaced: str | None
    run_seq: Annotated[int, Field(ge=1)]
    blocked: tuple[str, ...]
    at: str
    by: str
    reason: str
    etag: str = ""
    stored: bytes = field(default=b"", repr=False, compare=False)

    @property
    def provisional(self) -> bool:
        """Has it taken office while nothing could tell it from the baseline?"""
        return self.op == "provisional"

    def to_json(self) -> dict[str, Any]:
        """The document's content."""
        return {name: value for name, value in asdict(self).items() if name not in ("etag", "stored")}

    def body(self) -> bytes:
        """The document's bytes: those that were read, or those to store."""
        return self.stored or documents.dump(self.to_json())


_SHAPE = TypeAdapter(Champion)


def parse_champion(body: bytes, etag: str, address: str) -> Champion:
    """Read an entry. Raises Tampered if it is not one."""
    return replace(documents.parse(_SHAPE, body, address), etag=etag, stored=body)


def champion_at(history: Sequence[Champion], time: str) -> Champion | None:
    """The champion at a time (ISO 8601 with a zone); None before the first. Raises BadInput."""
    try:
        wanted = datetime.fromisoformat(time)
    except ValueError as error:
        raise BadInput(f"{time!r} is no time in ISO 8601, such as 2026-11-25T14:00:00+00:00") from error
    if wanted.tzinfo is None:
        raise BadInput(f"{time!r} has no time zone; add one, such as {time}+00:00 or {time}Z")
    before = [entry for entry in history if datetime.fromisoformat(entry.at) <= wanted]
    return before[-1] if before else None


def breaks(entries: Sequence[Champion], address: str) -> Iterator[Tampered]:
    """The gaps: entries that do not follow from the one before, or a first that is not number 1."""
    before: Champion | None = None
    for entry in entries:
        seq = before.seq + 1 if before else 1
        if entry.seq != seq or not _follows(entry, before):
            yield Tampered(f"the log below {address} is broken at entry {seq}: one is missing or was altered")
        before = entry


def _follows(entry: Champion, before: Champion | None) -> bool:
    if before is None:
        return entry.op != "rollback" and entry.prev_txid is None and entry.replaced is None
    if (entry.prev_txid, entry.replaced) != (before.txid, before.version):
        return False
    return entry.run_seq == before.run_seq if entry.op == "rollback" else entry.run_seq > before.run_seq


def is_same_promotion(current: Champion | None, version: str, run_seq: int) -> TypeGuard[Champion]:
    """Did this run already promote this version? A retried task then has nothing left to do."""
    return (
        current is not None
        and current.op in VERDICTS
        and (current.version, current.run_seq) == (version, run_seq)
    )


def check_promotable(version: str, run_seq: int, current: Champion | None) -> None:
    """Raise StaleRun, Blocked, or BadInput if the version is champion already."""
    if current is None:
        return
    if run_seq <= current.run_seq:
        raise StaleRun(
            f"run {run_seq} may not promote '{version}': the champion '{current.version}' comes from "
            f"run {current.run_seq}, which is not older; start a new run"
        )
    if version in current.blocked:
        raise Blocked(
            f"version '{version}' was rolled back and is blocked; to make it champion all the same: "
            f"`incumbent models rollback --to {version}`"
        )
    if version == current.version:
        raise BadInput(f"version '{version}' is the champion already")


def choose_predecessor(history: Sequence[Champion]) -> str | None:
    """The version that the champion replaced when it was promoted, skipping versions blocked since.

    Not simply `history[-1].replaced`: after a rollback that is the bad version, while a second rollback
    has to go one version further back.
    """
    current = history[-1]
    version: str | None = current.version
    end = len(history)
    while version is not None and (version == current.version or version in current.blocked):
        end = max(
            (at for at in range(end) if history[at].op != "rollback" and history[at].version == version),
            default=-1,
        )
        version = history[end].replaced if end >= 0 else None
    return version


def check_target(target: str | None, history: Sequence[Champion]) -> str:
    """Return the version to roll back to. Raises BadInput if there is none, or it was never champion."""
    current = history[-1].version
    if target is None:
        raise BadInput(f"nothing to roll back to: no unblocked version was champion before '{current}'")
    if target == current:
        raise BadInput(f"version '{target}' is the champion already")
    if target not in {entry.version for entry in history}:
        raise BadInput(
            f"version '{target}' never was champion, so there is nothing to roll back to; see "
            "`incumbent models history`, or promote it with `incumbent models promote`"
        )
    return target
