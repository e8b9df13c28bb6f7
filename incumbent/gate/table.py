"""A partition's columns, as DuckDB reads them and as pandas would show them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.tables.parquet import read_partition

Metrics = dict[str, Any]
Arguments = Mapping[str, Any]
Answers = Mapping[str, Any]
Kind = Literal["text", "whole", "float", "boolean", "time", "zoned", "other", "unknown"]
COMPARABLE: tuple[Kind, ...] = ("text", "whole", "float", "boolean", "time", "zoned")


class NeedsPandas(Exception):
    """Pandas may read this differently from DuckDB."""


@dataclass(frozen=True)
class Column:
    """`sql` names its cells in DuckDB; `dtype` is that of a pandas column without empty cells."""

    name: str
    kind: Kind
    dtype: Any
    sql: str

    @property
    def cells(self) -> str:
        """The cells as pandas reads them: NaN is empty."""
        if self.kind != "float":
            return self.sql
        return f"nullif(CAST({self.sql} AS DOUBLE), CAST('nan' AS DOUBLE)) AS {self.sql}"

    @property
    def filled(self) -> str:
        return f"count({self.sql})"

    @property
    def different(self) -> str:
        return counting_different(self.sql, f"{self.sql} IS NOT NULL")


def counting_different(values: str, kept: str) -> str:
    return f"SELECT count(*) FROM (SELECT DISTINCT {values} FROM cells WHERE {kept})"  # noqa: S608


@dataclass(frozen=True)
class Query:
    """Aggregates of all rows, queries of their own, and what follows from the answers."""

    asks: tuple[str, ...]
    metrics: Callable[[Answers], Metrics]
    queries: tuple[str, ...] = ()


class Table:
    """The columns of a Parquet file. Raises NeedsPandas for one that only pandas should read."""

    def __init__(self, path: Path) -> None:
        schema = pq.read_schema(path).remove_metadata()
        if pq.read_metadata(path).num_rows == 0:
            raise NeedsPandas
        dtypes = schema.empty_table().to_pandas().dtypes
        self.names = list(schema.names)
        self.columns = {
            field.name: _column(field, dtypes[field.name], f"c{number}")
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
