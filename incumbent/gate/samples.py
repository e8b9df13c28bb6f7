"""Counts over a whole Parquet file, and rows spread evenly over it, by DuckDB: no frame of all rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.tables.columns import Kind

SAMPLE = 10_000
SKETCH = 32
"""Hashes that stand for a partition's content."""

HASHED = 250_000
"""Rows among which repetitions are counted, at least."""

HASHES = 2**64 - 1


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
    schema = pq.read_schema(path)
    cells, placed = _placed(schema.names)
    # The same number is one content, whether its column is of whole numbers or not.
    content = (
        f"CAST({cells[name]} AS DOUBLE)" if kind == "number" else cells[name]
        for name, kind in kinds.items()
        if name not in key
    )
    filled = (_filled(cells[name], pa.types.is_floating(schema.field(name).type)) for name in kinds)
    picked = (f"{cells[name]} := {cells[name]}" for name in sampled)
    rows = pq.read_metadata(path).num_rows
    scan = f"""
        CREATE TEMP TABLE scan AS SELECT
            [{", ".join(["count(*)", *filled])}] AS filled,
            list(h) FILTER (h <= {HASHES // max(1, rows // HASHED)}) AS hashes,
            list(row) FILTER (place % {-(-rows // SAMPLE) or 1} = 0) AS picked
        FROM (
            SELECT *, hash({", ".join(content)}) AS h, struct_pack({", ".join(picked)}) AS row
            FROM {placed}
        )
    """  # noqa: S608
    with _opened() as database:
        database.execute(scan, [str(path)])
        [(counted,)] = database.execute("SELECT filled FROM scan").fetchall()
        hashes = "SELECT count(*), count(DISTINCT h), min(h, ?) FROM (SELECT unnest(hashes) AS h FROM scan)"
        [(among, different, smallest)] = database.execute(hashes, [4 * SKETCH]).fetchall()
        sample = database.execute("SELECT unnest(picked, max_depth := 2) FROM scan").df()
    repeated = 1 - different / among if among else 0.0
    sketch = tuple(sorted({*(smallest or ())}))[:SKETCH]
    counts = Counts(counted[0], dict(zip(kinds, counted[1:], strict=True)), repeated, sketch)
    return counts, pd.DataFrame(sample.set_axis([*sampled], axis=1))


def _sample(database: Any, path: Path, names: Sequence[str], step: int) -> pd.DataFrame:
    cells, placed = _placed(pq.read_schema(path).names)
    picked = ", ".join(cells[name] for name in names)
    rows = database.execute(f"SELECT {picked} FROM {placed} WHERE place % {step} = 0", [str(path)])  # noqa: S608
    return pd.DataFrame(rows.df().set_axis([*names], axis=1))


def _placed(names: Sequence[str]) -> tuple[dict[str, str], str]:
    """What a file's columns are called in SQL, and the table of its rows, with the `place` of each from 0."""
    cells = {name: f"c{number}" for number, name in enumerate(names)}
    file = f"read_parquet(?, hive_partitioning = false) AS file({', '.join(cells.values())})"
    return cells, f"(SELECT *, row_number() OVER () - 1 AS place FROM {file})"  # noqa: S608


@contextmanager
def _opened() -> Iterator[Any]:
    import duckdb

    config = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as database:
        database.execute("SET enable_progress_bar = false")
        yield database


def _filled(cell: str, floating: bool) -> str:
    """NaN is empty, as pandas and Great Expectations see it."""
    return f"count({cell}) FILTER (NOT isnan({cell}))" if floating else f"count({cell})"
