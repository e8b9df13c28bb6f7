"""Target encoding: a category as the mean target of the rows with it (Micci-Barreca 2001), cross-fitted.

A training row must not be encoded with its own label: the mean of a category of few rows would leak it. So
the hash of the split group puts training rows into five parts, and each part is encoded by the means of the
other four; new rows by the means of all. The hash is stable: an update puts a row into the same part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PARTS = 5


@dataclass(frozen=True)
class Means:
    """Of one column: `words` is its vocabulary; `label` the class whose share is the mean (None: the target).

    whole: (len(words) + 2,) means by code, then for unseen and for missing values; parts: the same, each
    learned without the rows of one part.
    """

    words: tuple[str, ...]
    label: int | None = None
    whole: tuple[float, ...] = ()
    parts: tuple[tuple[float, ...], ...] = ()

    def encode_new(self, codes: np.ndarray) -> np.ndarray:
        """(n,) codes, -1 for unseen, NaN for missing -> (n,) means, for rows outside the training rows."""
        return np.array(self.whole)[self._indices(codes)]

    def encode_learned(self, codes: np.ndarray, group: np.ndarray) -> np.ndarray:
        """The same for training rows, by the means without their own part; group: (n,) hashes in [0, 1)."""
        return np.array(self.parts)[part_of(group), self._indices(codes)]

    def learned(
        self, codes: np.ndarray, y: np.ndarray, group: np.ndarray, smoothing: float | None
    ) -> "Means":
        """The means of these rows; y: (n,) as Schema.labels."""
        indices = self._indices(codes)
        target = (y if self.label is None else y == self.label).astype(np.float64)
        part = part_of(group)
        tables = [self._table(indices, target, smoothing)]
        tables += [
            self._table(indices[part != each], target[part != each], smoothing) for each in range(PARTS)
        ]
        whole, *parts = (tuple(table.tolist()) for table in tables)
        return Means(self.words, self.label, whole, tuple(parts))

    def to_json(self) -> dict[str, Any]:
        return {
            "words": list(self.words),
            "label": self.label,
            "whole": list(self.whole),
            "parts": [list(part) for part in self.parts],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Means":
        return Means(
            tuple(document["words"]),
            document["label"],
            tuple(document["whole"]),
            tuple(map(tuple, document["parts"])),
        )

    def _indices(self, codes: np.ndarray) -> np.ndarray:
        unseen, missing = len(self.words), len(self.words) + 1
        return np.where(np.isnan(codes), missing, np.where(codes < 0, unseen, codes)).astype(np.int64)

    def _table(self, indices: np.ndarray, target: np.ndarray, smoothing: float | None) -> np.ndarray:
        from sklearn.preprocessing import TargetEncoder

        if not len(target):  # all rows are in one part: none is left to learn from
            return np.zeros(len(self.words) + 2)
        # "continuous" also for 0 and 1: the smoothing is the same, and a single class is no error.
        encoder = TargetEncoder(
            target_type="continuous", smooth="auto" if smoothing is None else smoothing
        ).fit(indices[:, None], target)
        table = np.full(len(self.words) + 2, float(encoder.target_mean_))
        table[encoder.categories_[0].astype(np.int64)] = encoder.encodings_[0]
        return table


def part_of(group: np.ndarray) -> np.ndarray:
    """0 to 4 for each group's hash, from digits that the split does not use."""
    return (np.floor(group * 2**40).astype(np.int64) % PARTS).astype(np.int64)
