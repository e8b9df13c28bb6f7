"""The corrections of a version: which values of a column have one, what they gain, and who predicts a row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from incumbent.errors import Tampered
from incumbent.params import Task

if TYPE_CHECKING:
    from incumbent.learners.correction import Correction

FILE = "segments.json"


@dataclass(frozen=True)
class Tried:
    """A value with enough rows, and how its correction did on rows that it had not learned from.

    rows: training rows of the value; gain: in units of the metric, positive is better; q: p-value of no gain,
    adjusted for the number of values (Benjamini and Hochberg 1995); gain and q are None where the rows could
    not tell, for the `reason`. serves: whether the version corrects the value's predictions.
    """

    value: str
    rows: int
    gain: float | None
    q: float | None
    serves: bool
    reason: str | None = None


@dataclass(frozen=True)
class Segments:
    """`by`: the column; `tried`: in the order of their values; corrections: of those that serve; rows: number
    of all training rows."""

    by: str
    min_rows: int
    rows: int
    tried: tuple[Tried, ...]
    corrections: Mapping[str, Correction]

    def corrected(self, values: np.ndarray, X: np.ndarray, predicted: np.ndarray, task: Task) -> np.ndarray:
        """Predictions with the corrections of those that have one.

        values: (n,) text of the column `by`, as text_or_none; X: (n, features) float32; predicted: (n,) or
        (n, classes), the model's.
        """
        from incumbent.learners.correction import linked, unlinked

        corrected = predicted.copy()
        for value, correction in self.corrections.items():
            there = np.flatnonzero(values == value)
            if len(there):
                shifted = linked(predicted[there], task) + correction.shift(X[there])
                corrected[there] = unlinked(shifted, task)
        return corrected

    def to_json(self) -> dict[str, Any]:
        """The manifest's `segments`: who serves what, and how many training rows the model alone serves."""
        tried = {each.value: _without_value(each) for each in self.tried}
        served = {value: entry for value, entry in tried.items() if entry["serves"]}
        rest = self.rows - sum(entry["rows"] for entry in served.values())
        return {"by": self.by, "min_rows": self.min_rows, "tried": tried, "rest": rest}

    def save(self, path: Path) -> None:
        corrections = {value: each.text for value, each in sorted(self.corrections.items())}
        document = {**self.to_json(), "rows": self.rows, "corrections": corrections}
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Segments:
        """Raises Tampered for a file that holds no segments."""
        from incumbent.learners.correction import Correction

        try:
            document = json.loads(path.read_bytes())
            tried = tuple(Tried(value, **entry) for value, entry in document["tried"].items())
            texts = document["corrections"]
            by, min_rows, rows = (document[name] for name in ("by", "min_rows", "rows"))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Tampered(f"{path.name} holds no segments: {error!r}") from error
        return Segments(
            by, min_rows, rows, tried, {value: Correction.of_text(text) for value, text in texts.items()}
        )


def _without_value(tried: Tried) -> dict[str, Any]:
    return {name: each for name, each in asdict(tried).items() if name != "value"}
