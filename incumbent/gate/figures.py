"""A profile's figures, each on a scale on which its differences compare, and with its sampling error.

Some are relative to a reference, the history together: how far categories moved, how a column tells the
target.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

import numpy as np

from incumbent.gate.documents import Count, Finite, Positive, Size
from incumbent.gate.profile import QUANTILES, ColumnProfile, Profile

Family = Literal[
    "share",
    "place",
    "volume",
    "count",
    "correlation",
    "distance",
    "length",
    "run",
    "slope",
    "slopes",
    "sensor",
]
Key = tuple[str, str]
"""Column (TABLE: none of them alone) and figure."""

TABLE = "*"

FEW = 20
"""Filled cells; fewer tell nothing of a distribution."""

MEDIAN = QUANTILES.index(0.5)
DOMAIN, RECENT_MODEL, SLOPES = "domain", "recent model", "slopes"
UPPER_ONLY = {"repeated", "run", "new", "moved", DOMAIN}
LOWER_ONLY = {RECENT_MODEL}
OF_TARGET = ("run", "slope", SLOPES, RECENT_MODEL)
"""Figures that follow from the target."""


@dataclass(frozen=True)
class Figure:
    """`value` in its own unit; error: standard error on the family's scale; scale: (middle, spread) of
    places."""

    family: Family
    value: float
    error: float
    scale: tuple[float, float] = (0.0, 1.0)

    @property
    def scaled(self) -> float:
        return to_scale(self.family, self.value, self.scale)


def to_scale(family: Family, value: float, scale: tuple[float, float]) -> float:
    """Arcsine of a share and of an AUC, logarithm of a count, Fisher's z of a correlation, a place in
    spreads, its tails shortened: an error is then about as large anywhere. Infinities stay."""
    if math.isinf(value):
        return value
    match family:
        case "share" | "sensor":
            return 2 * math.asin(math.sqrt(min(1.0, max(0.0, value))))
        case "place":
            return math.asinh((value - scale[0]) / scale[1])
        case "volume" | "count" | "run":
            return math.log(max(value, 1e-12))
        case "length":
            return math.log1p(value)
        case "correlation":
            return math.atanh(min(0.9999, max(-0.9999, value)))
        case _:
            return value


def from_scale(family: Family, value: float, scale: tuple[float, float]) -> float:
    """The inverse; limits beyond what a figure can be become its least or greatest."""
    match family:
        case "share" | "sensor":
            return 1.0 if value >= math.pi else math.sin(max(0.0, value) / 2) ** 2
        case "place":
            return scale[0] + scale[1] * math.sinh(min(50.0, max(-50.0, value)))
        case "volume" | "count" | "run":
            return math.exp(min(100.0, value))
        case "length":
            return math.expm1(min(100.0, max(0.0, value)))
        case "correlation":
            return math.tanh(value)
        case _:
            return value


@dataclass
class ColumnReference:
    """middle, spread: of its numbers; cells: filled ones of the samples of so many profiles; shares: by
    category, the sum of its share over partitions, and in how many it is; targets: by value, the sum of the
    target, and the rows.
    """

    middle: Finite = 0.0
    spread: Positive = 1.0
    partitions: Count = 0
    cells: Count = 0
    profiles: Count = 0
    shares: dict[str, tuple[Size, Count]] = field(default_factory=dict)
    targets: dict[str, tuple[Finite, Count]] = field(default_factory=dict)

    def add(self, column: ColumnProfile, sampled: int, times: int = 1) -> None:
        """Add a partition, or take it out (times = -1). sampled: rows of its sample."""
        self.cells += times * min(column.filled, sampled)
        self.profiles += times
        if column.categories is not None:
            self.partitions += times
            for value, share in column.categories.items():
                total, count = self.shares.get(value, (0.0, 0))
                self.shares[value] = total + times * share, count + times
        for value, (mean, rows) in column.targets.items():
            total, count = self.targets.get(value, (0.0, 0))
            self.targets[value] = total + times * mean * rows, count + times * rows


Reference = Mapping[str, ColumnReference]


def reference_of(profiles: Sequence[Profile]) -> dict[str, ColumnReference]:
    """The columns of a history together."""
    reference: dict[str, ColumnReference] = {}
    for each in profiles:
        for name, column in each.columns.items():
            reference.setdefault(name, ColumnReference()).add(column, each.sampled)
    for name, together in reference.items():
        quantiles = [c.quantiles for each in profiles if (c := each.columns.get(name)) and c.quantiles]
        if quantiles:
            together.middle, together.spread = _middle_and_spread(np.array(quantiles))
    return reference


def _middle_and_spread(quantiles: np.ndarray) -> tuple[float, float]:
    """Of (partitions, QUANTILES): the median, and the quartiles' distance; where it is 0, of wider ones."""
    middle = float(np.median(quantiles[:, MEDIAN]))
    for width, share in ((1, 1.0), (2, 0.5), (3, 0.5)):
        spread = share * float(np.median(quantiles[:, MEDIAN + width] - quantiles[:, MEDIAN - width]))
        if spread > 0:
            return middle, spread
    return middle, abs(middle) or 1.0


