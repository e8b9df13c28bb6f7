"""Tables as files come, Parquet, CSV or JSON Lines, to the Parquet that a partition is.

Memory follows a batch or a row group, never the file. The same bytes in give the same bytes out, so a file
that is delivered twice is one partition.
"""

import csv
import gzip
import os
import shutil
import unicodedata
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.params import DatasetParams

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson")
BATCH_ROWS = 65_536
MAX_ROWS = 100_000_000  # a footer of five megabytes can promise hundreds of millions of rows
MAX_COLUMNS = 10_000
MAX_NAME = 255
# One thread keeps the rows in order; extensions would be fetched from the network.
CONFIG: dict[str, Any] = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
DELIMITERS = ",;\t|"
ZONED = "zoned"
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")

Period = Literal["month", "day"]
FORMATS: dict[Period, str] = {"month": "%Y-%m", "day": "%Y-%m-%d"}
# What a text is read as, where params.yaml declares the column's kind. A number is always a double: a column
# of whole numbers gets its first empty cell or fraction some day, and its type may not change by that.
TYPES = {"number": "DOUBLE", "text": "VARCHAR", "boolean": "BOOLEAN", "time": "TIMESTAMP"}


def stem_of(source: Path) -> str:
    """The name without what tells the format: the partition's name."""
    suffix = next((each for each in SUFFIXES if source.name.lower().endswith(each)), source.suffix)
    return source.name[: -len(suffix)] if suffix else source.name


def to_parquet(source: Path, target: Path, dataset: DatasetParams) -> None:
    """Write the table as Parquet, whole or not at all.

    A Parquet file keeps its bytes, after every page of it was decoded once. Columns of CSV and JSON get the
    types that `dataset.columns` declares, else those that fit all of their values. Raises BadData, naming
    the file and the place, for whatever can't be read as a table with rows and distinct column names.
    """
    name = source.name.lower()
    if not source.is_file():
        raise BadData(f"no such file: {source}")
    if source.stat().st_size == 0:
        raise BadData(f"{source} is empty (0 bytes)")
    with _whole_or_not(target) as part:
        if name.endswith(".parquet"):
            check_parquet(source)
            shutil.copyfile(source, part)
        elif name.endswith((".csv", ".csv.gz")):
            _write(_csv(source, dataset), part, source)
        elif name.endswith((".jsonl", ".jsonl.gz", ".ndjson")):
            _write(_json(source, dataset), part, source)
        else:
            raise BadData(f"{source} is of no known format; a file may end with {', '.join(SUFFIXES)}")


def check_parquet(path: Path) -> None:
    """Decode every page, row group by row group. Raises BadData for a file that is no table."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _require_sane(file.schema_arrow.names, path)
            _require_flat(file.schema_arrow, path)
            rows = file.metadata.num_rows
            if rows > MAX_ROWS:
                raise BadData(f"{path} promises {rows:,} rows, more than {MAX_ROWS:,}; split it")
            if rows == 0:
                raise BadData(f"{path} has columns but no rows")
            for _ in file.iter_batches(batch_size=BATCH_ROWS):
                pass
    except (pa.ArrowException, OSError) as error:
        raise BadData(f"{path} is not a readable Parquet file: {_first_line(error)}") from error


def partition_by(path: Path, folder: Path, time: str, period: Period) -> list[Path]:
    """Split a Parquet file by the time column: 2026-03.parquet or 2026-03-31.parquet; paths in order.

    Rows keep their order; zoned times are taken in UTC. Raises BadData for a row without a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for name, rows in _by_period(pa.table(batch), path, time, period):
                    if name not in writers:
                        writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", rows.schema)
                    writers[name].write_table(rows)
    finally:
        for writer in writers.values():
            writer.close()
    return [folder / f"{name}.parquet" for name in sorted(writers)]


def _by_period(table: pa.Table, path: Path, time: str, period: Period) -> Iterator[tuple[str, pa.Table]]:
    names = pc.strftime(_times(table, path, time), format=FORMATS[period])
    for name in pc.unique(names).to_pylist():
        yield name, table.filter(pc.equal(names, name))


def _times(table: pa.Table, path: Path, time: str) -> Any:
    if time not in table.column_names:
        raise BadData(f"{path.name} has no column '{time}'; it has {sorted(table.column_names)}")
    column = table[time]
    if column.null_count:
        raise BadData(f"column '{time}' of {path.name} is empty in {column.null_count:,} rows; fill it")
    if pa.types.is_temporal(column.type):
        return column.cast(pa.timestamp("us"))
    try:
        return column.cast(pa.string()).cast(pa.timestamp("us"))
    except pa.ArrowException as error:
        raise BadData(
            f"column '{time}' of {path.name} holds {column[0].as_py()!r}, which is no time; use ISO 8601, "
            "such as 2026-03-31 14:00"
        ) from error


def _csv(source: Path, dataset: DatasetParams) -> Iterator[pa.RecordBatch]:
    """Two passes: which types fit every value of the file, then its rows in these types."""
    names, delimiter = _header(source)
    with _reading(source) as database:
        texts = _scan(database, source, delimiter, dict.fromkeys(names, "VARCHAR"))
        types = _fitting(texts, names, source)
        zoned = [name for name in names if types[name] == ZONED]
        declared = {n: TYPES[k] for n, k in dataset.columns.items() if n in names and n not in zoned}
        found = _scan(database, source, delimiter, types | dict.fromkeys(zoned, "VARCHAR") | declared)
        for batch in found.to_arrow_reader(BATCH_ROWS):
            yield _in_utc(batch, zoned)


