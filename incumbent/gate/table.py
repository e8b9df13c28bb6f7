"""A partition's columns, as DuckDB reads them and as pandas would show them."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.tables.parquet import read_partition

Metrics = dict[str, Any]
Arguments = Mapping[str, Any]
Answers = Mapping[Any, Any]
"""By what was asked: Ask or Different."""
Kind = Literal["text", "whole", "float", "boolean", "time", "zoned", "other", "unknown"]
COMPARABLE: tuple[Kind, ...] = ("text", "whole", "float", "boolean", "time", "zoned")


FEW = 2.0
"""Bytes for a cell: a column with less has a dictionary of at most 65,536 values in each row group."""


MANY_ROWS = 500_000
"""Of fewer rows a query of its own for each column takes longer than to judge every cell."""


class NeedsPandas(Exception):
    """Pandas may read this differently from DuckDB."""


@dataclass(frozen=True)
class Column:
    """`sql` names its cells in DuckDB; `dtype` is that of a pandas column without empty cells; few: there are
    so few different values that it pays to judge each once."""

    name: str
    kind: Kind
    dtype: Any
    sql: str
    few: bool = False

    @property
    def cells(self) -> str:
        """The cells as pandas reads them: NaN is empty."""
        if self.kind != "float":
            return self.sql
        return f"nullif(CAST({self.sql} AS DOUBLE), CAST('nan' AS DOUBLE)) AS {self.sql}"

    def count(self, condition: str) -> "Ask":
        """The number of its cells of which this is true."""
        return ByValue(self.sql, condition) if self.few else f"count(*) FILTER ({condition})"

    @property
    def filled(self) -> "Ask":
        return self.count(f"{self.sql} IS NOT NULL")

    @property
    def different(self) -> "Different":
        return Different((self.sql,), self.filled, f"{self.sql} IS NOT NULL")


@dataclass(frozen=True)
class ByValue:
    """The number of a column's cells of which a condition is true: it judges each different value once."""

    column: str
    condition: str

    @property
    def sql(self) -> str:
        return f"coalesce(sum(many) FILTER ({self.condition}), 0)"


Ask = str | ByValue
"""An aggregate of all rows, in SQL, or of a column's values."""


@dataclass(frozen=True)
class Different:
    """How many different rows these columns have, of those that are kept: so many rows as `among` counts."""

    columns: tuple[str, ...]
    among: Ask
    kept: str

    @property
    def disorder(self) -> str:
        """One row if any is not beyond the one before it; where there is none, all are different."""
        row = f"row({', '.join(self.columns)})" if len(self.columns) > 1 else self.columns[0]
        rows = f"SELECT {row} AS here, lag({row}) OVER () AS before FROM cells WHERE {self.kept}"  # noqa: S608
        return f"SELECT 1 FROM ({rows}) WHERE here <= before LIMIT 1"  # noqa: S608

    @property
    def count(self) -> str:
        columns = ", ".join(self.columns)
        return f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM cells WHERE {self.kept})"  # noqa: S608


@dataclass(frozen=True)
class Query:
    """Aggregates of all rows, different values to count, and what follows from the answers."""

    asks: tuple[Ask, ...]
    metrics: Callable[[Answers], Metrics]
    different: tuple[Different, ...] = ()


class Table:
    """The columns of a Parquet file. Raises NeedsPandas for one that only pandas should read."""

    def __init__(self, path: Path) -> None:
        metadata = pq.read_metadata(path)
        schema = metadata.schema.to_arrow_schema().remove_metadata()
        if metadata.num_rows == 0:
            raise NeedsPandas
        sizes = _sizes(metadata) if metadata.num_rows >= MANY_ROWS else {}
        dtypes = schema.empty_table().to_pandas().dtypes
        self.names = list(schema.names)
        self.columns = {
            field.name: replace(
                _column(field, dtypes[field.name], f"c{number}"),
                few=sizes.get(field.name, FEW) < FEW,
            )
            for number, field in enumerate(schema)
        }
        self._read = lru_cache(maxsize=1)(lambda name: read_partition(path, [name]).iloc[:, 0])

    def series(self, name: str) -> pd.Series:
        """A column as pandas has it; one is in memory at a time."""
        return self._read(name)

    def column(self, name: object, *kinds: Kind) -> Column:
        column = self.columns.get(name) if isinstance(name, str) else None
        if column is None or column.kind not in kinds:
            raise NeedsPandas
        return column


def _sizes(metadata: pq.FileMetaData) -> dict[str, float]:
    """By column, bytes for a cell before compression; infinite where a row group has no dictionary of it."""
    sizes = defaultdict[str, float](float)
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(place)
            size = chunk.total_uncompressed_size if chunk.has_dictionary_page else math.inf
            sizes[chunk.path_in_schema] += size / metadata.num_rows
    return dict(sizes)


MakePlan = Callable[[Table, Arguments], Query]
"""Raises NeedsPandas, KeyError or TypeError for arguments that only GX understands."""


def _column(field: pa.Field, dtype: Any, sql: str) -> Column:
    kind, types = field.type, pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return Column(field.name, "text", dtype, sql)
    if types.is_integer(kind) and not types.is_uint64(kind):
        return Column(field.name, "whole", dtype, sql)
    if types.is_float32(kind) or types.is_float64(kind):
        return Column(field.name, "float", dtype, sql)
    if types.is_boolean(kind):
        return Column(field.name, "boolean", dtype, sql)
    if types.is_timestamp(kind):
        return Column(field.name, "time" if kind.tz is None else "zoned", dtype, sql)
    plain = types.is_null(kind) or types.is_temporal(kind) or types.is_uint64(kind)
    return Column(field.name, "other" if plain else "unknown", dtype, sql)


def count_unexpected(answers: Answers, metric: str, unexpected: int) -> Metrics:
    """What GX keeps of an expectation on cells, of which so many do not meet it."""
    return {
        "table.row_count": answers["count(*)"],
        f"{metric}.unexpected_count": unexpected,
        f"{metric}.unexpected_values": [],
        f"{metric}.unexpected_index_list": [],
    }


def none_of(unexpected: int) -> int:
    """Zero. Which cells are unexpected is for pandas to say."""
    if unexpected:
        raise NeedsPandas
    return 0


def require_comparable(column: Column) -> None:
    """Raises NeedsPandas for times that DuckDB may round, to microseconds."""
    if column.dtype == "datetime64[ns]":
        raise NeedsPandas
