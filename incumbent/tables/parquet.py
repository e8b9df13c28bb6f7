"""A partition's Parquet file: its schema and its rows, or an error that names the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.tables.recent_frames import RecentFrames

RECENT = RecentFrames(32 * 2**20)
"""Of the partitions read last: a run whose rows are few reads them once, more are read by each step."""


def read_partition(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One Parquet file, or some columns of it, as a frame. Raises BadData for an empty file or no Parquet."""
    _require_bytes(path)
    if columns is None:
        return RECENT.read(path, partial(_read, path))
    whole = RECENT.kept(path)
    if whole is None or not {*columns} <= {*whole}:
        return _read(path, columns)
    return whole[list(columns)]


def _read(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    with readable(path):
        # Without pandas' own metadata: a damaged one fails in many ways, and it hides index columns.
        names = None if columns is None else list(columns)
        table = pq.read_table(path, columns=names, pre_buffer=False).replace_schema_metadata(None)
        # Each column's Arrow memory goes as soon as pandas has it, and back to the system.
        frame = table.to_pandas(split_blocks=True, self_destruct=True)
    del table
    pa.default_memory_pool().release_unused()
    if frame.empty:
        raise BadData(f"{path} has columns but no rows")
    return frame


def first_rows(path: Path, most: int) -> pd.DataFrame:
    """The first rows of a file that has some. Raises BadData as read_partition."""
    _require_bytes(path)
    if (whole := RECENT.kept(path)) is not None:
        return whole.head(most)
    with readable(path), pq.ParquetFile(path, pre_buffer=False) as file:
        batch = next(file.iter_batches(batch_size=most))
        return pa.Table.from_batches([batch]).replace_schema_metadata(None).to_pandas()


def schema_of(path: Path) -> pa.Schema:
    """As the footer has it. Raises BadData for a file that is not Parquet."""
    with readable(path):
        return pq.read_schema(path)


def _require_bytes(path: Path) -> None:
    if not path.is_file():
        raise BadData(f"no such file: {path}")
    if path.stat().st_size == 0:
        raise BadData(f"{path} is empty (0 bytes)")


def columns_of(path: Path) -> list[str]:
    """Names, as the footer has them. Raises BadData for a file that is not Parquet."""
    return list(schema_of(path).names)


def rows_of(path: Path) -> int:
    """Number of rows, as the footer has it. Raises BadData as read_partition."""
    _require_bytes(path)
    with readable(path):
        return int(pq.read_metadata(path).num_rows)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises BadData if reading the Parquet file fails in the block."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise BadData(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
