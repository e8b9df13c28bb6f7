"""Findings for which no harmless cause is likely: they block, as the suite's critical expectations do.

A column gone or wholly empty, a constant that varied, numbers in another unit, a file that repeats itself or
an earlier one under new keys. Each needs figures that the history, and what a person released, never had.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from incumbent.gate.profile import QUANTILES, ColumnProfile, Profile

MEDIAN = "quantile 0.5"
IMPOSSIBLE = 1e-6
"""The chance that a column which varied is constant by accident."""

UNITS: Mapping[str, float] = {
    **{f"units {factor:,} times smaller": float(factor) for factor in (10, 60, 100, 1000, 3600)},
    **{f"units {factor:,} times larger": 1 / factor for factor in (10, 60, 100, 1000, 3600)},
    "pounds instead of kilograms": 2.20462,
    "kilograms instead of pounds": 0.453592,
    "feet instead of metres": 3.28084,
    "metres instead of feet": 0.3048,
    "centimetres instead of inches": 2.54,
    "inches instead of centimetres": 0.393701,
}
"""By what a number is multiplied. Smaller changes may be news."""

SCALES: Mapping[str, tuple[float, float]] = {
    "Fahrenheit instead of Celsius": (1.8, 32.0),
    "Celsius instead of Fahrenheit": (1 / 1.8, -32 / 1.8),
    "Kelvin instead of Celsius": (1.0, 273.15),
    "Celsius instead of Kelvin": (1.0, -273.15),
}
"""Factor and summand."""

ALIKE = 0.2
"""How much the logarithms of the quantiles' ratios may differ from the factor's."""

CLOSE, FAR, MANY = 0.35, 1.5, 2.0
"""How near the quantiles must be to those on another scale, and how far from what they were, in distances of
the quartiles; and how many times farther than they ever went at once."""

ROUNDING = 1e-5
INNER = slice(1, -1)
"""The extreme quantiles vary most."""

REPEATED, USUAL = 0.5, 0.1
"""More than half of a file is a repetition where at most a tenth was."""


@dataclass(frozen=True)
class Certain:
    """figure: of the column, the one that shows it best."""

    column: str
    figure: str
    expected: str
    observed: str


@dataclass(frozen=True)
class Extremes:
    """What a column was in the past, at the extreme: the most empty, the fewest values, the largest share
    of one; its quantiles in the last partition; their largest step from one partition to the next, and how
    far any partition's are from the last one's, in distances of the quartiles.
    """

    empty: float
    distinct: int
    commonest: float
    quantiles: tuple[float, ...]
    step: float
    reach: float

    @staticmethod
    def of(columns: "list[ColumnProfile]") -> "Extremes":
        filled = [each for each in columns if each.filled]
        quantiles = [each.quantiles for each in filled if each.quantiles]
        return Extremes(
            max((each.empty for each in columns), default=1.0),
            min((each.distinct for each in filled), default=0),
            max((each.shares.get("commonest", 1.0) for each in filled), default=1.0),
            quantiles[-1] if quantiles else (),
            max((_distance(now, before) for before, now in pairwise(quantiles)), default=0.0),
            max((_distance(each, quantiles[-1]) for each in quantiles), default=0.0),
        )

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "quantiles": list(self.quantiles)}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Extremes":
        return Extremes(**{**document, "quantiles": tuple(document["quantiles"])})


def certain(profile: Profile, past: Mapping[str, Extremes], missing: Collection[str]) -> Iterator[Certain]:
    """Of the columns. missing: columns of the past that the file does not have."""
    for name, extremes in past.items():
        if name in missing:
            yield Certain(name, "empty", f"column '{name}' must be there", "the file has no such column")
        elif column := profile.columns.get(name):
            yield from _of_column(name, column, extremes, profile)


def _of_column(name: str, column: ColumnProfile, past: Extremes, profile: Profile) -> Iterator[Certain]:
    rows = profile.rows
    if name == profile.target and not column.filled:
        return  # labels come late
    if column.empty == 1 and past.empty < 1 and past.empty**rows < IMPOSSIBLE:
        observed = f"all {rows:,} cells are empty; at most {past.empty:.1%} were"
        yield Certain(name, "empty", f"column '{name}' must hold values", observed)
    elif column.distinct == 1 and past.distinct > 1 and past.commonest**column.filled < IMPOSSIBLE:
        usual = f"one value had at most {past.commonest:.1%} of the cells"
        observed = f"each of {column.filled:,} is {column.commonest}; {usual}"
        yield Certain(name, "distinct", f"column '{name}' must vary", observed)
    elif unit := other_unit(column.quantiles, past.quantiles, past.step, past.reach):
        was, now = (quantiles[QUANTILES.index(0.5)] for quantiles in (past.quantiles, column.quantiles))
        observed = f"as if in {unit}, or the like: the median is {now:.6g}, it was {was:.6g}"
        yield Certain(name, MEDIAN, f"the unit of '{name}' must stay", observed)


def other_unit(
    now: Sequence[float], before: Sequence[float], step: float = 0.0, reach: float = 0.0
) -> str | None:
    """The unit in which all quantiles would be about as before; None if there is none, or nothing changed.

    now, before: at QUANTILES, or empty; step, reach: how far they went at once, and in all, in distances of
    the quartiles. Numbers about zero have no unit that could be told from a change.
    """
    if not now or not before or _distance(now, before) <= max(FAR, MANY * step, reach * (1 + ROUNDING)):
        return None
    was = np.array(before)
    for unit, (factor, summand) in SCALES.items():
        if _distance(now, was * factor + summand) < max(CLOSE, step):
            return unit
    if not (np.all(was[INNER] > 0) or np.all(was[INNER] < 0)):
        return None
    if _distance(now, -was[::-1]) < CLOSE:
        return "numbers of the other sign"
    if np.any(np.array(now)[INNER] * was[INNER] <= 0):
        return None
    ratios = np.log(np.array(now)[INNER] / was[INNER])
    unit = min(UNITS, key=lambda name: abs(np.median(ratios) - math.log(UNITS[name])))
    return unit if np.all(np.abs(ratios - math.log(UNITS[unit])) < ALIKE) else None


def _distance(now: Sequence[float] | np.ndarray, before: Sequence[float] | np.ndarray) -> float:
    """The mean distance of the inner quantiles, in distances of the quartiles before."""
    is_now, was = np.array(now)[INNER], np.array(before)[INNER]
    middle = len(was) // 2
    spread = was[middle + 1] - was[middle - 1] or np.ptp(was) or abs(was[middle]) or 1.0
    spread = max(spread, ROUNDING * float(np.max(np.abs(was))))
    return float(np.mean(np.abs(is_now - was)) / spread)


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The share of the different rows of two partitions that both have, by the smallest hashes of either
    (k minimum values; Z. Bar-Yossef et al., Counting distinct elements in a data stream, 2002)."""
    union = sorted({*one, *other})[: min(len(one), len(other))]
    return len({*one} & {*other} & {*union}) / len(union) if union else 0.0
