"""A conclusion is a value with its reasons, not a bool."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reasoned:
    """`because`: every rule that spoke for it, with its figures. The kind is the class's name."""

    because: tuple[str, ...]

    @property
    def kind(self) -> str:
        return type(self).__name__.lower()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "reasons": list(self.because)}
