"""Tables as files come, Parquet, CSV or JSON Lines, to the Parquet that a partition is.

Memory follows a batch or a row group, never the file. The same bytes in give the same bytes out, so a file
that is delivered twice is one partition.
"""

import csv
import gzip
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.atomic import atomic_write
from incumbent.tables.counts import COLUMNS_AT_ONCE
from incumbent.tables.names import may_be_renamed, require_distinct
from incumbent.tables.text_kinds import ColumnNote, quoted, values_of

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson")
BATCH_ROWS = 65_536
MAX_ROWS = 100_000_000  # a footer of five megabytes can promise hundreds of millions of rows
MAX_COLUMNS = 10_000
HELD_BYTES = 64 * 1024**2  # a wide file up to this size is parsed once and kept in memory
MAX_NAME = 255
# One thread keeps the rows in order; extensions would be fetched from the network.
CONFIG: dict[str, Any] = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
DELIMITERS = ",;\t|"
JSON_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")

# Of a Parquet field: its times had offsets and are in UTC now. Without it nobody could tell them from times
# that were written without a zone.
UTC_TIMES = {b"incumbent.times": b"UTC"}


def stem_of(source: Path) -> str:
    """The name without what tells the format: the partition's name."""
    suffix = next((each for each in SUFFIXES if source.name.lower().endswith(each)), source.suffix)
    return source.name[: -len(suffix)] if suffix else source.name


@dataclass(frozen=True)
class Rows:
    """A DuckDB relation, SQL for the value of each column, and what a person should know of them.

    `zoned` are the columns whose times had offsets.
    """

    relation: Any
    values: dict[str, str]
    notes: tuple[ColumnNote, ...] = ()
    zoned: frozenset[str] = frozenset()

    def batches(self) -> Iterator[pa.RecordBatch]:
        values = ", ".join(f"{sql} AS v{number}" for number, sql in enumerate(self.values.values()))
        for batch in self.relation.select(values).to_arrow_reader(BATCH_ROWS):
            fields = [
                pa.field(name, field.type, metadata=UTC_TIMES if name in self.zoned else None)
                for name, field in zip(self.values, batch.schema, strict=True)
            ]
            yield pa.record_batch(batch.columns, schema=pa.schema(fields))


def to_parquet(source: Path, target: Path, dataset: DatasetParams) -> tuple[ColumnNote, ...]:
    """Write the table as Parquet, whole or not at all; what a person should know of how it was read.

    A Parquet file keeps its bytes, after every page of it was decoded once. Columns of CSV and JSON get the
    types that `dataset.columns` declares, else those that fit all of their values. Raises BadData, naming
    the file and the place, for whatever can't be read as a table with rows and distinct column names.
    """
    name = source.name.lower()
    if not source.is_file():
        raise BadData(f"no such file: {source}")
    if source.stat().st_size == 0:
        raise BadData(f"{source} is empty (0 bytes)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as part:
        if name.endswith(".parquet"):
            check_parquet(source)
            shutil.copyfile(source, part)
            return ()
        if not name.endswith(SUFFIXES):
            raise BadData(f"{source} is of no known format; a file may end with {', '.join(SUFFIXES)}")
        read = _csv if name.endswith((".csv", ".csv.gz")) else _json
        with _reading(source) as database:
            rows = read(database, source, dataset)
            _write(rows.batches(), part, source)
        return rows.notes


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


def _csv(database: Any, source: Path, dataset: DatasetParams) -> Rows:
    """Every cell as text. Told everything, DuckDB names the line of what does not fit; its detection would
    pass over it. It takes names that differ in case for one, so its columns have numbers."""
    names, delimiter = _header(source)
    fields = {name: f"c{number}" for number, name in enumerate(names)}
    texts = database.sql(
        "FROM read_csv(?, columns = ?, delim = ?, header = true, quote = '\"', escape = '\"', nullstr = ?, "
        "auto_detect = false, strict_mode = true)",
        params=[str(source), dict.fromkeys(fields.values(), "VARCHAR"), delimiter, list(MISSING)],
    )
    plain = source.name.lower().endswith(".csv")  # nobody knows how much a compressed one holds
    if plain and len(names) > COLUMNS_AT_ONCE and source.stat().st_size <= HELD_BYTES:
        # Its columns are looked at in groups, and each group would parse all the others again.
        texts.create("texts")
        texts = database.table("texts")
    read = values_of(texts, fields, dataset, str(source))
    return Rows(texts, read.sql, read.notes, read.zoned)


def _json(database: Any, source: Path, dataset: DatasetParams) -> Rows:
    """Numbers and truth values are what they are; texts are read as those of CSV."""
    scan = "FROM read_json(?, format = 'newline_delimited', sample_size = -1"
    whole = database.sql(scan + ")", params=[str(source)])
    if may_be_renamed(whole.columns):
        require_distinct(_json_names(database, source), source)
    _require_sane(whole.columns, source)
    types = {
        name: _json_type(str(kind), "time" if name == dataset.time else dataset.columns.get(name))
        for name, kind in zip(whole.columns, whole.types, strict=True)
    }
    rows = database.sql(scan + ", columns = ?)", params=[str(source), types])
    values = {name: quoted(name) for name in types}
    texts = {name: name for name, kind in types.items() if kind == "VARCHAR"}
    if not texts:
        return Rows(rows, values)
    cells = {name: f"CASE WHEN {quoted(name)} NOT IN {MISSING} THEN {quoted(name)} END" for name in texts}
    rows = rows.select(", ".join(f"{sql} AS {quoted(name)}" for name, sql in (values | cells).items()))
    read = values_of(rows, texts, dataset, str(source))
    return Rows(rows, values | read.sql, read.notes, read.zoned)


def _json_type(whole: str, declared: str | None) -> str:
    """As what DuckDB shall read a column in which it saw this type."""
    if whole.startswith(("STRUCT", "MAP")) or whole.endswith("]"):
        return whole  # which is refused
    if declared in ("text", "time"):
        return "VARCHAR"
    if whole in JSON_NUMBERS:
        return "DOUBLE" if declared == "number" else whole
    return whole if whole == "BOOLEAN" else "VARCHAR"


def _json_names(database: Any, source: Path) -> list[str]:
    """The names as the objects have them; DuckDB has renamed those that differ by case."""
    names = database.sql(
        "SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects(?, format = 'newline_delimited') "
        "ORDER BY 1",
        params=[str(source)],
    )
    return [name for (name,) in names.fetchall()]


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
    require_distinct(names, source)


def _require_flat(schema: pa.Schema, source: Path) -> None:
    for field in schema:
        if pa.types.is_nested(field.type):
            raise BadData(f"{source}: column '{field.name}' holds {field.type}; a table has one value a cell")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _first_lines(error: BaseException) -> str:
    """DuckDB names the line and its content first, and then explains its own options."""
    return " ".join(line.strip() for line in str(error).splitlines()[:3] if "LINE 1:" not in line)
