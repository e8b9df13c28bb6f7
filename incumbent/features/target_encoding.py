"""Target encoding: a category as the mean of the target in rows with it (Micci-Barreca 2001), cross-fitted.

A training row must never see its own label, or a category of few rows tells it. So training rows are in five
parts, by the hash of their split group, and each is encoded by the other four; rows that come later, by all.
The hash is the row's own: an update finds the part of a row of history again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PARTS = 5


@dataclass(frozen=True)
class Means:
    """Of one column: `words`, its vocabulary, and for which class's share (None: the target itself).

    whole: by code, then for unseen and for missing values, (len(words) + 2,); parts: the same learned
    without the rows of each part.
    """

    words: tuple[str, ...]
    label: int | None = None
    whole: tuple[float, ...] = ()
    parts: tuple[tuple[float, ...], ...] = ()

    def of_new(self, codes: np.ndarray) -> np.ndarray:
        """(n,) codes, -1 for unseen, NaN for missing -> (n,) means, for rows that it was not learned from."""
        return np.array(self.whole)[self._places(codes)]

    def of_learned(self, codes: np.ndarray, group: np.ndarray) -> np.ndarray:
        """The same for rows that it was learned from, each without its own part; group: (n,) in [0, 1)."""
        return np.array(self.parts)[part_of(group), self._places(codes)]

    def learned(
        self, codes: np.ndarray, y: np.ndarray, group: np.ndarray, smoothing: float | None
    ) -> "Means":
        """From these rows; y: (n,) as Schema.labels."""
        places = self._places(codes)
        target = (y if self.label is None else y == self.label).astype(np.float64)
        part = part_of(group)
        tables = [self._table(places, target, smoothing)]
        tables += [
            self._table(places[part != each], target[part != each], smoothing) for each in range(PARTS)
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

    def _places(self, codes: np.ndarray) -> np.ndarray:
        unseen, missing = len(self.words), len(self.words) + 1
        return np.where(np.isnan(codes), missing, np.where(codes < 0, unseen, codes)).astype(np.int64)

    def _table(self, places: np.ndarray, target: np.ndarray, smoothing: float | None) -> np.ndarray:
        from sklearn.preprocessing import TargetEncoder

        if not len(target):  # all rows are of one part: nothing is known without it
            return np.zeros(len(self.words) + 2)
        # As for a number: a class's 0 and 1 are smoothed the same, and one class alone is no error.
        encoder = TargetEncoder(
            target_type="continuous", smooth="auto" if smoothing is None else smoothing
        ).fit(places[:, None], target)
        table = np.full(len(self.words) + 2, float(encoder.target_mean_))
        table[encoder.categories_[0].astype(np.int64)] = encoder.encodings_[0]
        return table


def part_of(group: np.ndarray) -> np.ndarray:
    """0 to 4 for each group's hash; by digits that do not decide the side of the split."""
    return (np.floor(group * 2**40).astype(np.int64) % PARTS).astype(np.int64)
