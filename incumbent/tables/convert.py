"""Convert arriving files, Parquet, CSV or JSON Lines, to the Parquet of a partition.

Memory use follows a batch or a row group, not the file. The same bytes in give the same bytes out, so a file
delivered twice is one partition.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.atomic import atomic_write
from incumbent.tables.counts import COLUMNS_AT_ONCE
from incumbent.tables.delimited import BLANKS, layout_of, with_commas
from incumbent.tables.names import may_be_renamed, require_distinct
from incumbent.tables.text_kinds import ColumnNote, quoted, values_of

JSON_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson")
SUFFIXES = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", *JSON_SUFFIXES)
BATCH_ROWS = 65_536
BATCH_CELLS = 2**23  # a batch of a wide table has fewer rows
VECTOR = 2048  # rows; DuckDB's batches are multiples of it
HELD = "held"
MAX_ROWS = 100_000_000  # a footer of five megabytes can promise hundreds of millions of rows
MAX_COLUMNS = 10_000
MAX_NAME = 255
# One thread keeps the rows in order; extensions would be fetched from the network.
CONFIG: dict[str, Any] = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
JSON_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")

# Metadata of a Parquet field: its times had offsets and are in UTC now. It distinguishes them from times that
# were written without a zone.
UTC_TIMES = {b"incumbent.times": b"UTC"}


def stem_of(source: Path) -> str:
    """The file name without the suffix of its format: the partition's name."""
    suffix = next((each for each in SUFFIXES if source.name.lower().endswith(each)), source.suffix)
    return source.name[: -len(suffix)] if suffix else source.name


@dataclass(frozen=True)
class Rows:
    """A DuckDB relation, the table HELD if it is wide, and SQL for the value of each column.

    `notes`: remarks for the user; `zoned` are the columns whose times had offsets.
    """

    relation: Any
    values: dict[str, str]
    notes: tuple[ColumnNote, ...] = ()
    zoned: frozenset[str] = frozenset()

    def batches(self, database: Any) -> Iterator[pa.RecordBatch]:
        """Batches put together from groups of columns: one query for thousands of columns takes gigabytes."""
        columns = [f"{sql} AS v{number}" for number, sql in enumerate(self.values.values())]
        groups = [
            columns[start : start + COLUMNS_AT_ONCE] for start in range(0, len(columns), COLUMNS_AT_ONCE)
        ]
        # A connection reads one result at a time.
        tables = [self.relation] if len(groups) == 1 else [database.cursor().table(HELD) for _ in groups]
        rows = max(VECTOR, min(BATCH_ROWS, BATCH_CELLS // len(columns) // VECTOR * VECTOR))
        readers = [
            table.select(", ".join(group)).to_arrow_reader(rows)
            for table, group in zip(tables, groups, strict=True)
        ]
        for batches in zip(*readers, strict=True):
            yield self._named([column for batch in batches for column in batch.columns])

    def _named(self, columns: Sequence[pa.Array]) -> pa.RecordBatch:
        fields = [
            pa.field(name, column.type, metadata=UTC_TIMES if name in self.zoned else None)
            for name, column in zip(self.values, columns, strict=True)
        ]
        return pa.record_batch(columns, schema=pa.schema(fields))


def to_parquet(source: Path, target: Path, dataset: DatasetParams) -> tuple[ColumnNote, ...]:
    """Write the table as Parquet, whole or not at all; returns notes on how it was read.

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
        read = _json if name.endswith(JSON_SUFFIXES) else _delimited
        with TemporaryDirectory() as folder, _reading(source, Path(folder)) as database:
            rows = read(database, source, Path(folder), dataset)
            _write(rows.batches(database), part, source)
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


def _delimited(database: Any, source: Path, folder: Path, dataset: DatasetParams) -> Rows:
    """Read every cell as text. Without auto-detection DuckDB names the line that does not fit, instead of
    skipping it. It does not distinguish names by case, so its columns have numbers."""
    layout, file = layout_of(source), source
    _require_sane(layout.names, source)
    if layout.delimiter == BLANKS:
        file = folder / "commas.csv"
        with_commas(source, layout.names, file)
    fields = {name: f"c{number}" for number, name in enumerate(layout.names)}
    columns, delimiter = dict.fromkeys(fields.values(), "VARCHAR"), layout.delimiter or ","
    texts = database.sql(
        "FROM read_csv(?, columns = ?, delim = ?, header = true, quote = '\"', escape = '\"', nullstr = ?, "
        "auto_detect = false, strict_mode = true)",
        params=[str(file), columns, delimiter, list(MISSING)],
    )
    texts = _held(database, texts)
    read = values_of(texts, fields, dataset, str(source))
    return Rows(texts, read.sql, read.notes, read.zoned)


def _held(database: Any, rows: Any) -> Any:
    """The rows of a wide table, parsed: its columns are read in groups, and each group would otherwise parse
    all columns again."""
    if len(rows.columns) <= COLUMNS_AT_ONCE:
        return rows
    rows.create(HELD)
    return database.table(HELD)


def _json(database: Any, source: Path, _folder: Path, dataset: DatasetParams) -> Rows:
    """Numbers and booleans keep their type; texts are read like those of CSV."""
    # By default DuckDB reads objects with hundreds of similar fields as a single map column, and adds the
    # folders' columns, which are read_source's task.
    scan = (
        "FROM read_json(?, format = 'newline_delimited', hive_partitioning = false, sample_size = -1, "
        "map_inference_threshold = -1"
    )
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
        return Rows(_held(database, rows), values)
    cells = {name: f"CASE WHEN {quoted(name)} NOT IN {MISSING} THEN {quoted(name)} END" for name in texts}
    rows = rows.select(", ".join(f"{sql} AS {quoted(name)}" for name, sql in (values | cells).items()))
    rows = _held(database, rows)
    read = values_of(rows, texts, dataset, str(source))
    return Rows(rows, values | read.sql, read.notes, read.zoned)


def _json_type(whole: str, declared: str | None) -> str:
    """The type to read a column as in which DuckDB detected the type `whole`."""
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


@contextmanager
def _reading(source: Path, folder: Path) -> Iterator[Any]:
    """A separate DuckDB with bounded memory, which spills to the folder; its errors become ours."""
    import duckdb

    with duckdb.connect(folder / "held.duckdb", config=CONFIG) as database:
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