def figures(profile: Profile, reference: Reference, *, part_of_it: bool = False) -> dict[Key, Figure]:
    """All figures of a profile; part_of_it: the reference holds it, and is to be seen without it."""
    measured = dict(_of_table(profile))
    informative: list[tuple[ColumnProfile, ColumnReference]] = []
    for name, column in profile.columns.items():
        past = reference.get(name)
        if name != profile.target:  # labels come late
            measured[name, "empty"] = Figure("share", column.empty, _error(profile.rows))
        if past is None or column.filled < FEW:
            continue
        if part_of_it:
            past.add(column, profile.sampled, -1)
        for statistic, figure in _of_column(column, past, profile.sampled):
            measured[name, statistic] = figure
        informative.append((column, past))
        if (slope := _slope([(column, past)], profile.sampled)) is not None:
            measured[name, "slope"] = Figure("slope", *slope)
        for other, correlation in column.correlations.items():
            measured[name, f"with {other}"] = Figure("correlation", correlation, _error(profile.sampled))
    if (slope := _slope(informative, profile.sampled)) is not None:
        measured[TABLE, SLOPES] = Figure("slopes", *slope)
    if part_of_it:
        for column, past in informative:
            past.add(column, profile.sampled)
    return measured


def _error(rows: int) -> float:
    return 1 / math.sqrt(max(1, rows))


def _of_table(profile: Profile) -> Iterator[tuple[Key, Figure]]:
    yield (TABLE, "rows"), Figure("volume", max(1, profile.rows), 0.0)
    yield (TABLE, "repeated"), Figure("share", profile.repeated, _error(profile.rows))
    if profile.run:
        yield (TABLE, "run"), Figure("run", profile.run, 0.15)
    for name, value in profile.sensors.items():
        yield (TABLE, name), Figure("sensor", value, _error(profile.sampled))


def _of_column(column: ColumnProfile, past: ColumnReference, sampled: int) -> Iterator[tuple[str, Figure]]:
    error = _error(min(column.filled, sampled))
    for name, share in column.shares.items():
        yield name, Figure("share", min(1.0, share), error)
    # With more rows there are more different values; how many more, nobody knows.
    ratio = math.log(max(1, past.cells) / max(1, past.profiles) / min(column.filled, sampled))
    yield "distinct", Figure("count", column.distinct, math.hypot(error, ratio))
    if column.deviation:  # of a constant, `distinct` tells
        yield "deviation", Figure("count", column.deviation, 2 * error)
    if column.length is not None:
        yield "length", Figure("length", column.length, error / 2)
    scale = past.middle, past.spread
    for place, value in zip(QUANTILES, column.quantiles, strict=False):
        yield f"quantile {place}", Figure("place", value, error * _quantile_error(place, value, scale), scale)
    if column.categories is not None and past.partitions:
        known = {name: total / past.partitions for name, (total, count) in past.shares.items() if count}
        new = sum(share for name, share in column.categories.items() if name not in known)
        names = known.keys() | column.categories.keys()
        moved = sum(abs(column.categories.get(name, 0.0) - known.get(name, 0.0)) for name in names) / 2
        yield "new", Figure("share", new, error)
        yield "moved", Figure("distance", moved, error * math.sqrt(len(names)) / 2)


def _quantile_error(place: float, value: float, scale: tuple[float, float]) -> float:
    """Of one row's worth, in spreads, as if the values were normal; the tails are often heavier."""
    z = NormalDist().inv_cdf(place)
    heavier = 2 if place in (QUANTILES[0], QUANTILES[-1]) else 1
    shortened = 1 / math.hypot(1, (value - scale[0]) / scale[1])
    return 0.74 * heavier * shortened * math.sqrt(place * (1 - place)) / NormalDist().pdf(z)


def _slope(columns: Iterable[tuple[ColumnProfile, ColumnReference]], rows: int) -> tuple[float, float] | None:
    """How the target follows the columns' values, as a multiple of how it did before, and the standard error.

    1: as before; 0: not at all, as with shuffled labels; -1: the other way round. By least squares over all
    values of all columns, of the target's means less the mean over all. None if it never did.
    """
    products = squares = 0.0
    most, variance = 0, 0.25
    for column, past in columns:
        shared = [name for name in column.targets if past.targets.get(name, (0.0, 0))[1] >= FEW]
        if len(shared) < 2:
            continue
        weights = np.array([column.targets[name][1] for name in shared], dtype=np.float64)
        now = np.array([column.targets[name][0] for name in shared])
        before = np.array([past.targets[name][0] / past.targets[name][1] for name in shared])
        mean = float(np.average(now, weights=weights))
        if weights.sum() > most:
            most, variance = int(weights.sum()), max(1e-4, mean * (1 - mean))
        weights /= weights.sum()
        now, before = now - mean, before - np.average(before, weights=weights)
        products += float(weights @ (now * before))
        squares += float(weights @ before**2)
    if squares <= 1e-6:
        return None
    return products / squares, math.sqrt(variance / most / squares)
