"""A uniform sample of rows that can be merged: a version's is made of its parent's and the new rows."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from incumbent.features.derive import with_added
from incumbent.params import Params


class Sample:
    """The sample of training rows that are added file by file, `size` rows at most, merged into `start`.

    The rows keep the columns that need all rows of a file: see Derivation.added.
    """

    def __init__(self, params: Params, start: pd.DataFrame | None = None, size: int | None = None) -> None:
        self._params, self._kept = params, start
        self._size = params.retrain.replay if size is None else size

    def add(self, frame: pd.DataFrame) -> None:
        """Add the training rows of a file; those that can't be in the sample are not copied."""
        frame, kept, size = with_added(frame, self._params), self._kept, self._size
        if kept is None:
            self._kept = sample([frame], size)
            return
        if len(kept) == size > 0 and kept.dtypes.equals(
            frame.dtypes
        ):  # other types hash differently together
            frame = frame[row_hashes(frame) <= row_hashes(kept).max()]
        self._kept = sample([kept, frame], size)

    def added(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Pass the frames on, and add each of them."""
        for frame in frames:
            yield frame  # first, as who takes it may refuse it
            self.add(frame)
            del frame  # the next is made before the name is bound to it: two would be in memory

    @property
    def rows(self) -> pd.DataFrame:
        """The sample of all rows so far."""
        return pd.DataFrame() if self._kept is None else self._kept


def sample(parts: Sequence[pd.DataFrame], size: int) -> pd.DataFrame:
    """A uniform sample that can be merged: the `size` rows with the smallest hash (bottom-k sketch).

    sample([sample([a], k), b], k) has the same rows as sample([a, b], k). So a version's sample is made of
    its parent's sample and the new rows, without reading history.
    """
    pool = pd.concat(parts, ignore_index=True)
    order = np.argsort(row_hashes(pool), kind="stable")
    return pool.iloc[order[:size]].reset_index(drop=True)


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """A hash of each row's values, (n,) uint64; equal rows have equal ones."""
    # Hash numbers as floats: a column is of integers until its first empty cell.
    numbers = frame.select_dtypes("number").columns
    hashes = pd.util.hash_pandas_object(frame.astype(dict.fromkeys(numbers, "float64")), index=False)
    return hashes.to_numpy()
