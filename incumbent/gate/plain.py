"""Common expectations without Great Expectations, whose import takes longer than most gates.

Where statistics show that one of them passes, its result is written here as Great Expectations would. What
fails, or is not as simple, is left to it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from incumbent.gate.table import Metrics

Arguments = Mapping[str, Any]
Details = dict[str, Any]


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Plain:
    """An expectation of one of KINDS, with the attributes of Great Expectations' own that the gate uses."""

    expectation_type: str
    kwargs: dict[str, Any]
    severity: Severity = Severity.CRITICAL
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """The kwargs with defaults: what its statistics depend on."""
        return {"row_condition": None, **KINDS[self.expectation_type].defaults, **self.kwargs}

    @property
    def document(self) -> dict[str, Any]:
        return {
            "type": self.expectation_type,
            "kwargs": self.kwargs,
            "meta": self.meta,
            "severity": str(self.severity),
        }

    def passed(self, metrics: Metrics) -> dict[str, Any] | None:
        """The result if it passes by these metrics; None where that is not so plain."""
        details = KINDS[self.expectation_type].passed(self.arguments, metrics)
        if details is None:
            return None
        nothing = dict.fromkeys(("exception_traceback", "exception_message"))
        return {
            "success": True,
            "expectation_config": self.document,
            "result": details,
            "meta": {},
            "exception_info": {"raised_exception": False, **nothing},
        }


@dataclass(frozen=True)
class Kind:
    """checks: what an argument must be to be plain; sound: do they go together? passed: the details of the
    result, None if it does not pass plainly; floats: arguments that Great Expectations keeps as such."""

    checks: Mapping[str, Callable[[Any], bool]]
    passed: Callable[[Arguments, Metrics], Details | None]
    defaults: Arguments = field(default_factory=dict)
    sound: Callable[[Arguments], bool] = bool
    floats: bool = False


def plain(suite: Mapping[str, Any]) -> list[Plain] | None:
    """The expectations of a suite if all are plain, else None."""
    if not _name(suite.get("name", "suite")) or not isinstance(suite.get("meta") or {}, dict):
        return None
    expectations = [_plain(each) for each in suite["expectations"]]
    known = [each for each in expectations if each is not None]
    return known if len(known) == len(expectations) else None


def _plain(document: Any) -> Plain | None:
    if not isinstance(document, dict) or document.keys() - {"type", "kwargs", "meta", "severity"}:
        return None
    kind, kwargs, meta = (
        KINDS.get(str(document.get("type"))),
        document.get("kwargs"),
        document.get("meta", {}),
    )
    if kind is None or not isinstance(kwargs, dict) or not isinstance(meta, dict):
        return None
    if {"quarantine", "probation"} & meta.keys() or document.get("severity", "critical") not in [*Severity]:
        return None
    checked = kwargs.keys() <= kind.checks.keys() and all(kind.checks[key](kwargs[key]) for key in kwargs)
    if not checked or not kind.sound(kwargs):
        return None
    kwargs = {key: value for key, value in kwargs.items() if key != "exact_match"}  # its default is left out
    as_kept = {
        key: float(value) if _number(value) and kind.floats else value for key, value in kwargs.items()
    }
    return Plain(document["type"], as_kept, Severity(document.get("severity", "critical")), {**meta})


