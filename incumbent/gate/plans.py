"""For each expectation what to ask of DuckDB, and the metrics of Great Expectations that follow.

Only what pandas is certain to see the same way is asked; anything else raises NeedsPandas. Sums and what
follows from them depend on the order of addition: they are pandas' own, of one column at a time.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from incumbent.gate.regexes import is_portable
from incumbent.gate.table import (
    COMPARABLE,
    Answers,
    Column,
    Kind,
    Metrics,
    NeedsPandas,
    Query,
    Table,
    counting_different,
)

Arguments = Mapping[str, Any]

# Beyond it a whole number and its float differ, and pandas makes floats of a column with empty cells.
EXACT = 2**53
MAX_SET = 1000


# ---- the table as a whole


def _rows(_table: Table, _arguments: Arguments) -> Query:
    return Query((), lambda answers: {"table.row_count": answers["count(*)"]})


def _names(table: Table, _arguments: Arguments) -> Query:
    return Query((), lambda _: {"table.columns": table.names, "table.column_count": len(table.names)})


def _type(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        dtype = _dtype(column, answers)
        if dtype == np.dtype(object):  # GX looks at every cell
            raise NeedsPandas
        return {"table.column_types": [{"name": column.name, "type": dtype}]}

    return Query((column.filled,), metrics)


def _dtype(column: Column, answers: Answers) -> Any:
    """As pandas shows the column."""
    if answers[column.filled] == answers["count(*)"]:
        return column.dtype
    return {"whole": np.dtype("float64"), "boolean": np.dtype("object")}.get(column.kind, column.dtype)


# ---- every cell of a column


def _not_null(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE, "other")

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        if column.kind in ("time", "zoned", "other"):
            _none(empty)  # GX lists some, as the text NaT
        return _counted(answers, "column_values.nonnull", empty)

    return Query((column.filled,), metrics)


def _null(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE, "other")
    return Query(
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
        raise NeedsPandas
    return 0


def _cells(metric: str, column: Column, holds: str) -> Query:
    """No filled cell for which it does not hold."""
    failing = f"count(*) FILTER (NOT ({holds}))"  # NULL is neither

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        counted = _counted(answers, metric, _none(answers[failing]))
        return {"column_values.nonnull.unexpected_count": empty, **counted}

    return Query((column.filled, failing), metrics)


def _in_set(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], "text", "whole", "float", "boolean")
    return _cells("column_values.in_set", column, f"{column.sql} IN ({_values(column, arguments)})")


def _not_in_set(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], "text", "whole", "float", "boolean")
    return _cells("column_values.not_in_set", column, f"{column.sql} NOT IN ({_values(column, arguments)})")


def _distinct_in_set(table: Table, arguments: Arguments) -> Query:
    plan = _in_set(table, arguments)

    def metrics(answers: Answers) -> Metrics:
        plan.metrics(answers)
        return {"column.distinct_values.not_in_set.count": 0, "column.distinct_values.not_in_set": []}

    return Query(plan.asks, metrics)


def _values(column: Column, arguments: Arguments) -> str:
    """A set of the column's own type; what equals what among others is pandas' to say."""
    fitting = {"text": (str,), "whole": (int,), "float": (int, float), "boolean": (bool,)}[column.kind]
    values = arguments["value_set"]
    if not isinstance(values, list) or not 0 < len(values) <= MAX_SET or column.dtype == np.float32:
        raise NeedsPandas
    if any(type(value) not in fitting for value in values):
        raise NeedsPandas
    return ", ".join(_literal(value) for value in values)


def _between(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], "whole", "float", "time")
    _require_comparable(column)
    bound = (datetime,) if column.kind == "time" else (int, float)
    return _cells("column_values.between", column, _within(column.sql, arguments, bound))


def _require_comparable(column: Column) -> None:
    if column.dtype == "datetime64[ns]":  # DuckDB may round to microseconds
        raise NeedsPandas


def _length(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], "text")
    holds = f"length({column.sql}) = {_literal(arguments['value'])}"
    return _cells("column_values.value_length.equals", column, holds)


def _lengths(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], "text")
    holds = _within(f"length({column.sql})", arguments, (int, float))
    return _cells("column_values.value_length.between", column, holds)


def _within(sql: str, arguments: Arguments, types: tuple[type, ...]) -> str:
    low, high = arguments["min_value"], arguments["max_value"]
    strict = [arguments["strict_min"], arguments["strict_max"]]
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds or any(type(bound) not in types for bound in bounds) or set(map(type, strict)) != {bool}:
        raise NeedsPandas
    parts = [] if low is None else [f"{sql} {'>' if strict[0] else '>='} {_literal(low)}"]
    parts += [] if high is None else [f"{sql} {'<' if strict[1] else '<='} {_literal(high)}"]
    if bounds != sorted(bounds):
        raise NeedsPandas
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
    raise NeedsPandas


def _matches(table: Table, arguments: Arguments) -> Query:
    return _regex("column_values.match_regex", table, arguments, "")


def _matches_not(table: Table, arguments: Arguments) -> Query:
    return _regex("column_values.not_match_regex", table, arguments, "NOT ")


def _regex(metric: str, table: Table, arguments: Arguments, prefix: str) -> Query:
    column, regex = table.column(arguments["column"], "text"), arguments["regex"]
    if not isinstance(regex, str) or not is_portable(regex):
        raise NeedsPandas
    plan = _cells(metric, column, f"{prefix}regexp_matches({column.sql}, {_literal(regex)})")
    # Outside of one line of ASCII the two dialects differ, such as in \d and $.
    foreign = (
        f"count(*) FILTER (strlen({column.sql}) <> length({column.sql}) OR contains({column.sql}, chr(10)))"
    )

    def metrics(answers: Answers) -> Metrics:
        _none(answers[foreign])
        return plan.metrics(answers)

    return Query((*plan.asks, foreign), metrics)


# ---- values that occur twice


def _unique(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        repeated = answers[column.filled] - _count_different(column, answers)
        counted = _counted(answers, "column_values.unique", _none(repeated))
        return {"column_values.nonnull.unexpected_count": empty, **counted}

    return Query((column.filled,), metrics, (column.different,))


def _count_different(column: Column, answers: Answers) -> int:
    _require_exact(column, answers)
    return int(answers[column.different])


def _require_exact(column: Column, answers: Answers) -> None:
    if column.kind == "whole" and answers[column.filled] < answers["count(*)"]:
        raise NeedsPandas


def _distinct_count(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        different, filled = _count_different(column, answers), answers[column.filled]
        share = different / filled if filled else 0
        return {"column.distinct_values.count": different, "column.unique_proportion": share}

    return Query((column.filled,), metrics, (column.different,))


def _compound_unique(table: Table, arguments: Arguments) -> Query:
    columns = [table.column(name, *COMPARABLE) for name in arguments["column_list"]]
    there = [f"{column.sql} IS NOT NULL" for column in columns]
    kept = {
        "all_values_are_missing": " OR ".join(there),
        "any_value_is_missing": " AND ".join(there),
        "never": "true",
    }[arguments["ignore_row_if"]]
    values = ", ".join(f"{column.sql} AS v{place}" for place, column in enumerate(columns))
    different = counting_different(values, kept)
    considered = f"count(*) FILTER ({kept})"

    def metrics(answers: Answers) -> Metrics:
        for column in columns:
            _require_exact(column, answers)
        repeated = _none(answers[considered] - answers[different])
        counted = _counted(answers, "compound_columns.unique", repeated)
        return {"compound_columns.unique.filtered_row_count": answers[considered], **counted}

    return Query((considered, *(column.filled for column in columns)), metrics, (different,))


def _greater(table: Table, arguments: Arguments) -> Query:
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

    return Query((considered, failing, first.filled, second.filled), metrics)


# ---- one figure of a column


def _extreme(name: Literal["min", "max"]) -> Callable[[Table, Arguments], Query]:
    def plan(table: Table, arguments: Arguments) -> Query:
        column = table.column(arguments["column"], "whole", "float", "time")
        if column.kind == "time":
            return Query((), lambda _: {f"column.{name}": getattr(table.series(column.name), name)()})
        extreme = f"{name}({column.sql})"

        def metrics(answers: Answers) -> Metrics:
            value = answers[extreme]
            if value is None:
                raise NeedsPandas
            return {f"column.{name}": _dtype(column, answers).type(value)}

        return Query((extreme, column.filled), metrics)

    return plan


def _sum(metric: str, figure: Callable[[pd.Series], Any], *more: Kind) -> Callable[[Table, Arguments], Query]:
    def plan(table: Table, arguments: Arguments) -> Query:
        column = table.column(arguments["column"], "whole", "float", *more)

        def metrics(_answers: Answers) -> Metrics:
            cells = table.series(column.name)
            if cells.dtype == np.dtype(object):
                raise NeedsPandas
            return {metric: figure(cells)}

        return Query((), metrics)

    return plan


PLANS: Mapping[str, Callable[[Table, Arguments], Query]] = {
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
