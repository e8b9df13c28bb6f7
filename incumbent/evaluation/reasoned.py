"""A conclusion is a value with its reasons, not a bool."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reasoned:
    """`because`: every rule that led to it, with its figures. `kind`: the class's name in lower case."""

    because: tuple[str, ...]

    @property
    def kind(self) -> str:
        return type(self).__name__.lower()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "reasons": list(self.because)}
