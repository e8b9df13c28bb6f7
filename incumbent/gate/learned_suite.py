"""The learned suite as a document: expectations/<name>.learned.json.

Where Great Expectations has a type for a figure, its limit is an expectation, and GX judges it alike; the
other limits, and what figures are relative to, are in the suite's `meta`.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from incumbent.gate.certain import Extremes
from incumbent.gate.documents import parsed
from incumbent.gate.figures import TABLE, ColumnReference
from incumbent.gate.learned import Learned, judge_profile
from incumbent.gate.limits import Limit
from incumbent.gate.profile import AS_THEY_ARE, MANY_ALIKE, Profile, profile, rounded
from incumbent.gate.report import Finding
from incumbent.gate.wording import count, is_figure
from incumbent.params import CleanParams, DatasetParams, Task
from incumbent.tables.parquet import schema_of

SUFFIX = ".learned.json"
"""Of the document's name."""

LEARNED = "incumbent_learned"
"""The key in `meta` by which a learned suite is known."""

QUANTILE = "quantile "
TYPES: Mapping[str, str] = {
    "rows": "expect_table_row_count_to_be_between",
    "empty": "expect_column_proportion_of_non_null_values_to_be_between",
    "deviation": "expect_column_stdev_to_be_between",
    QUANTILE: "expect_column_quantile_values_to_be_between",
}
"""Of the figures that Great Expectations knows. One expectation has all quantiles of a column: of several it
would measure the first."""

ENDS = ("low", "high", "least", "greatest")
IN_ARGUMENTS = ("column", "low", "high")
USUAL: Mapping[str, Any] = {"scale": [0.0, 1.0], "apart": {}}
"""What a limit in the document lacks."""


