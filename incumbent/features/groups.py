"""Shares of rows by whole groups of split.by: the groups of a share are those with the smallest numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from incumbent.features.sample import row_hashes
from incumbent.tables.split import as_text, require_columns


class Groups:
    """Numbers groups and rows, uniformly in [0, 1), and counts the groups' rows, a partition at a time.

    by: the columns of split.by; without any each distinct row is a group. seed: another one gives other
    numbers.
    """

    def __init__(self, by: Sequence[str], seed: int) -> None:
        self._by, self._shift = list(by), float(np.random.default_rng(seed).random())
        self._numbers, self._sizes = np.zeros(0), np.zeros(0, dtype=np.int64)

    def numbers(self, frame: pd.DataFrame) -> np.ndarray:
        """The number of each row's group, (n,) float64."""
        if not self._by:
            return self.row_numbers(frame)
        return self._numbers_of(_alike(frame, self._by))

    def row_numbers(self, frame: pd.DataFrame) -> np.ndarray:
        """A number for each row, (n,) float64, that follows from its values."""
        return self._numbers_of(frame)

    def _numbers_of(self, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray((row_hashes(frame) / 2.0**64 + self._shift) % 1.0)

    def count(self, numbers: np.ndarray) -> None:
        """Count these rows; not needed without `by`, where shares of groups are shares of rows."""
        if not self._by:
            return
        unique, sizes = np.unique(numbers, return_counts=True)
        merged, place = np.unique(np.concatenate([self._numbers, unique]), return_inverse=True)
        counted = np.bincount(place, np.concatenate([self._sizes, sizes]))
        self._numbers, self._sizes = merged, counted.astype(np.int64)

    def below(self, share: float, fewest: int = 0) -> float:
        """The number below which groups have this share of all rows, or the first group alone if it has more;
        at least `fewest` groups are below it."""
        if not self._by:
            return 1.0 if fewest else share
        within = np.cumsum(self._sizes) <= share * self._sizes.sum()
        last = max(int(within.sum()), fewest, 1)
        return 1.0 if last >= len(self._numbers) else float(self._numbers[last])

    def share_below(self, number: float) -> float:
        """The share of all rows whose group has a smaller number."""
        if not self._by:
            return number
        return float(self._sizes[self._numbers < number].sum() / max(1, self._sizes.sum()))


def _alike(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The columns `by`, of the same type in every file. Raises BadData when one is missing."""
    require_columns(frame, by)
    return pd.DataFrame({name: _of_one_type(frame[name]) for name in by})


def _of_one_type(column: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.as_unit("ns")
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool
    return column if is_number else as_text(column)
