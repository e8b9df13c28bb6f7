"""Keys of rows in one canonical form, whatever types a file's writer chose, with their hashes.

3 and a float column's 3.0 are one key, and so is a time in seconds, in nanoseconds, or in another zone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

EMPTY_WORD = np.uint64(0x7FF8_0000_0000_0000)  # the bits of NaN
EMPTY_TEXT = "\0"


@dataclass(frozen=True)
class Keys:
    """The key of every row that has one, in the order of `rows`, their positions, (n,) int64.

    `cells` has a column of uint64 or text for each column of the key; `hashes`, (n,) uint64, are equal where
    all cells are. As for Great Expectations, a row has no key if all of its cells are empty.
    """

    rows: np.ndarray
    cells: pd.DataFrame
    hashes: np.ndarray

    def at(self, chosen: np.ndarray) -> "Keys":
        """The keys selected by a mask of shape (n,)."""
        return Keys(self.rows[chosen], self.cells.loc[chosen], self.hashes[chosen])

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self.cells.itertuples(index=False, name=None)


def keys_of(table: pa.Table, key: Sequence[str]) -> Keys:
    """The keys of a table's rows; none if it lacks a column of the key."""
    if not set(key) <= set(table.column_names):
        return Keys(np.empty(0, np.int64), pd.DataFrame(), np.empty(0, np.uint64))
    columns = [table[name].combine_chunks() for name in key]
    filled = np.zeros(len(table), dtype=bool)
    for column in columns:
        filled |= ~_empty(column)
    cells = pd.DataFrame({number: _cells(column)[filled] for number, column in enumerate(columns)})
    hashes = pd.util.hash_pandas_object(cells, index=False).to_numpy()
    return Keys(np.flatnonzero(filled), cells, hashes)


def in_both(new: Keys, old: Keys) -> np.ndarray:
    """For each row of `new`, (n,) bool: is its key among the old? Cells are compared, not hashes."""
    maybe = np.isin(new.hashes, old.hashes)
    known = set(old.at(np.isin(old.hashes, new.hashes)))
    maybe[maybe] = [cells in known for cells in new.at(maybe)]
    return maybe


def _empty(column: pa.Array) -> np.ndarray:
    return np.asarray(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))


def _cells(column: pa.Array) -> np.ndarray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _cells(column.cast(kind.value_type))
    empty = _empty(column)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        words = column.cast(pa.uint64() if kind == pa.uint64() else pa.int64()).fill_null(0)
        return _words(np.asarray(words), empty)
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return _words(np.asarray(column.cast(pa.int64(), safe=False).fill_null(0)), empty)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _words(_of_floats(np.asarray(column.cast(pa.float64(), safe=False).fill_null(0.0))), empty)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        times = column.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.int64())
        return _words(np.asarray(times.fill_null(0)), empty)
    return column.cast(pa.string()).fill_null(EMPTY_TEXT).to_numpy(zero_copy_only=False)


def _words(numbers: np.ndarray, empty: np.ndarray) -> np.ndarray:
    return np.where(empty, EMPTY_WORD, np.ascontiguousarray(numbers).view(np.uint64))


def _of_floats(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers as the integers that they are, others by their bits; (n,) int64."""
    whole = (np.trunc(numbers) == numbers) & (np.abs(numbers) < 2.0**63)
    return np.where(whole, np.where(whole, numbers, 0).astype(np.int64), numbers.view(np.int64))
