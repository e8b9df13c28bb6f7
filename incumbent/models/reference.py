"""What a version keeps for estimates before labels come: how labels followed from its predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from incumbent.tables.parquet import readable

if TYPE_CHECKING:
    from incumbent.learners.expected_error import ExpectedError

FILE, ERRORS = "reference.parquet", "expected-error.txt"

MOST = 20_000
"""Rows that are kept, the latest; and no more than 20 times as many predicted numbers."""


@dataclass(frozen=True)
class Reference:
    """Labelled rows, predicted by models of the version's recipe that have not learned from them.

    y: (n,) float64, as Schema.labels; predictions: (n,) or (n, classes) float32, calibrated; group: (n,) hash
    of the row's group of split.by; expected_error: (n,), of ExpectedError, None but in a regression.
    """

    y: np.ndarray
    predictions: np.ndarray
    group: np.ndarray
    expected_error: np.ndarray | None = None

    def take(self, numbers: np.ndarray | slice) -> Reference:
        expected = None if self.expected_error is None else self.expected_error[numbers]
        return Reference(self.y[numbers], self.predictions[numbers], self.group[numbers], expected)

    def latest(self) -> Reference:
        """The last rows, as many as are kept."""
        width = self.predictions.size // max(1, len(self.y))
        return self.take(slice(-min(MOST, 20 * MOST // max(1, width)), None))

    def after(self, earlier: Reference | None) -> Reference:
        """With the rows that an earlier version kept before these, up to the number that is kept."""
        if earlier is None or earlier.predictions.shape[1:] != self.predictions.shape[1:]:
            return self
        expected = None
        if self.expected_error is not None and earlier.expected_error is not None:
            expected = np.concatenate([earlier.expected_error, self.expected_error])
        return Reference(
            np.concatenate([earlier.y, self.y]),
            np.concatenate([earlier.predictions, self.predictions]),
            np.concatenate([earlier.group, self.group]),
            expected,
        ).latest()

    def with_expected_error(self, expected: ExpectedError | None, X: np.ndarray) -> Reference:
        """X: (n, features) float32, of these rows."""
        return self if expected is None else replace(self, expected_error=expected.of(X))

    def save(self, path: Path) -> None:
        columns = {"label": self.y, "group": self.group}
        many = self.predictions.reshape(len(self.y), -1).T
        columns |= {f"prediction_{number}": each for number, each in enumerate(many)}
        if self.expected_error is not None:
            columns["expected_error"] = self.expected_error
        pd.DataFrame(columns).to_parquet(path, index=False)

    @staticmethod
    def load(path: Path) -> Reference | None:
        """None for a missing file: versions of earlier releases have none."""
        if not path.exists():
            return None
        with readable(path):
            frame = pd.read_parquet(path)
        predictions = frame.filter(regex="^prediction_").to_numpy(dtype=np.float32)
        return Reference(
            frame["label"].to_numpy(),
            predictions[:, 0] if predictions.shape[1] == 1 else predictions,
            frame["group"].to_numpy(),
            frame["expected_error"].to_numpy() if "expected_error" in frame else None,
        )


def load_errors(path: Path) -> ExpectedError | None:
    """None for a missing file. Raises Tampered when it is no model of LightGBM's."""
    if not path.exists():
        return None
    from incumbent.learners.expected_error import ExpectedError

    return ExpectedError.of_text(path.read_text(encoding="utf-8"))
