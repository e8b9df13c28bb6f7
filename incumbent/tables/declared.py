"""A table that was read before its columns' kinds were known, in the types that a declared kind gives them.

`ingest` reads by the kinds that `init` declares: the same file must then become the same bytes.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.tables.atomic import atomic_write
from incumbent.tables.columns import Kind, columns_of
from incumbent.tables.parquet import readable, schema_of
from incumbent.tables.sources import Source

TYPES: dict[Kind, pa.DataType] = {
    "number": pa.float64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us"),
}
"""As text_kinds.TYPES in SQL."""


MOST_EXACT = 2**53
"""A double holds each whole number up to this one."""


def as_declared(source: Source, table: Path, declared: Mapping[str, Kind]) -> None:
    """Write the Parquet file that read_source made of a source anew, with the bytes that it makes where the
    columns are `declared`; nothing is done where it has them.

    What differs is the type of whole numbers, and of columns without any value. Columns of the source's own
    Parquet stay as they are.
    """
    kinds, texts = columns_of(table), read_as_text(source, table)
    with pq.ParquetFile(table) as file:
        schema = file.schema_arrow
        for place, field in enumerate(schema):
            kind = declared.get(field.name) if field.name in texts else None
            if kind is not None and (kinds[field.name] is None or pa.types.is_integer(field.type)):
                schema = schema.set(place, field.with_type(TYPES[kind]))
        if schema == file.schema_arrow:
            return
        with atomic_write(table) as part, pq.ParquetWriter(part, schema) as writer:
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group).cast(schema))


def read_as_text(source: Source, table: Path) -> set[str]:
    """The columns of the table whose cells to_parquet gave their types; a Parquet file has its own."""
    names = {*schema_of(table).names}
    return names - {*schema_of(source.path).names} if source.is_parquet else names


def too_long_for_a_number(source: Source, table: Path) -> set[str]:
    """Columns of whole numbers read as text, of which a double would lose digits: they are names."""
    texts = read_as_text(source, table)
    with readable(table):
        footer = pq.read_metadata(table)
    return {
        field.name
        for place, field in enumerate(schema_of(table))
        if field.name in texts and pa.types.is_integer(field.type) and _largest(footer, place) > MOST_EXACT
    }


def _largest(footer: pq.FileMetaData, place: int) -> int:
    groups = (footer.row_group(group).column(place).statistics for group in range(footer.num_row_groups))
    limits = (end for each in groups if each and each.has_min_max for end in (each.min, each.max))
    return max(map(abs, limits), default=0)
