"""What must be in a registry, kept beside it by whoever acts on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from incumbent.errors import BadInput, Blocked, NotFound, StaleRun
from incumbent.storage.registry.approval_request import ApprovalRequest
from incumbent.storage.registry.registry import Champion

T = TypeVar("T")


def pick(options: Sequence[T], number: int) -> T:
    """One of them."""
    return options[number % len(options)]


@dataclass
class Books:
    """All that was acknowledged, and what follows from it."""

    chain: list[Champion] = field(default_factory=list)
    compared: list[str | None] = field(default_factory=list)
    """With whom each entry of the chain was compared."""
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of all versions that anybody began to publish."""
    complete: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    untouchable: set[str] = field(default_factory=set)
    """Champions of all times and their parents."""
    numbers: list[int] = field(default_factory=list)
    """Of the runs."""
    request: ApprovalRequest | None = None
    """The newest for approval, with what became of it."""
    refused: list[ApprovalRequest] = field(default_factory=list)

    @property
    def current(self) -> Champion | None:
        return self.chain[-1] if self.chain else None

    @property
    def last_run(self) -> int:
        return self.numbers[-1] if self.numbers else 0

    def refusal(self, version: str, run_seq: int) -> type[Exception] | None:
        """The error with which a promotion, compared with the champion of now, must end."""
        if self.current is not None:
            if run_seq <= self.current.run_seq:
                return StaleRun
            if version in self.current.blocked:
                return Blocked
            if version == self.current.version:
                return BadInput
        return None if version in self.complete - self.marked else NotFound

    def waits(self) -> bool:
        """Could a person approve the newest request now?"""
        request, txid = self.request, self.current.txid if self.current else None
        open_ = request is not None and (request.answer is None or request.answer.kind == "approved")
        return open_ and request is not None and request.txid == txid

    def fit(self) -> list[str]:
        """What a run that starts now could promote."""
        return sorted(name for name in self.complete if not self.refusal(name, self.last_run + 1))

    def enter(self, entry: Champion) -> None:
        """A change of office took place."""
        self.compared.append(self.current.version if self.current else None)
        self.chain.append(entry)
        self.untouchable |= self.lineage(entry.version)

    def lineage(self, version: str) -> set[str]:
        """It and its ancestors, as far as they are there."""
        found: set[str] = set()
        name: str | None = version
        while name is not None and name in self.complete:
            found.add(name)
            name = self.manifests[name]["parent"]
        return found

    def needed(self, keep: int) -> set[str]:
        """What deletion must leave."""
        newest = sorted(self.complete, key=lambda name: self.manifests[name]["created"])[::-1][:keep]
        waits = {self.request.version} if self.request and self.waits() else set()
        return self.untouchable.union(waits, *map(self.lineage, newest))
