"""Are numbers in another unit than before? By their quantiles or, where there are few values, by these."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

MULTIPLES = (10, 100, 1000, 1_000_000, 60, 3600, 24, 12, 7)
"""The likeliest first, as a column that varies much may fit several."""

UNITS: Mapping[str, float] = {
    **{f"units {factor:,} times smaller": float(factor) for factor in MULTIPLES},
    **{f"units {factor:,} times larger": 1 / factor for factor in MULTIPLES},
    "pounds instead of kilograms": 2.20462,
    "kilograms instead of pounds": 0.453592,
    "feet instead of metres": 3.28084,
}
"""By what a number is multiplied."""

NEAR_UNITS: Mapping[str, float] = {
    **UNITS,
    "kilometres instead of miles": 1.609344,
    "kilometres an hour instead of metres a second": 3.6,
    "metres a second instead of kilometres an hour": 1 / 3.6,
}
"""Also what may be news, unless history was steady and all quantiles go by just this factor."""

ALL_UNITS: Mapping[str, float] = {
    **NEAR_UNITS,
    "metres instead of feet": 0.3048,
    "inches instead of centimetres": 0.393701,
    "miles instead of kilometres": 0.621371,
    "centimetres instead of inches": 2.54,
}
"""Also what quantiles can't tell from prices that go by 0.3, 0.4, 0.6 or 2.5, and single values can."""

SCALES: Mapping[str, tuple[float, float]] = {
    "Fahrenheit instead of Celsius": (1.8, 32.0),
    "Celsius instead of Fahrenheit": (1 / 1.8, -32 / 1.8),
    "Kelvin instead of Celsius": (1.0, 273.15),
    "Celsius instead of Kelvin": (1.0, -273.15),
}
"""Factor and summand."""

OTHER_SIGN = "numbers of the other sign"
EXACT, ALIKE = 0.03, 0.2
"""By how much the logarithm of a factor may always miss that of a unit's, and by how much it never may."""

SMALL = math.log(5)
"""Prices may double, and distances halve: what goes by less than this must go by a unit's factor exactly."""

GREAT_UNITS: Mapping[str, float] = {
    unit: factor for unit, factor in UNITS.items() if abs(math.log(factor)) >= SMALL
}

CLOSE, FAR, MANY = 0.35, 1.5, 2.0
"""How near the quantiles must be to those on another scale, and how far from what they were, in distances of
the quartiles; and how many times farther than they ever went at once."""

FEW = 3
"""Different values; fewer have no unit."""

SAME = 0.005
"""The relative difference of a value and one in another unit, that was rounded."""

LIKE, UNLIKE = 0.25, 0.6
"""The share of rows by which the frequencies of few values may differ from those on the other scale, and by
which they must differ as they are."""

ROUNDING = 1e-5
FARTHEST = float(np.finfo(np.float64).max)
"""Where a distance is no float: a document holds finite numbers only."""

INNER = slice(1, -1)
"""The extreme quantiles vary most."""


def unit_of_quantiles(
    now: Sequence[float], before: Sequence[float], step: float = 0.0, reach: float = 0.0
) -> str | None:
    """The unit in which all quantiles would be about as before; None if there is none, or nothing changed.

    now, before: at QUANTILES, or empty; step, reach: how far they went at once, and in all, in distances of
    the quartiles. Numbers about zero have no unit that could be told from a change.
    """
    if not now or not before or distance(now, before) <= max(FAR, MANY * step, reach * (1 + ROUNDING)):
        return None
    was = np.array(before)
    for unit, (factor, summand) in SCALES.items():
        if distance(now, was * factor + summand) < max(CLOSE, step):
            return unit
    if one_sign(before) and distance(now, -was[::-1]) < CLOSE:
        return OTHER_SIGN
    return _by_factor(now, before)


def _by_factor(now: Sequence[float], before: Sequence[float]) -> str | None:
    if not (one_sign(now) and one_sign(before) and now[1] * before[1] > 0):
        return None
    ratios = np.log(np.array(now)[INNER] / np.array(before)[INNER])
    unit = unit_of_factor(float(np.median(ratios)), UNITS, ALIKE)
    return unit if unit and np.all(np.abs(ratios - math.log(UNITS[unit])) < ALIKE) else None


def unit_of_factor(shift: float, units: Mapping[str, float], most: float) -> str | None:
    """The unit by whose factor numbers went, if there is one; shift: the logarithm of theirs; most: by how
    much that may miss a great factor's, EXACT at least."""
    misses = {unit: abs(shift - math.log(factor)) for unit, factor in units.items()}
    exact = (unit for unit, miss in misses.items() if miss <= EXACT)
    about = (unit for unit in GREAT_UNITS if misses[unit] <= most)
    return next(exact, None) or next(about, None)


def unit_of_values(now: Mapping[float, float], known: Mapping[float, float]) -> str | None:
    """The unit in which few different values would be about as frequent as before; None if they are as they
    were. now, known: the share of each."""
    factors = {**ALL_UNITS, OTHER_SIGN: -1.0}
    return next((unit for unit, factor in factors.items() if _is_scaled(now, known, factor)), None)


def values_are_scaled(now: Mapping[float, float], known: Mapping[float, float]) -> bool:
    """Are few different values about as frequent as before, but for one factor, whatever it is?"""
    if min(len(now), len(known)) < FEW:
        return False
    new, old = (sorted({*values} - {0.0}) for values in (now, known))
    return any(_is_scaled(now, known, new[end] / old[end]) for end in (0, -1))


def _is_scaled(now: Mapping[float, float], known: Mapping[float, float], factor: float) -> bool:
    if min(len(now.keys() - {0.0}), len(known.keys() - {0.0})) < FEW:
        return False
    scaled = {factor * value: share for value, share in known.items()}
    return _differing(now, known) >= UNLIKE and _differing(now, scaled) <= LIKE


def _differing(now: Mapping[float, float], known: Mapping[float, float]) -> float:
    """The share of rows by which these frequencies differ; values that are nearly the same are."""
    values, others = np.array([*now]), np.array([*known])
    near = np.abs(values[:, None] - others[None, :]).argmin(axis=1)
    same = np.abs(values - others[near]) <= SAME * np.abs(others[near])
    gathered = np.zeros(len(others))
    np.add.at(gathered, near[same], np.array([*now.values()])[same])
    return float(1 - np.minimum(gathered, np.array([*known.values()])).sum())


def one_sign(quantiles: Sequence[float]) -> bool:
    inner = np.array(quantiles)[INNER]
    return bool(np.all(inner > 0) or np.all(inner < 0))


def near(one: Sequence[float], other: Sequence[float]) -> bool:
    """Are these quantiles about the same, by the distances of the quartiles of either?"""
    return max(distance(one, other), distance(other, one)) <= FAR


def distance(now: Sequence[float] | np.ndarray, before: Sequence[float] | np.ndarray) -> float:
    """The mean distance of the inner quantiles, in distances of the quartiles before."""
    is_now, was = np.array(now)[INNER], np.array(before)[INNER]
    middle = len(was) // 2
    with np.errstate(over="ignore", invalid="ignore"):
        spread = was[middle + 1] - was[middle - 1] or np.ptp(was) or abs(was[middle]) or 1.0
        spread = max(spread, ROUNDING * float(np.max(np.abs(was))))
        far = np.mean(np.abs(is_now - was)) / spread
    return float(np.nan_to_num(far, nan=FARTHEST, posinf=FARTHEST))
