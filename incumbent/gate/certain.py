"""Findings for which no harmless cause is likely: they block, as the suite's critical expectations do.

A column gone or wholly empty, a constant that varied, numbers in another unit, a file that repeats itself or
an earlier one under new keys. Each needs figures that the history, and what a person released, never had.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from incumbent.gate.documents import Count, Finite, Share, Size, parsed
from incumbent.gate.profile import MANY_ALIKE, QUANTILES, ColumnProfile, Profile, Quantiles
from incumbent.gate.scale import Scale
from incumbent.gate.units import distance, near, unit_of_quantiles, unit_of_values, values_are_scaled

MEDIAN, NEW = "quantile 0.5", "new"
MOST_LISTED = 6
IMPOSSIBLE = 1e-6
"""The chance that a column which varied is constant by accident."""

ROUNDING = 1e-6
"""Of a share in a document, and of the sum of many."""

REPEATED, USUAL = 0.5, 0.1
"""More than half of a file is a repetition where at most a tenth was."""


@dataclass(frozen=True)
class Certain:
    """figure: of the column, the one that shows it best."""

    column: str
    figure: str
    expected: str
    observed: str

    @property
    def is_unit(self) -> bool:
        """Does it say that the numbers are in another unit?"""
        return self.figure in (MEDIAN, NEW)


@dataclass(frozen=True)
class Extremes:
    """What a column was in the past, at the extreme: the most empty, the fewest values, the largest share
    of one; its quantiles in the last partition, also of few values; their largest step from one partition to
    the next, and how far any partition's are from the last one's, in distances of the quartiles.

    scale: of the quantiles, None where they have none; values: the mean share of each, of numbers that always
    had few different ones; apart: the quantiles of partitions that are far from all others, which count for
    nothing else.
    """

    empty: Share
    distinct: Count
    commonest: Share
    quantiles: Quantiles
    step: Size
    reach: Size
    scale: Scale | None = None
    values: Mapping[Finite, Share] = field(default_factory=dict)
    apart: tuple[Quantiles, ...] = ()

    @staticmethod
    def of(columns: Mapping[str, ColumnProfile], apart: Collection[str] = ()) -> "Extremes":
        """Of a column by partition, in order of arrival; apart: those that are far from all others."""
        filled = [each for each in columns.values() if each.filled]
        quantiles = {name: each for name, column in columns.items() if (each := _quantiles(column))}
        usual = [each for name, each in quantiles.items() if name not in apart]
        last = usual[-1] if usual else ()
        return Extremes(
            max((each.empty for each in columns.values()), default=1.0),
            min((each.distinct for each in filled), default=0),
            max((each.shares.get("commonest", 1.0) for each in filled), default=1.0),
            last,
            max((distance(now, before) for before, now in pairwise(usual)), default=0.0),
            max((distance(each, last) for each in usual), default=0.0),
            Scale.of(usual),
            _few_values(filled),
            tuple(each for name, each in quantiles.items() if name in apart),
        )

    def other_unit(self, column: ColumnProfile) -> str | None:
        """The unit in which a new partition's numbers would be as before; None if there is no such."""
        if self.has_few_values(column):
            return unit_of_values(_shares(column), self.values)
        now = _quantiles(column)
        if now and any(near(now, each) for each in self.apart):
            return None
        if self.scale and (shift := self.scale.shift(now)) is not None:
            return self.scale.unit(shift)
        return unit_of_quantiles(now, self.quantiles, self.step, self.reach)

    def on_another_scale(self, column: ColumnProfile) -> bool:
        """Are a new partition's numbers as before, but for one factor?"""
        if self.has_few_values(column):
            return values_are_scaled(_shares(column), self.values)
        return self.scale is not None and self.scale.is_another(_quantiles(column))

    def has_few_values(self, column: ColumnProfile) -> bool:
        """Has a new partition few different numbers, as every one before it had?"""
        return bool(self.values) and column.kind == "number" and column.categories is not None

    def to_json(self) -> dict[str, Any]:
        """Without what most columns have none of."""
        rare = {
            "values": [list(each) for each in self.values.items()],
            "apart": [list(each) for each in self.apart],
            "scale": self.scale and vars(self.scale),
        }
        document = {**vars(self), "quantiles": list(self.quantiles), **rare}
        return {name: each for name, each in document.items() if name not in rare or each}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Extremes":
        values = document.get("values", [])
        # A list of values alone is of a former version, that knew no shares.
        shares = dict(values) if values and isinstance(values[0], list) else {}
        return parsed(Extremes, {**document, "values": shares})


def _shares(column: ColumnProfile) -> dict[float, float]:
    return {float(value): share for value, share in (column.categories or {}).items()}


def _quantiles(column: ColumnProfile) -> Quantiles:
    """Also of few values, by their shares: what has 20 different ones may have 21 in the next partition."""
    often = column.commonest if column.shares.get("commonest", 0.0) > MANY_ALIKE else None
    few = column.categories if column.kind == "number" else None
    cells = sorted((float(value), share) for value, share in (few or {}).items() if value != often)
    if column.quantiles or not cells:
        return column.quantiles
    values, shares = np.array(cells).T
    reached = np.cumsum(shares) / shares.sum()
    return tuple(float(each) for each in values[np.searchsorted(reached, np.array(QUANTILES) - ROUNDING)])


def _few_values(columns: Sequence[ColumnProfile]) -> dict[float, float]:
    """The mean share of each value of a number that has few of them in every partition."""
    if not all(each.kind == "number" and each.categories is not None for each in columns):
        return {}
    shares = [_shares(each) for each in columns]
    values = sorted({value for each in shares for value in each})
    return {value: sum(each.get(value, 0.0) for each in shares) / len(shares) for value in values}


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
    elif unit := past.other_unit(column):
        expected = f"the unit of '{name}' must stay"
        if past.has_few_values(column):
            was, now = map(_listed, (past.values, map(float, column.categories or ())))
            yield Certain(name, NEW, expected, f"as if in {unit}: the values are {now}, they were {was}")
        else:
            quantiles = past.quantiles, _quantiles(column)
            was, now = (f"{each[QUANTILES.index(0.5)]:.6g}" for each in quantiles)
            observed = f"as if in {unit}, or the like: the median is {now}, it was {was}"
            yield Certain(name, MEDIAN, expected, observed)


def _listed(values: Iterable[float]) -> str:
    first, *_ = ordered = sorted(values)
    several = [f"{each:.6g}" for each in ordered]
    return ", ".join(several) if len(several) <= MOST_LISTED else f"{first:.6g} to {ordered[-1]:.6g}"


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The share of the different rows of two partitions that both have, by the smallest hashes of either
    (k minimum values; Z. Bar-Yossef et al., Counting distinct elements in a data stream, 2002)."""
    union = sorted({*one, *other})[: min(len(one), len(other))]
    return len({*one} & {*other} & {*union}) / len(union) if union else 0.0
