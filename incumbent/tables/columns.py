"""Which columns a Parquet file has, from its footer alone, and how they differ from what is declared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.parquet import readable, schema_of

Kind = Literal["number", "text", "boolean", "time"]


@dataclass(frozen=True)
class ColumnDifference:
    """One column that is not as declared; `harmless` for one that is additional."""

    column: str
    text: str
    harmless: bool


def columns_of(path: Path) -> dict[str, Kind | None]:
    """Each column and its kind, in the file's order; None fits any kind: the column has no value.

    Raises BadData for a file that is not Parquet or a type that a table can't have.
    """
    fields = [(field.name, _kind(field, path)) for field in schema_of(path)]
    with readable(path):
        footer = pq.read_metadata(path)
    return {name: None if _is_empty(footer, number) else kind for number, (name, kind) in enumerate(fields)}


def _is_empty(footer: pq.FileMetaData, number: int) -> bool:
    """Do the statistics of a flat table's column show that no cell has a value?"""
    groups = map(footer.row_group, range(footer.num_row_groups))
    columns = ((group.num_rows, group.column(number).statistics) for group in groups)
    return all(statistics is not None and statistics.null_count == rows for rows, statistics in columns)


def column_differences(path: Path, dataset: DatasetParams) -> list[ColumnDifference]:
    """How the file differs from `dataset.columns`, whatever the order; empty when nothing is declared."""
    return list(_differences(columns_of(path), dataset)) if dataset.columns else []


def _differences(actual: dict[str, Kind | None], dataset: DatasetParams) -> Iterator[ColumnDifference]:
    for name, kind in dataset.columns.items():
        if name not in actual:
            yield ColumnDifference(name, f"declared as {kind}, and missing in the file", harmless=False)
        elif actual[name] not in (None, kind):
            yield ColumnDifference(
                name, f"declared as {kind}, and {actual[name]} in the file", harmless=False
            )
    for name in actual:
        if name not in dataset.columns:
            text = f"{actual[name] or 'empty'} in the file, and not declared in params.yaml: dataset.columns"
            yield ColumnDifference(name, text, harmless=True)


def _kind(field: pa.Field, path: Path) -> Kind | None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    types = pa.types
    if types.is_null(kind):
        return None
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "time"
    raise BadData(
        f"{path}: column '{field.name}' holds {field.type}, which no model reads; drop or convert it"
    )