def _name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _names(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) > 1 and all(map(_name, value)) and len({*value}) == len(value)
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _share(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _count(value: Any) -> bool:
    return _number(value) and isinstance(value, int) and value >= 0


def _ordered(arguments: Arguments) -> bool:
    """Has at least one bound, and the lower one first."""
    low, high = arguments.get("min_value"), arguments.get("max_value")
    return (low, high) != (None, None) and (low is None or high is None or low <= high)


def _column_ordered(arguments: Arguments) -> bool:
    return "column" in arguments and _ordered(arguments)


def _all(*names: str) -> Callable[[Arguments], bool]:
    return lambda arguments: all(name in arguments for name in names)


def _within(observed: Any, arguments: Arguments) -> bool:
    low, high = arguments["min_value"], arguments["max_value"]
    return (low is None or observed >= low) and (high is None or observed <= high)


def _row_count(arguments: Arguments, metrics: Metrics) -> Details | None:
    rows = metrics["table.row_count"]
    return {"observed_value": rows} if _within(rows, arguments) else None


def _exists(arguments: Arguments, metrics: Metrics) -> Details | None:
    return {} if arguments["column"] in metrics["table.columns"] else None


def _filled(arguments: Arguments, metrics: Metrics) -> Details | None:
    """No cell is empty, or fewer than `mostly` allows; whether just as many are is for others to say."""
    rows, empty = metrics["table.row_count"], metrics["column_values.nonnull.unexpected_count"]
    if not rows or (empty and (rows - empty) / rows <= arguments["mostly"]):
        return None
    return _cells(rows, empty)


def _no_cell_fails(metric: str) -> Callable[[Arguments, Metrics], Details | None]:
    """Every cell that is filled holds, and some are."""

    def passed(_: Arguments, metrics: Metrics) -> Details | None:
        rows = metrics["table.row_count"]
        empty = metrics.get("column_values.nonnull.unexpected_count", 0)
        whole = metrics.get("compound_columns.unique.filtered_row_count", rows) == rows
        if metrics[f"{metric}.unexpected_count"] or empty == rows or not whole:
            return None
        missing = {
            "missing_count": empty,
            "missing_percent": empty / rows * 100,
            "unexpected_percent_total": 0.0,
            "unexpected_percent_nonmissing": 0.0,
        }
        return {**_cells(rows, 0), **missing}

    return passed


def _cells(rows: int, unexpected: int) -> Details:
    return {
        "element_count": rows,
        "unexpected_count": unexpected,
        "unexpected_percent": unexpected / rows * 100,
        "partial_unexpected_list": [],
        "partial_unexpected_counts": [],
        "partial_unexpected_index_list": [],
    }


def _figure(metric: str) -> Callable[[Arguments, Metrics], Details | None]:
    """A number of the column lies between the bounds."""

    def passed(arguments: Arguments, metrics: Metrics) -> Details | None:
        observed = metrics[metric].item() if isinstance(metrics[metric], np.generic) else metrics[metric]
        return {"observed_value": observed} if _number(observed) and _within(observed, arguments) else None

    return passed


def _is_of_type(arguments: Arguments, metrics: Metrics) -> Details | None:
    [name] = [str(each["type"]) for each in metrics["table.column_types"]]
    asked = arguments.get("type_list", [arguments.get("type_")])
    return {"observed_value": name} if name in TYPES and name in asked else None


def _has_columns(arguments: Arguments, metrics: Metrics) -> Details | None:
    columns = metrics["table.columns"]
    same = sorted(arguments["column_set"]) == sorted(columns)
    return {"observed_value": sorted(columns)} if same else None


TYPES = ("str", "bool", "int32", "int64", "float32", "float64")
BOUNDS: Arguments = {"min_value": None, "max_value": None, "strict_min": False, "strict_max": False}
BETWEEN = {"column": _name, "min_value": _number, "max_value": _number}
MAP = {"mostly": 1}
KINDS: Mapping[str, Kind] = {
    "expect_table_row_count_to_be_between": Kind(
        {"min_value": _count, "max_value": _count}, _row_count, BOUNDS, _ordered
    ),
    "expect_column_to_exist": Kind({"column": _name}, _exists),
    "expect_column_values_to_not_be_null": Kind(
        {"column": _name, "mostly": _share}, _filled, MAP, _all("column")
    ),
    "expect_column_values_to_be_unique": Kind({"column": _name}, _no_cell_fails("column_values.unique"), MAP),
    "expect_compound_columns_to_be_unique": Kind(
        {"column_list": _names},
        _no_cell_fails("compound_columns.unique"),
        {**MAP, "ignore_row_if": "all_values_are_missing"},
    ),
    "expect_column_values_to_be_in_set": Kind(
        {"column": _name, "value_set": _names},
        _no_cell_fails("column_values.in_set"),
        MAP,
        _all("column", "value_set"),
    ),
    "expect_column_value_lengths_to_equal": Kind(
        {"column": _name, "value": _count},
        _no_cell_fails("column_values.value_length.equals"),
        MAP,
        _all("column", "value"),
        floats=True,
    ),
    "expect_column_values_to_be_between": Kind(
        BETWEEN,
        _no_cell_fails("column_values.between"),
        {**MAP, **BOUNDS},
        _column_ordered,
        floats=True,
    ),
    **{
        f"expect_column_{name}_to_be_between": Kind(
            BETWEEN, _figure(f"column.{name}"), BOUNDS, _column_ordered, floats=True
        )
        for name in ("min", "max", "mean")
    },
    "expect_column_values_to_be_of_type": Kind(
        {"column": _name, "type_": _name}, _is_of_type, MAP, _all("column", "type_")
    ),
    "expect_column_values_to_be_in_type_list": Kind(
        {"column": _name, "type_list": _names}, _is_of_type, MAP, _all("column", "type_list")
    ),
    "expect_table_columns_to_match_set": Kind(
        {"column_set": _names, "exact_match": True.__eq__},
        _has_columns,
        {"exact_match": True},
        _all("column_set"),
    ),
}
