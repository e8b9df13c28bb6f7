"""Did all numbers of a column go by one factor? The logarithms of its quantiles tell.

A low quantile of a long-tailed column varies by half from one partition to the next, a high one by little:
each is judged by its own past, and most of them must agree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from incumbent.gate.documents import Finite, Positive
from incumbent.gate.units import ALIKE, EXACT, GREAT_UNITS, INNER, NEAR_UNITS, unit_of_factor

PARTITIONS = 4
"""Of fewer nobody knows what varies how much."""

LATEST = 8
"""Partitions whose median is where a column stands: it holds a week, and follows a trend."""

AGREEING = 4
"""Of the five inner quantiles; the other may be rounded to nothing."""

ROUNDING = 0.01
"""The least deviation of a logarithm that is believed."""

SHAPE, LEVEL = 4.0, 2.5
"""Deviations by which a quantile may miss the common factor, and this a unit's."""

FARTHER = 6.0
"""Deviations of the level; what goes less far by one factor may go on from where it was."""

ANOTHER = math.log(1.5)
"""What goes by less is no other scale: prices rise, distances grow."""

Each = Field(min_length=5, max_length=5)
"""One for each inner quantile."""


@dataclass(frozen=True)
class Scale:
    """Where the inner quantiles of a column are, as logarithms of their sizes, if all are of one `sign`.

    center, deviation: (5,), the deviation about a common factor, None for a quantile that was not always of
    this sign; level: the deviation of that factor.
    """

    sign: Finite
    center: Annotated[tuple[Finite | None, ...], Each]
    deviation: Annotated[tuple[Positive | None, ...], Each]
    level: Positive

    @staticmethod
    def of(quantiles: Sequence[Sequence[float]]) -> "Scale | None":
        """Of partitions' quantiles, in order of arrival; None with few, or where numbers lie about zero."""
        if len(quantiles) < PARTITIONS:
            return None
        inner = np.array(quantiles)[:, INNER]
        sign = float(np.sign(inner[-1, inner.shape[1] // 2]))
        logs = _logs(inner, sign)
        logs[:, np.isnan(logs).any(axis=0)] = np.nan
        if np.isfinite(logs[0]).sum() < AGREEING:
            return None
        center = np.median(logs[-LATEST:], axis=0)
        differences = logs - center
        common = _common(differences, _deviation(differences))
        one_step = np.minimum(1.0, _step(inner) / np.exp(center))
        shape = np.maximum(_deviation(differences - common[:, None]), one_step / SHAPE)
        level = float(_deviation(_common(differences, shape)))
        return Scale(sign, _numbers(center), _numbers(shape), level)

    def shift(self, now: Sequence[float]) -> float | None:
        """The logarithm of the factor by which these quantiles went; None if there is no such, or it may be
        by chance."""
        if not now:
            return None
        center, deviation = (np.array(each, dtype=np.float64) for each in (self.center, self.deviation))
        differences = _logs(np.array(now)[INNER], self.sign) - center
        if np.isfinite(differences).sum() < AGREEING:
            return None
        [shift] = _common(differences[None, :], deviation)
        agreeing = np.abs(differences - shift) <= SHAPE * deviation
        return float(shift) if abs(shift) > FARTHER * self.level and agreeing.sum() >= AGREEING else None

    def unit(self, shift: float) -> str | None:
        """The unit in which numbers that went by this factor would be as before; shift: its logarithm.

        A small factor is no unit's where the column itself goes about farther than it may miss one.
        """
        units = NEAR_UNITS if self.level <= EXACT else GREAT_UNITS
        return unit_of_factor(shift, units, min(ALIKE, max(EXACT, LEVEL * self.level)))

    def is_another(self, now: Sequence[float]) -> bool:
        """Are these of the same shape on another scale, of whatever factor?"""
        shift = self.shift(now)
        return shift is not None and abs(shift) >= ANOTHER


def _logs(quantiles: np.ndarray, sign: float) -> np.ndarray:
    """NaN for those of another sign, or none."""
    sizes = sign * quantiles
    return np.log(np.where(sizes > 0, sizes, np.nan))


def _step(quantiles: np.ndarray) -> float:
    """The least difference of any two: numbers in steps may have each quantile a step away."""
    with np.errstate(over="ignore"):
        return float(min(np.diff(np.unique(quantiles)), default=0.0))


def _numbers(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(each) else float(each) for each in values)


def _deviation(differences: np.ndarray) -> np.ndarray:
    """The root of the mean square over the first axis."""
    return np.maximum(ROUNDING, np.sqrt((differences**2).mean(axis=0)))


def _common(differences: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The mean of each row, (n,): the more precise counts the more, and NaN nothing."""
    weights = np.where(np.isnan(differences), 0.0, np.nan_to_num(1 / deviation**2))
    return np.asarray((weights * np.nan_to_num(differences)).sum(axis=1) / weights.sum(axis=1))