def _scan(database: Any, source: Path, delimiter: str, types: dict[str, str]) -> Any:
    # Told everything, DuckDB names the line of what does not fit; its detection would pass over it.
    return database.sql(
        "FROM read_csv(?, columns = ?, delim = ?, header = true, quote = '\"', escape = '\"', nullstr = ?, "
        "auto_detect = false, strict_mode = true)",
        params=[str(source), types, delimiter, list(MISSING)],
    )


def _fitting(texts: Any, names: Sequence[str], source: Path) -> dict[str, str]:
    """The narrowest type for each column that all of its values have."""
    tests = {
        # The cast alone would round a fraction.
        "BIGINT": "translate({0}, '+-0123456789', '') = '' AND TRY_CAST({0} AS BIGINT) IS NOT NULL",
        # Longer than an integer can be: digits that a float would lose. They are a name, not a quantity.
        "DIGITS": "translate({0}, '+-0123456789', '') = ''",
        "DOUBLE": "TRY_CAST({0} AS DOUBLE) IS NOT NULL",
        "BOOLEAN": "lower({0}) IN ('true', 'false')",
        "TIMESTAMP": "TRY_CAST({0} AS TIMESTAMP) IS NOT NULL",
        # DuckDB would drop the zone in silence; Arrow reads it.
        "ZONELESS": "NOT (suffix({0}, 'Z') OR substr({0}, -6, 1) IN ('+', '-') AND substr({0}, -3, 1) = ':')",
        "NUL": "NOT contains({0}, chr(0))",
    }
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    checks = [f"coalesce(bool_and({test.format(name)}), true)" for name in quoted for test in tests.values()]
    [answered] = texts.aggregate(", ".join(checks)).fetchall()
    answers = iter(answered)
    types = {}
    for name in names:
        fits = {test for test in tests if next(answers)}
        if "NUL" not in fits:
            raise BadData(f"{source}: column '{name}' holds NUL characters; the file is damaged or no text")
        wide = "DIGITS" in fits and "BIGINT" not in fits
        chosen = next((t for t in ("BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP") if t in fits), "VARCHAR")
        types[name] = "VARCHAR" if wide else chosen
        if chosen == "TIMESTAMP" and "ZONELESS" not in fits:
            types[name] = ZONED
    return types


def _in_utc(batch: pa.RecordBatch, zoned: Sequence[str]) -> pa.RecordBatch:
    for name in zoned:
        times = batch[name].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
        batch = batch.set_column(batch.schema.get_field_index(name), name, times)
    return batch


def _json(source: Path, _dataset: DatasetParams) -> Iterator[pa.RecordBatch]:
    with _reading(source) as database:
        found = database.sql(
            "FROM read_json(?, format = 'newline_delimited', sample_size = -1)", params=[str(source)]
        )
        yield from found.to_arrow_reader(BATCH_ROWS)


def _header(source: Path) -> tuple[list[str], str]:
    """The column names and what separates them; one without a name, as of an index, gets its place."""
    opened = gzip.open if source.name.lower().endswith(".gz") else open
    try:
        with opened(source, "rt", encoding="utf-8-sig", newline="") as stream:
            line = stream.readline()
            stream.seek(0)
            delimiter = max(DELIMITERS, key=line.count)
            first = next(csv.reader(stream, delimiter=delimiter), [])
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, csv.Error) as error:
        raise BadData(f"{source} can't be read as CSV in UTF-8: {error}") from error
    if not any(first):
        raise BadData(f"{source} has no line with column names")
    names = [name.strip() or f"column{place}" for place, name in enumerate(first)]
    _require_sane(names, source)
    return names, delimiter


@contextmanager
def _reading(source: Path) -> Iterator[Any]:
    """A DuckDB of its own, bounded in memory, with its errors as ours."""
    import duckdb

    with duckdb.connect(config=CONFIG) as database:
        database.execute("SET enable_progress_bar = false")
        try:
            yield database
        except (duckdb.Error, pa.ArrowException) as error:
            raise BadData(f"{source} can't be read: {_first_lines(error)}") from error


def _write(batches: Iterable[pa.RecordBatch], part: Path, source: Path) -> None:
    writer, rows = None, 0
    try:
        for batch in batches:
            if writer is None:
                _require_sane(batch.schema.names, source)
                _require_flat(batch.schema, source)
                writer = pq.ParquetWriter(part, batch.schema)
            writer.write_batch(batch)
            rows += batch.num_rows
    finally:
        if writer is not None:
            writer.close()
    if rows == 0:
        raise BadData(f"{source} has columns but no rows")


def _require_sane(names: Sequence[str], source: Path) -> None:
    if len(names) > MAX_COLUMNS:
        raise BadData(f"{source} has {len(names):,} columns; {MAX_COLUMNS:,} are allowed")
    for name in names:
        if len(name) > MAX_NAME:
            raise BadData(
                f"{source}: the column name '{name[:40]}…' has {len(name)} characters of {MAX_NAME}"
            )
    counts = Counter(unicodedata.normalize("NFC", name) for name in names)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise BadData(f"{source} has the column name {twice[0]!r} twice (names that look alike are one)")


def _require_flat(schema: pa.Schema, source: Path) -> None:
    for field in schema:
        if pa.types.is_nested(field.type):
            raise BadData(f"{source}: column '{field.name}' holds {field.type}; a table has one value a cell")


@contextmanager
def _whole_or_not(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _first_lines(error: BaseException) -> str:
    """DuckDB names the line and its content first, and then explains its own options."""
    return " ".join(line.strip() for line in str(error).splitlines()[:3] if "LINE 1:" not in line)
