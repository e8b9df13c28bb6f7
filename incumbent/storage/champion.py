"""The champion: one entry per change of office, and the rules for the next entry."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from incumbent.errors import BadInput, Tampered
from incumbent.storage import documents

Op = Literal["promote", "rollback"]


class StaleRun(BadInput):
    """A run that started before the champion's own run may not replace it."""


class Blocked(BadInput):
    """A version that was rolled back may not be promoted."""


@dataclass(frozen=True)
class Champion:
    """Who is in office and since which change; `etag` is the stored document's and no part of it."""

    seq: Annotated[int, Field(ge=1)]
    txid: str
    prev_txid: str | None
    op: Op
    version: str
    replaced: str | None
    run_seq: Annotated[int, Field(ge=1)]
    blocked: tuple[str, ...]
    at: str
    reason: str
    etag: str = ""

    def body(self) -> bytes:
        """The document to store."""
        return documents.dump({name: value for name, value in asdict(self).items() if name != "etag"})


_SHAPE = TypeAdapter(Champion)


def parse_champion(body: bytes, etag: str, address: str) -> Champion:
    """Read an entry. Raises Tampered if it is not one."""
    return replace(documents.parse(_SHAPE, body, address), etag=etag)


def check_chain(entries: Sequence[Champion], address: str) -> None:
    """Raise Tampered unless these are all entries since the first, each following from the one before."""
    before: Champion | None = None
    for seq, entry in enumerate(entries, start=1):
        if entry.seq != seq or not _follows(entry, before):
            raise Tampered(f"the log below {address} is broken at entry {seq}: one is missing or was altered")
        before = entry


def _follows(entry: Champion, before: Champion | None) -> bool:
    if before is None:
        return entry.op == "promote" and entry.prev_txid is None and entry.replaced is None
    if (entry.prev_txid, entry.replaced) != (before.txid, before.version):
        return False
    return entry.run_seq > before.run_seq if entry.op == "promote" else entry.run_seq == before.run_seq


def is_same_promotion(current: Champion | None, version: str, run_seq: int) -> bool:
    """Did this very run already promote this very version? So a retried task finds its work done."""
    return (
        current is not None
        and current.op == "promote"
        and (current.version, current.run_seq) == (version, run_seq)
    )


def check_promotable(version: str, run_seq: int, current: Champion | None) -> None:
    """Raise StaleRun, Blocked, or BadInput if the version is in office already."""
    if current is None:
        return
    if run_seq <= current.run_seq:
        raise StaleRun(
            f"run {run_seq} may not promote '{version}': the champion '{current.version}' comes from "
            f"run {current.run_seq}, which is not older; start a new run"
        )
    if version in current.blocked:
        raise Blocked(
            f"version '{version}' was rolled back and is blocked; to put it back into office all the same: "
            f"`incumbent models rollback --to {version}`"
        )
    if version == current.version:
        raise BadInput(f"version '{version}' is the champion already")


def choose_predecessor(history: Sequence[Champion]) -> str | None:
    """Whom the champion replaced when it was promoted; one that is blocked by now is passed over.

    Not simply `history[-1].replaced`: after a rollback that is the bad version, and a second rollback
    has to go one further back, not to it.
    """
    current = history[-1]
    version: str | None = current.version
    end = len(history)
    while version is not None and (version == current.version or version in current.blocked):
        end = max(
            (at for at in range(end) if history[at].op == "promote" and history[at].version == version),
            default=-1,
        )
        version = history[end].replaced if end >= 0 else None
    return version


def check_target(target: str | None, history: Sequence[Champion]) -> str:
    """Return the version to roll back to. Raises BadInput if there is none, or it was never in office."""
    current = history[-1].version
    if target is None:
        raise BadInput(f"nothing to roll back to: no unblocked version was in office before '{current}'")
    if target == current:
        raise BadInput(f"version '{target}' is the champion already")
    if target not in {entry.version for entry in history}:
        raise BadInput(
            f"version '{target}' never was champion, so there is nothing to roll back to; see "
            "`incumbent models history`, or promote it with `incumbent models promote`"
        )
    return target
