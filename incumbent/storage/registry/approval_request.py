"""The document of a challenger that won and waits for a person."""

from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from incumbent.storage.registry.champion import Champion
from incumbent.storage.s3 import documents


@dataclass(frozen=True)
class Answer:
    """What ended the wait, who or which run did it, when and why."""

    kind: Literal["approved", "refused", "expired"]
    by: str
    at: str
    reason: str


@dataclass(frozen=True)
class ApprovalRequest:
    """A version waits for a person while `answer` is None and the champion is still the one it met.

    champion, txid: the champion that the version was compared with and that champion's entry; None for a
    first model. reasons: of the verdict; provisional: whether it would be a provisional champion. asked_by:
    the run that found a shadow better, after the run that made it. `nonce` makes the ETag of each document
    unique. `etag` and `stored`, the exact bytes, come with a read and are not part of the document.
    """

    version: str
    run_seq: Annotated[int, Field(ge=1)]
    champion: str | None
    txid: str | None
    at: str
    by: str
    reasons: tuple[str, ...]
    answer: Answer | None
    nonce: str
    provisional: bool = False
    asked_by: int | None = None
    etag: str = field(default="", compare=False)
    stored: bytes = field(default=b"", repr=False, compare=False)

    @property
    def since(self) -> int:
        """The run that asked."""
        return self.asked_by or self.run_seq

    def is_newer_than(self, other: "ApprovalRequest") -> bool:
        """By the run that asked; of one run, its own challenger comes after the shadow."""
        return (self.since, self.run_seq) > (other.since, other.run_seq)

    def settles(self, again: "ApprovalRequest") -> bool:
        """Need nothing be written when the same version asks again?"""
        if self.run_seq != again.run_seq:
            return False
        approved = self.answer is not None and self.answer.kind == "approved"
        return self.refused or (self.txid == again.txid and (approved or self.since >= again.since))

    @property
    def refused(self) -> bool:
        return self.answer is not None and self.answer.kind == "refused"

    def expired(self, champion: Champion | None) -> str | None:
        """Why nobody can approve it any more, given today's champion; None while a person can."""
        if self.answer and self.answer.kind == "expired":
            return self.answer.reason
        if (champion.txid if champion else None) == self.txid:
            return None
        now = f"'{champion.version}' (entry {champion.seq})" if champion else "none"
        met = f"champion '{self.champion}'" if self.champion else "no champion"
        return f"it was compared with {met}, and the champion is now {now}"

    def to_json(self) -> dict[str, Any]:
        """The document's content."""
        return {name: value for name, value in asdict(self).items() if name not in ("etag", "stored")}

    def body(self) -> bytes:
        """The document's bytes: those that were read, or those to store."""
        return self.stored or documents.dump(self.to_json())


_SHAPE = TypeAdapter(ApprovalRequest)


def parse_request(body: bytes, etag: str, address: str) -> ApprovalRequest:
    """Read a document. Raises Tampered if it is not one."""
    return replace(documents.parse(_SHAPE, body, address), etag=etag, stored=body)
