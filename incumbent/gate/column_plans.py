"""Plans for what an expectation asks of the table, of values that occur twice, and of a column's figures."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from incumbent.gate.table import (
    COMPARABLE,
    Answers,
    Arguments,
    Column,
    Different,
    Kind,
    MakePlan,
    Metrics,
    NeedsPandas,
    Query,
    Table,
    count_unexpected,
    none_of,
    require_comparable,
)

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


# ---- values that occur twice


def _unique(table: Table, arguments: Arguments) -> Query:
    column = table.column(arguments["column"], *COMPARABLE)

    def metrics(answers: Answers) -> Metrics:
        empty = answers["count(*)"] - answers[column.filled]
        repeated = answers[column.filled] - _count_different(column, answers)
        counted = count_unexpected(answers, "column_values.unique", none_of(repeated))
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
    considered = f"count(*) FILTER ({kept})"
    different = Different(tuple(column.sql for column in columns), considered, kept)

    def metrics(answers: Answers) -> Metrics:
        for column in columns:
            _require_exact(column, answers)
        repeated = none_of(answers[considered] - answers[different])
        counted = count_unexpected(answers, "compound_columns.unique", repeated)
        return {"compound_columns.unique.filtered_row_count": answers[considered], **counted}

    return Query((considered, *(column.filled for column in columns)), metrics, (different,))


def _greater(table: Table, arguments: Arguments) -> Query:
    metric = "column_pair_values.a_greater_than_b"
    first = table.column(arguments["column_A"], "whole", "float", "time")
    second = table.column(arguments["column_B"], first.kind)
    require_comparable(first)
    require_comparable(second)
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
        counted = count_unexpected(answers, metric, none_of(answers[failing]))
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


COLUMN_PLANS: Mapping[str, MakePlan] = {
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
    "expect_column_values_to_be_in_type_list": _type,
    "expect_column_values_to_be_of_type": _type,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _compound_unique,
    "expect_table_column_count_to_be_between": _names,
    "expect_table_column_count_to_equal": _names,
    "expect_table_columns_to_match_ordered_list": _names,
    "expect_table_columns_to_match_set": _names,
    "expect_table_row_count_to_be_between": _rows,
    "expect_table_row_count_to_equal": _rows,
}
