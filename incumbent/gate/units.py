"""Are numbers in another unit than before? By their quantiles or, where there are few values, by these."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

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
"""By what a number is multiplied."""

NEAR_UNITS: Mapping[str, float] = {
    **UNITS,
    "kilometres instead of miles": 1.609344,
    "miles instead of kilometres": 0.621371,
}
"""Also what may be news, unless history was steady and all quantiles go by just this factor."""

SCALES: Mapping[str, tuple[float, float]] = {
    "Fahrenheit instead of Celsius": (1.8, 32.0),
    "Celsius instead of Fahrenheit": (1 / 1.8, -32 / 1.8),
    "Kelvin instead of Celsius": (1.0, 273.15),
    "Celsius instead of Kelvin": (1.0, -273.15),
}
"""Factor and summand."""

OTHER_SIGN = "numbers of the other sign"
ALIKE = 0.2
"""How much the logarithms of the quantiles' ratios may differ from the factor's."""

STEADY, EXACT = 0.12, 0.03
"""The logarithm by which quantiles of a steady column ever went, at most; and by how much more than they went
they may miss a factor; their median, more than half of it."""

CLOSE, FAR, MANY = 0.35, 1.5, 2.0
"""How near the quantiles must be to those on another scale, and how far from what they were, in distances of
the quartiles; and how many times farther than they ever went at once."""

FEW = 3
"""Different values; fewer have no unit."""

SAME = 0.005
"""The relative difference of a value and one in another unit, that was rounded."""

ROUNDING = 1e-5
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
    return _by_factor(now, before, UNITS, ALIKE)


def unit_of_steady(now: Sequence[float], before: Sequence[float], ratio: float | None) -> str | None:
    """The same where the quantiles were steady, and so a smaller factor tells; ratio: the logarithm by which
    they ever went, None where that is not known."""
    if not now or not before or ratio is None or ratio > STEADY:
        return None
    unit = _by_factor(now, before, NEAR_UNITS, EXACT + ratio)
    ratios = log_ratios(now, before)
    if unit is None or ratios is None:
        return None
    return unit if abs(np.median(ratios) - math.log(NEAR_UNITS[unit])) < EXACT + ratio / 2 else None


def _by_factor(
    now: Sequence[float], before: Sequence[float], units: Mapping[str, float], most: float
) -> str | None:
    if (ratios := log_ratios(now, before)) is None:
        return None
    unit = min(units, key=lambda name: abs(np.median(ratios) - math.log(units[name])))
    return unit if np.all(np.abs(ratios - math.log(units[unit])) < most) else None


def unit_of_values(now: Collection[float], known: Collection[float]) -> str | None:
    """The unit in which all of these few different values would be known ones; None if some are."""
    new, old = (np.array(sorted({*values} - {0.0})) for values in (now, known))
    if min(len(new), len(old)) < FEW or 2 * len(new) < len(old) or _are_among(new, old).any():
        return None
    factors = {**UNITS, OTHER_SIGN: -1.0}
    return next((unit for unit, factor in factors.items() if _are_among(new, factor * old).all()), None)


def _are_among(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    differences = np.abs(values[:, None] - others[None, :])
    return np.asarray((differences <= SAME * np.abs(others)[None, :]).any(axis=1))


def one_sign(quantiles: Sequence[float]) -> bool:
    inner = np.array(quantiles)[INNER]
    return bool(np.all(inner > 0) or np.all(inner < 0))


def log_ratios(now: Sequence[float], before: Sequence[float]) -> np.ndarray | None:
    """Of the inner quantiles; None where they are not all of one sign."""
    if not (one_sign(now) and one_sign(before) and now[1] * before[1] > 0):
        return None
    return np.asarray(np.log(np.array(now)[INNER] / np.array(before)[INNER]))


def near(one: Sequence[float], other: Sequence[float]) -> bool:
    """Are these quantiles about the same, by the distances of the quartiles of either?"""
    return max(distance(one, other), distance(other, one)) <= FAR


def distance(now: Sequence[float] | np.ndarray, before: Sequence[float] | np.ndarray) -> float:
    """The mean distance of the inner quantiles, in distances of the quartiles before."""
    is_now, was = np.array(now)[INNER], np.array(before)[INNER]
    middle = len(was) // 2
    spread = was[middle + 1] - was[middle - 1] or np.ptp(was) or abs(was[middle]) or 1.0
    spread = max(spread, ROUNDING * float(np.max(np.abs(was))))
    with np.errstate(over="ignore"):  # infinitely far is far
        return float(np.mean(np.abs(is_now - was)) / spread)
