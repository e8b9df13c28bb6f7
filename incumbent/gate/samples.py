"""Counts over a whole Parquet file, and rows spread evenly over it, by DuckDB: no frame of all rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from incumbent.tables.columns import Kind

SAMPLE = 10_000
SKETCH = 32
"""Hashes that stand for a partition's content."""

HASHED = 250_000
"""Rows among which repetitions are counted, at least."""

HASHES = 2**64 - 1
SOURCE = "read_parquet(?, hive_partitioning = false, file_row_number = true)"


def even_sample(paths: Sequence[Path], names: Sequence[str], most: int) -> pd.DataFrame:
    """At most about so many rows of each Parquet file, spread evenly; the others are not kept in memory."""
    with _opened() as database:
        steps = (-(-pq.read_metadata(path).num_rows // most) or 1 for path in paths)
        parts = [_sample(database, path, names, step) for path, step in zip(paths, steps, strict=True)]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Counts:
    """Of all rows. filled: cells by column; repeated: the share of rows that repeat another's; smallest:
    of the contents' hashes."""

    rows: int
    filled: Mapping[str, int]
    repeated: float
    smallest: tuple[int, ...]


def counts_and_sample(
    path: Path, kinds: Mapping[str, Kind | None], sampled: Sequence[str], key: Collection[str] = ()
) -> tuple[Counts, pd.DataFrame]:
    """The counts of the columns of `kinds`, and the sample. A row's content is without the key. Repetitions
    are counted among the smallest hashes: equal rows share one."""
    numbers = [kind == "number" for kind in kinds.values()]
    # The same number is one content, whether its column is of whole numbers or not.
    cells = {
        name: f"CAST({_quoted(name)} AS DOUBLE)" if number else _quoted(name)
        for name, number in zip(kinds, numbers, strict=True)
    }
    filled = ", ".join(["count(*)", *map(_filled, cells.values(), numbers)])
    hashed = ", ".join(cell for name, cell in cells.items() if name not in key)
    largest = HASHES // max(1, pq.read_metadata(path).num_rows // HASHED)
    content = (
        f"SELECT count(*), count(DISTINCT h), min(h, {4 * SKETCH}) "  # noqa: S608
        f"FROM (SELECT hash({hashed}) AS h FROM {SOURCE}) WHERE h <= {largest}"
    )
    with _opened() as database:
        [(rows, *each)] = database.execute(f"SELECT {filled} FROM {SOURCE}", [str(path)]).fetchall()  # noqa: S608
        [(among, different, smallest)] = database.execute(content, [str(path)]).fetchall()
        sample = _sample(database, path, sampled, -(-rows // SAMPLE) or 1)
    repeated = 1 - different / among if among else 0.0
    sketch = tuple(sorted({*(smallest or ())}))[:SKETCH]
    return Counts(rows, dict(zip(kinds, each, strict=True)), repeated, sketch), sample


def _sample(database: Any, path: Path, names: Sequence[str], step: int) -> pd.DataFrame:
    cells = ", ".join(map(_quoted, names))
    rows = database.execute(f"SELECT {cells} FROM {SOURCE} WHERE file_row_number % {step} = 0", [str(path)])  # noqa: S608
    return pd.DataFrame(rows.df())


@contextmanager
def _opened() -> Iterator[Any]:
    import duckdb

    config = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as database:
        database.execute("SET enable_progress_bar = false")
        yield database


def _filled(cell: str, number: bool) -> str:
    """NaN is empty, as pandas and Great Expectations see it."""
    return f"count({cell}) FILTER (NOT isnan({cell}))" if number else f"count({cell})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
