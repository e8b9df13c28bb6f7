"""Predictions of rows by models of a recipe that have not learned from them: the rows judge the recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.features.rows import Rows
from incumbent.tables.parquet import readable
from incumbent.tables.partitions import digest_of

SEED = "seed-"

MOST = 1_000_000
"""Predicted numbers that are kept, those of the latest partitions; 4 bytes each."""

MOST_A_PARTITION = 50_000
"""Rows of a partition that are kept; of more, every second, third and so on."""


@dataclass(frozen=True)
class OutOfSample:
    """partitions: md5 of their files (hex); part, number: (n,) int32, each row's index among them and its row
    number in the file; predictions: (seeds, n) or (seeds, n, classes) float32, calibrated."""

    partitions: tuple[str, ...]
    part: np.ndarray
    number: np.ndarray
    predictions: np.ndarray

    @staticmethod
    def of(paths: Sequence[Path], rows: Rows, held: np.ndarray, predictions: np.ndarray) -> "OutOfSample":
        """paths: those that `rows` were read from; held: (n,) numbers in `rows` of the predicted ones."""
        order = np.argsort(held, kind="stable")
        held, predictions = held[order], predictions[:, order]
        kept = _latest(rows.part[held], len(paths), predictions[0].size // max(1, len(held)))
        present, part = np.unique(rows.part[held][kept], return_inverse=True)
        return OutOfSample(
            tuple(digest_of(paths[number]) for number in present),
            part.astype(np.int32),
            rows.number[held][kept],
            predictions[:, kept].astype(np.float32),
        )

    @staticmethod
    def none() -> "OutOfSample":
        """Of a model that was made without."""
        empty = np.zeros(0, dtype=np.int32)
        return OutOfSample((), empty, empty, np.zeros((1, 0), dtype=np.float32))

    def in_partition(self, md5: str) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers in the file, (n,), and predictions, (seeds, n) or (seeds, n, classes) float64."""
        if md5 not in self.partitions:
            return self.number[:0], self.predictions[:, :0].astype(float)
        chosen = self.part == self.partitions.index(md5)
        return self.number[chosen], self.predictions[:, chosen].astype(float)

    def and_of(self, earlier: "OutOfSample") -> "OutOfSample":
        """With an earlier version's predictions of the partitions that this one has none of; without them
        where that one had another number of seeds."""
        if len(self.predictions) != len(earlier.predictions) or not len(earlier.number):
            return self
        if not len(self.number):
            return earlier
        added = ~np.isin(earlier.partitions, self.partitions)[earlier.part]
        return OutOfSample(
            (*self.partitions, *earlier.partitions),
            np.concatenate([self.part, earlier.part[added] + np.int32(len(self.partitions))]),
            np.concatenate([self.number, earlier.number[added]]),
            np.concatenate([self.predictions, earlier.predictions[:, added]], axis=1),
        )

    def save(self, path: Path) -> None:
        """As Parquet: the columns `partition`, `number` and one for each seed."""
        names = pa.DictionaryArray.from_arrays(pa.array(self.part), pa.array(self.partitions, pa.string()))
        seeds = {f"{SEED}{seed}": _column(each) for seed, each in enumerate(self.predictions)}
        pq.write_table(pa.table({"partition": names, "number": self.number, **seeds}), path)

    @staticmethod
    def load(path: Path) -> "OutOfSample":
        """None's for a missing file: versions of earlier releases have none."""
        if not path.exists():
            return OutOfSample.none()
        with readable(path):
            table = pq.read_table(path, read_dictionary=["partition"]).combine_chunks()
        names = table["partition"].combine_chunks()
        seeds = [_numbers(table[name]) for name in table.column_names if name.startswith(SEED)]
        return OutOfSample(
            tuple(names.dictionary.to_pylist()),
            names.indices.to_numpy(zero_copy_only=False).astype(np.int32),
            table["number"].to_numpy(),
            np.stack(seeds),
        )


def _column(predictions: np.ndarray) -> pa.Array:
    """(n,) or (n, classes) -> numbers, or lists of them."""
    if predictions.ndim == 1:
        return pa.array(predictions)
    return pa.FixedSizeListArray.from_arrays(pa.array(predictions.ravel()), predictions.shape[1])


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)


def _latest(part: np.ndarray, partitions: int, width: int) -> np.ndarray:
    """Positions of the rows to keep, ascending. width: predicted numbers a row."""
    left, kept = MOST // max(1, width), []
    for number in reversed(range(partitions)):
        there = np.flatnonzero(part == number)
        there = there[:: max(1, -(-len(there) // MOST_A_PARTITION))]
        if len(there) > left:
            break
        left -= len(there)
        kept.append(there)
    return np.concatenate(kept[::-1]) if kept else np.zeros(0, dtype=np.intp)