def own_suites(suites: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A person's suites."""
    return [suite for suite in suites if not is_learned(suite)]


def judge_by_history(
    name: str,
    path: Path,
    suites: Sequence[dict[str, Any]],
    dataset: DatasetParams,
    measured: Profile | None = None,
    clean: CleanParams = AS_THEY_ARE,
) -> list[Finding]:
    """What the learned suite among `suites` finds in a Parquet partition; nothing where there is none.

    measured: its profile, made here, of texts as `clean` has them, if there is none. Raises BadData for a
    file that can't be read.
    """
    learned = [suite for suite in suites if is_learned(suite)]
    if not learned:
        return []
    task: Task = learned[0]["meta"][LEARNED]["task"]
    measured = measured or profile(path, dataset, task, clean)
    own, columns = own_suites(suites), schema_of(path).names
    return [
        finding
        for suite in learned
        for finding in judge_profile(name, measured, columns, from_suite(suite), own)
    ]


def to_suite(name: str, learned: Learned, task: Task) -> dict[str, Any]:
    """As Great Expectations serialises a suite; name: of the dataset."""
    grouped: dict[tuple[str, ...], list[Limit]] = {}
    for limit in learned.limits:
        grouped.setdefault(_group(limit, learned), []).append(limit)
    rest = grouped.pop((), [])
    expectations = [_expectation(each) for each in grouped.values()]
    reference = {column: _reference_to_json(each) for column, each in learned.reference.items()}
    meta = {
        "notes": f"learned by incumbent from {count(len(learned.partitions), 'partition')}; made anew with "
        "each data version",
        LEARNED: {
            "task": task,
            "partitions": list(learned.partitions),
            "limits": [_limit_to_json(limit) for limit in rest],
            "reference": reference,
            "extremes": {column: each.to_json() for column, each in learned.extremes.items()},
            "repeated": learned.repeated,
            "contents": {name: list(each) for name, each in learned.contents.items()},
        },
    }
    return dict(rounded({"name": f"{name}.learned", "expectations": expectations, "meta": meta}))


def is_learned(suite: Mapping[str, Any]) -> bool:
    """Is it what to_suite wrote?"""
    return LEARNED in (suite.get("meta") or {})


def partitions_of(suite: Mapping[str, Any]) -> tuple[str, ...]:
    """What it was learned from."""
    return tuple(suite["meta"][LEARNED]["partitions"])


def from_suite(suite: Mapping[str, Any]) -> Learned:
    """What to_suite wrote, without unknown_names. Raises ValueError, KeyError, TypeError or AttributeError
    for anything else."""
    about = suite["meta"][LEARNED]
    limits = [
        limit
        for each in suite["expectations"]
        if each["type"] in TYPES.values()
        for limit in _limits_of(each)
    ]
    limits += [_limit_from_json(each) for each in about["limits"]]
    learned = parsed(
        Learned,
        {
            **about,
            "limits": [each for each in limits if is_figure(each.figure)],
            "reference": {
                column: parsed(ColumnReference, each) for column, each in about["reference"].items()
            },
            "extremes": {column: Extremes.from_json(each) for column, each in about["extremes"].items()},
        },
    )
    judged = [*(each.column for each in learned.limits), *learned.extremes]
    if unknown := [column for column in judged if column not in {TABLE, *learned.reference}]:
        raise ValueError(f"'{unknown[0]}' has limits, but is no column in `reference`")
    return learned


def not_learned(path: Path, error: Exception) -> str:
    """What is wrong with a document that from_suite raises for, and the way out."""
    return (
        f"{path} is no learned suite: {error!r}; remove it, and 'incumbent expectations learn' makes it anew"
    )


def unknown_names(suite: Mapping[str, Any]) -> list[str]:
    """Of expectations and figures in what to_suite wrote that are none: nothing is judged by them."""
    about = [limit for each in suite["expectations"] for limit in each["meta"][LEARNED]]
    about += suite["meta"][LEARNED]["limits"]
    figures = {each["figure"] for each in about if not is_figure(each["figure"])}
    return sorted(figures | {each["type"] for each in suite["expectations"]} - {*TYPES.values()})


def _group(limit: Limit, learned: Learned) -> tuple[str, ...]:
    """The limits of one expectation: all quantiles of a column, or one alone; empty for a figure that Great
    Expectations has no type for, of which it would count other cells than we do, or with values apart."""
    if limit.apart:
        return ()
    extremes = learned.extremes.get(limit.column)
    if limit.figure.startswith(QUANTILE):
        plain = extremes is not None and extremes.commonest <= MANY_ALIKE
        return (limit.column, QUANTILE) if plain else ()
    return (limit.column, limit.figure) if limit.figure in TYPES else ()


def _expectation(limits: Sequence[Limit]) -> dict[str, Any]:
    first = limits[0]
    kind = TYPES[QUANTILE if first.figure.startswith(QUANTILE) else first.figure]
    arguments: dict[str, Any] = {} if first.column == TABLE else {"column": first.column}
    match kind:
        case "expect_column_quantile_values_to_be_between":
            places = [float(limit.figure.removeprefix(QUANTILE)) for limit in limits]
            ranges = [[limit.low, limit.high] for limit in limits]
            arguments["quantile_ranges"] = {"quantiles": places, "value_ranges": ranges}
        case "expect_table_row_count_to_be_between":
            arguments |= {"min_value": math.ceil(first.low), "max_value": math.floor(first.high)}
        case "expect_column_proportion_of_non_null_values_to_be_between":
            arguments |= {"min_value": 1 - first.high, "max_value": 1 - first.low}
        case _:
            arguments |= {"min_value": first.low, "max_value": first.high}
    about = [
        {name: each for name, each in _limit_to_json(limit).items() if name not in IN_ARGUMENTS}
        for limit in limits
    ]
    return {"type": kind, "kwargs": arguments, "severity": "warning", "meta": {LEARNED: about}}


def _limits_of(expectation: Mapping[str, Any]) -> list[Limit]:
    """The limits of an expectation that _expectation made."""
    arguments = expectation["kwargs"]
    if "quantile_ranges" in arguments:
        ranges = arguments["quantile_ranges"]["value_ranges"]
    else:
        ranges = [[arguments["min_value"], arguments["max_value"]]]
    if "non_null" in expectation["type"]:
        ranges = [[1 - high, 1 - low] for low, high in ranges]
    about = expectation["meta"][LEARNED]
    return [
        _limit_from_json({**each, "column": arguments.get("column", TABLE), "low": low, "high": high})
        for each, (low, high) in zip(about, ranges, strict=True)
    ]


def _limit_to_json(limit: Limit) -> dict[str, Any]:
    ends = {name: None if math.isinf(end := getattr(limit, name)) else end for name in ENDS}
    document = {**vars(limit), **ends, "past": list(limit.past), "scale": list(limit.scale)}
    # There may be thousands of limits, and most have the usual.
    return {name: each for name, each in document.items() if name not in USUAL or each != USUAL[name]}


def _limit_from_json(document: Mapping[str, Any]) -> Limit:
    missing = {"low": -math.inf, "high": math.inf, "least": -math.inf, "greatest": math.inf}
    ends = {name: missing[name] if document[name] is None else document[name] for name in ENDS}
    limit = parsed(Limit, {**USUAL, **document, **ends})
    for low, high in (("low", "high"), ("least", "greatest")):
        if not (first := getattr(limit, low)) <= (last := getattr(limit, high)):  # nor is a NaN
            raise ValueError(f"{limit.figure} of '{limit.column}': {low} is {first}, and {high} {last}")
    return limit


def _reference_to_json(reference: ColumnReference) -> dict[str, Any]:
    return {**vars(reference), "shares": dict(reference.shares), "targets": dict(reference.targets)}
