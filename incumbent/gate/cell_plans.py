"""Plans for what an expectation asks of every cell of a column, by itself."""

import math
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from incumbent.gate.regexes import is_portable
from incumbent.gate.table import (
    COMPARABLE,
    Answers,
    Arguments,
    Column,
    MakePlan,
    Metrics,
    NeedsPandas,
    Query,
    Table,
    count_unexpected,
    none_of,
    require_comparable,
)

# Beyond it a whole number and its float differ, and pandas makes floats of a column with empty cells.
EXACT = 2**53
MAX_SET = 1000


def _not_null(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE, "other")

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        if column.kind in ("time", "zoned", "other"):
            none_of(empty)  # GX lists some, as the text NaT
        return count_unexpected(answers, "column_values.nonnull", empty)

    return Query((column.filled,), metrics)


def _null(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE, "other")
    return Query(
        (column.filled,),
        lambda answers: count_unexpected(answers, "column_values.null", none_of(answers[column.filled])),
    )


def _cells(metric: str, column: Column, holds: str) -> Query:
    """No filled cell for which it does not hold."""
    failing = column.count(f"NOT ({holds})")  # NULL is neither

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        counted = count_unexpected(answers, metric, none_of(answers[failing]))
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
    require_comparable(column)
    bound = (datetime,) if column.kind == "time" else (int, float)
    return _cells("column_values.between", column, _within(column.sql, arguments, bound))


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
    foreign = column.count(f"strlen({column.sql}) <> length({column.sql}) OR contains({column.sql}, chr(10))")

    def metrics(answers: Answers) -> Metrics:
        none_of(answers[foreign])
        return plan.metrics(answers)

    return Query((*plan.asks, foreign), metrics)


CELL_PLANS: Mapping[str, MakePlan] = {
    "expect_column_distinct_values_to_be_in_set": _distinct_in_set,
    "expect_column_value_lengths_to_be_between": _lengths,
    "expect_column_value_lengths_to_equal": _length,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_not_match_regex": _matches_not,
}
