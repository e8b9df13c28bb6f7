"""What Great Expectations' classes ask of a partition, computed by DuckDB without a frame in memory.

Only what pandas is certain to see the same way is answered; anything else is left to GX on pandas. Sums and
what follows from them depend on the order of addition: they are pandas' own, of one column at a time.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.gate.regexes import is_portable
from incumbent.rows import read_partition

Metrics = dict[str, Any]
Answers = Mapping[str, Any]
Arguments = Mapping[str, Any]
Kind = Literal["text", "whole", "float", "boolean", "time", "zoned", "other", "unknown"]
COMPARABLE: tuple[Kind, ...] = ("text", "whole", "float", "boolean", "time", "zoned")

# Beyond it a whole number and its float differ, and pandas makes floats of a column with empty cells.
EXACT = 2**53
MAX_SET = 1000


class Doubt(Exception):
    """Pandas may see this otherwise."""


@dataclass(frozen=True)
class _Column:
    """`sql` names its cells in DuckDB; `dtype` is that of a pandas column without empty cells."""

    name: str
    kind: Kind
    dtype: Any
    sql: str

    @property
    def cells(self) -> str:
        """As pandas takes them: NaN for empty, and 0.0 and -0.0 for the same."""
        if self.kind != "float":
            return self.sql
        return f"nullif(CAST({self.sql} AS DOUBLE) + 0.0, CAST('nan' AS DOUBLE)) AS {self.sql}"

    @property
    def filled(self) -> str:
        return f"count({self.sql})"

    @property
    def different(self) -> str:
        return _different(self.sql, f"{self.sql} IS NOT NULL")


def _different(values: str, kept: str) -> str:
    return f"SELECT count(*) FROM (SELECT DISTINCT {values} FROM cells WHERE {kept})"  # noqa: S608


@dataclass(frozen=True)
class _Plan:
    """Aggregates of all rows, queries of their own, and what follows from the answers."""

    asks: tuple[str, ...]
    metrics: Callable[[Answers], Metrics]
    queries: tuple[str, ...] = ()


class _Table:
    def __init__(self, path: Path) -> None:
        schema = pq.read_schema(path).remove_metadata()
        if pq.read_metadata(path).num_rows == 0 or ambiguous(schema.names):
            raise Doubt
        dtypes = schema.empty_table().to_pandas().dtypes
        self.names = list(schema.names)
        self.columns = {
            field.name: _column(field, dtypes[field.name], f"c{place}") for place, field in enumerate(schema)
        }
        # One column is in memory at a time.
        self.series = lru_cache(maxsize=1)(lambda name: read_partition(path, [name])[name])

    def column(self, name: object, *kinds: Kind) -> _Column:
        found = self.columns.get(name) if isinstance(name, str) else None
        if found is None or found.kind not in kinds:
            raise Doubt
        return found


def ambiguous(names: Sequence[str]) -> bool:
    """GX takes A for a if both are there."""
    return len({name.lower() for name in names}) < len(names)


def measure(path: Path, expectations: Sequence[tuple[str, Arguments]]) -> list[Metrics | None]:
    """For each (type, arguments) the metrics that GX judges by; None where only pandas can tell.

    None too where cells were found that do not meet the expectation: which they are is pandas' to say.
    """
    import duckdb

    try:
        table = _Table(path)
        plans = [_plan(table, kind, arguments) for kind, arguments in expectations]
        answers = _ask(path, table, [plan for plan in plans if plan])
    except (Doubt, duckdb.Error, pa.ArrowException, OSError):
        return [None] * len(expectations)
    return [plan and _metrics(plan, answers) for plan in plans]


def _plan(table: _Table, kind: str, arguments: Arguments) -> _Plan | None:
    if kind not in PLANS or arguments.get("row_condition") is not None:
        return None
    try:
        return PLANS[kind](table, arguments)
    except Doubt:
        return None


def _metrics(plan: _Plan, answers: Answers) -> Metrics | None:
    try:
        return plan.metrics(answers)
    except Doubt:
        return None


def _ask(path: Path, table: _Table, plans: Sequence[_Plan]) -> Answers:
    import duckdb

    columns = table.columns.values()
    cells = f"""
        WITH cells AS NOT MATERIALIZED (
            SELECT {", ".join(column.cells for column in columns)}
            FROM read_parquet(?, hive_partitioning = false) AS file({", ".join(c.sql for c in columns)})
        )
    """  # noqa: S608
    asks = list(dict.fromkeys(["count(*)", *(ask for plan in plans for ask in plan.asks)]))
    queries = dict.fromkeys(query for plan in plans for query in plan.queries)
    config = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as database:
        database.execute("SET enable_progress_bar = false")
        # The cells count, not what the file's footer says of them.
        database.execute("SET disabled_optimizers = 'statistics_propagation'")
        totals = f"{cells} SELECT {', '.join(asks)} FROM cells"  # noqa: S608
        [values] = database.execute(totals, [str(path)]).fetchall()
        answers = dict(zip(asks, values, strict=True))
        for query in queries:
            [(answers[query],)] = database.execute(f"{cells} {query}", [str(path)]).fetchall()
    if answers["count(*)"] != pq.read_metadata(path).num_rows:  # a name with * is a pattern to DuckDB
        raise Doubt
    return answers


def _column(field: pa.Field, dtype: Any, place: str) -> _Column:
    kind, types = field.type, pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return _Column(field.name, "text", dtype, place)
    if types.is_integer(kind) and not types.is_uint64(kind):
        return _Column(field.name, "whole", dtype, place)
    if types.is_float32(kind) or types.is_float64(kind):
        return _Column(field.name, "float", dtype, place)
    if types.is_boolean(kind):
        return _Column(field.name, "boolean", dtype, place)
    if types.is_timestamp(kind):
        return _Column(field.name, "time" if kind.tz is None else "zoned", dtype, place)
    plain = types.is_null(kind) or types.is_temporal(kind) or types.is_uint64(kind)
    return _Column(field.name, "other" if plain else "unknown", dtype, place)


# ---- the table as a whole


def _rows(_table: _Table, _arguments: Arguments) -> _Plan:
    return _Plan((), lambda answers: {"table.row_count": answers["count(*)"]})


def _names(table: _Table, _arguments: Arguments) -> _Plan:
    return _Plan((), lambda _: {"table.columns": table.names, "table.column_count": len(table.names)})


def _type(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        dtype = _dtype(column, answers)
        if dtype == np.dtype(object):  # GX looks at every cell
            raise Doubt
        return {"table.column_types": [{"name": column.name, "type": dtype}]}

    return _Plan((column.filled,), metrics)


def _dtype(column: _Column, answers: Answers) -> Any:
    """As pandas shows the column."""
    if answers[column.filled] == answers["count(*)"]:
        return column.dtype
    return {"whole": np.dtype("float64"), "boolean": np.dtype("object")}.get(column.kind, column.dtype)


# ---- every cell of a column


def _not_null(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], *COMPARABLE, "other")

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        if column.kind in ("time", "zoned", "other"):
            _none(empty)  # GX lists some, as the text NaT
        return _counted(answers, "column_values.nonnull", empty)

    return _Plan((column.filled,), metrics)


def _null(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], *COMPARABLE, "other")
    return _Plan(
        (column.filled,),
        lambda answers: _counted(answers, "column_values.null", _none(answers[column.filled])),
    )


def _counted(answers: Answers, metric: str, unexpected: int) -> Metrics:
    return {
        "table.row_count": answers["count(*)"],
        f"{metric}.unexpected_count": unexpected,
        f"{metric}.unexpected_values": [],
        f"{metric}.unexpected_index_list": [],
    }


def _none(unexpected: int) -> int:
    """Zero. Which cells are unexpected is for pandas to say."""
    if unexpected:
        raise Doubt
    return 0


def _cells(metric: str, column: _Column, holds: str) -> _Plan:
    """No filled cell for which it does not hold."""
    failing = f"count(*) FILTER (NOT ({holds}))"  # NULL is neither

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        counted = _counted(answers, metric, _none(answers[failing]))
        return {"column_values.nonnull.unexpected_count": empty, **counted}

    return _Plan((column.filled, failing), metrics)


def _in_set(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], "text", "whole", "float", "boolean")
    return _cells("column_values.in_set", column, f"{column.sql} IN ({_values(column, arguments)})")


def _not_in_set(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], "text", "whole", "float", "boolean")
    return _cells("column_values.not_in_set", column, f"{column.sql} NOT IN ({_values(column, arguments)})")


def _distinct_in_set(table: _Table, arguments: Arguments) -> _Plan:
    plan = _in_set(table, arguments)

    def metrics(answers: Answers) -> Metrics:
        plan.metrics(answers)
        return {"column.distinct_values.not_in_set.count": 0, "column.distinct_values.not_in_set": []}

    return _Plan(plan.asks, metrics)


def _values(column: _Column, arguments: Arguments) -> str:
    """A set of the column's own type; what equals what among others is pandas' to say."""
    fitting = {"text": (str,), "whole": (int,), "float": (int, float), "boolean": (bool,)}[column.kind]
    values = arguments["value_set"]
    if not isinstance(values, list) or not 0 < len(values) <= MAX_SET or column.dtype == np.float32:
        raise Doubt
    if any(type(value) not in fitting for value in values):
        raise Doubt
    return ", ".join(_literal(value) for value in values)


def _between(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], "whole", "float", "time")
    _require_comparable(column)
    bound = (datetime,) if column.kind == "time" else (int, float)
    return _cells("column_values.between", column, _within(column.sql, arguments, bound))


def _require_comparable(column: _Column) -> None:
    if column.dtype == "datetime64[ns]":  # DuckDB may round to microseconds
        raise Doubt


def _length(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], "text")
    holds = f"length({column.sql}) = {_literal(arguments['value'])}"
    return _cells("column_values.value_length.equals", column, holds)


def _lengths(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], "text")
    holds = _within(f"length({column.sql})", arguments, (int, float))
    return _cells("column_values.value_length.between", column, holds)


def _within(sql: str, arguments: Arguments, types: tuple[type, ...]) -> str:
    low, high = arguments["min_value"], arguments["max_value"]
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds or any(type(bound) not in types for bound in bounds) or bounds != sorted(bounds):
        raise Doubt
    above, below = (">" if arguments["strict_min"] else ">="), ("<" if arguments["strict_max"] else "<=")
    parts = [] if low is None else [f"{sql} {above} {_literal(low)}"]
    parts += [] if high is None else [f"{sql} {below} {_literal(high)}"]
    return " AND ".join(parts)


def _literal(value: object) -> str:
    if isinstance(value, str) and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int) and abs(value) < EXACT:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"CAST('{value!r}' AS DOUBLE)"
    if isinstance(value, datetime) and value.tzinfo is None:
        return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP)"
    raise Doubt


def _matches(table: _Table, arguments: Arguments) -> _Plan:
    return _regex("column_values.match_regex", table, arguments, "")


def _matches_not(table: _Table, arguments: Arguments) -> _Plan:
    return _regex("column_values.not_match_regex", table, arguments, "NOT ")


def _regex(metric: str, table: _Table, arguments: Arguments, prefix: str) -> _Plan:
    column, regex = table.column(arguments["column"], "text"), arguments["regex"]
    if not isinstance(regex, str) or not is_portable(regex):
        raise Doubt
    plan = _cells(metric, column, f"{prefix}regexp_matches({column.sql}, {_literal(regex)})")
    # Outside of one line of ASCII the two dialects differ, such as in \d and $.
    foreign = (
        f"count(*) FILTER (strlen({column.sql}) <> length({column.sql}) OR contains({column.sql}, chr(10)))"
    )

    def metrics(answers: Answers) -> Metrics:
        _none(answers[foreign])
        return plan.metrics(answers)

    return _Plan((*plan.asks, foreign), metrics)


# ---- values that occur twice


def _unique(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        repeated = answers[column.filled] - _count_different(column, answers)
        counted = _counted(answers, "column_values.unique", _none(repeated))
        return {"column_values.nonnull.unexpected_count": empty, **counted}

    return _Plan((column.filled,), metrics, (column.different,))


def _count_different(column: _Column, answers: Answers) -> int:
    _require_exact(column, answers)
    return int(answers[column.different])


def _require_exact(column: _Column, answers: Answers) -> None:
    if column.kind == "whole" and answers[column.filled] < answers["count(*)"]:
        raise Doubt


def _distinct_count(table: _Table, arguments: Arguments) -> _Plan:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        different, filled = _count_different(column, answers), answers[column.filled]
        share = different / filled if filled else 0
        return {"column.distinct_values.count": different, "column.unique_proportion": share}

    return _Plan((column.filled,), metrics, (column.different,))


def _compound_unique(table: _Table, arguments: Arguments) -> _Plan:
    columns = [table.column(name, *COMPARABLE) for name in arguments["column_list"]]
    there = [f"{column.sql} IS NOT NULL" for column in columns]
    kept = {
        "all_values_are_missing": " OR ".join(there),
        "any_value_is_missing": " AND ".join(there),
        "never": "true",
    }[arguments["ignore_row_if"]]
    values = ", ".join(f"{column.sql} AS v{place}" for place, column in enumerate(columns))
    different = _different(values, kept)
    considered = f"count(*) FILTER ({kept})"

    def metrics(answers: Answers) -> Metrics:
        for column in columns:
            _require_exact(column, answers)
        repeated = _none(answers[considered] - answers[different])
        counted = _counted(answers, "compound_columns.unique", repeated)
        return {"compound_columns.unique.filtered_row_count": answers[considered], **counted}

    return _Plan((considered, *(column.filled for column in columns)), metrics, (different,))


def _greater(table: _Table, arguments: Arguments) -> _Plan:
    metric = "column_pair_values.a_greater_than_b"
    first = table.column(arguments["column_A"], "whole", "float", "time")
    second = table.column(arguments["column_B"], first.kind)
    _require_comparable(first)
    _require_comparable(second)
    kept = {
        "both_values_are_missing": f"{first.sql} IS NOT NULL OR {second.sql} IS NOT NULL",
        "either_value_is_missing": f"{first.sql} IS NOT NULL AND {second.sql} IS NOT NULL",
        "neither": "true",
    }[arguments["ignore_row_if"]]
    sign = ">=" if arguments["or_equal"] else ">"
    considered = f"count(*) FILTER ({kept})"
    failing = f"count(*) FILTER (({kept}) AND ({first.sql} {sign} {second.sql}) IS NOT TRUE)"

    def metrics(answers: Answers) -> Metrics:
        for column in (first, second):
            _require_exact(column, answers)
        counted = _counted(answers, metric, _none(answers[failing]))
        return {f"{metric}.filtered_row_count": answers[considered], **counted}

    return _Plan((considered, failing, first.filled, second.filled), metrics)


# ---- one figure of a column


def _extreme(name: Literal["min", "max"]) -> Callable[[_Table, Arguments], _Plan]:
    def plan(table: _Table, arguments: Arguments) -> _Plan:
        column = table.column(arguments["column"], "whole", "float", "time")
        if column.kind == "time":
            return _Plan((), lambda _: {f"column.{name}": getattr(table.series(column.name), name)()})
        extreme = f"{name}({column.sql})"

        def metrics(answers: Answers) -> Metrics:
            value = answers[extreme]
            if value is None:
                raise Doubt
            return {f"column.{name}": _dtype(column, answers).type(value)}

        return _Plan((extreme, column.filled), metrics)

    return plan


def _sum(
    metric: str, figure: Callable[[pd.Series], Any], *more: Kind
) -> Callable[[_Table, Arguments], _Plan]:
    def plan(table: _Table, arguments: Arguments) -> _Plan:
        column = table.column(arguments["column"], "whole", "float", *more)

        def metrics(_answers: Answers) -> Metrics:
            cells = table.series(column.name)
            if cells.dtype == np.dtype(object):
                raise Doubt
            return {metric: figure(cells)}

        return _Plan((), metrics)

    return plan


PLANS: Mapping[str, Callable[[_Table, Arguments], _Plan]] = {
    "expect_column_distinct_values_to_be_in_set": _distinct_in_set,
    "expect_column_max_to_be_between": _extreme("max"),
    "expect_column_mean_to_be_between": _sum("column.mean", pd.Series.mean, "boolean"),
    "expect_column_median_to_be_between": _sum("column.median", lambda cells: cells.dropna().median()),
    "expect_column_min_to_be_between": _extreme("min"),
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_proportion_of_unique_values_to_be_between": _distinct_count,
    "expect_column_stdev_to_be_between": _sum("column.standard_deviation", pd.Series.std),
    "expect_column_sum_to_be_between": _sum("column.sum", pd.Series.sum, "boolean"),
    "expect_column_to_exist": _names,
    "expect_column_unique_value_count_to_be_between": _distinct_count,
    "expect_column_value_lengths_to_be_between": _lengths,
    "expect_column_value_lengths_to_equal": _length,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_be_in_type_list": _type,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_of_type": _type,
    "expect_column_values_to_be_unique": _unique,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_compound_columns_to_be_unique": _compound_unique,
    "expect_table_column_count_to_be_between": _names,
    "expect_table_column_count_to_equal": _names,
    "expect_table_columns_to_match_ordered_list": _names,
    "expect_table_columns_to_match_set": _names,
    "expect_table_row_count_to_be_between": _rows,
    "expect_table_row_count_to_equal": _rows,
}
