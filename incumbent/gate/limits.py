"""Limits for each figure of the next partition, learned from how past partitions differed.

Prediction intervals of Student's t: about the mean, about the last partition, along a line, and about the
partition one season before; the widest counts, so that a trend or a season does not warn at each arrival. The
variance of a figure is shrunk to the usual one of its family, since a history is short. The chance of a false
alarm is divided by the number of figures (Bonferroni). After Auto-Validate by-History (KDD 2023).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from scipy.stats import t as student

from incumbent.gate.figures import (
    LOWER_ONLY,
    UPPER_ONLY,
    Family,
    Figure,
    Key,
    figures,
    from_scale,
    reference_of,
    to_scale,
)
from incumbent.gate.profile import Profile

FLOOR: Mapping[Family, float] = {
    "share": 0.05,
    "place": 0.05,
    "volume": 0.11,
    "count": 0.15,
    "correlation": 0.03,
    "distance": 0.02,
    "length": 0.05,
    "run": 0.3,
    "slope": 0.15,
    "slopes": 0.07,
    "sensor": 0.15,
}
"""The least deviation between partitions that we believe, on the family's scale, however alike the past ones
are: without it a third of real arrivals alarm."""

FREE = 2.5
"""How much farther the number of rows may go before it is suspicious."""

UNKNOWN = 3.0
"""Of a single partition: how many times the floor its figures may deviate."""

PRIOR = 6
"""Degrees of freedom that the family's usual variance counts as."""

ROUNDING = 1e-6
SLACK = 1e-5
"""Relative; a limit in a document is rounded."""

WEAK, HELD = 0.2, 0.5
"""A weaker rank correlation is not watched, nor how the target follows a column that it ever left by half."""

LONGEST = 40
"""Partitions of history; what is older says little of the next."""


Severity = Literal["usual", "unusual", "suspicious"]


@dataclass(frozen=True)
class Limit:
    """What a figure of the next partition should be: within (low, high), or else within (least, greatest).

    In the figure's own unit. past: its least and greatest among so many `partitions`. center, deviation and
    error are on the family's scale, and widen the limits for a partition with fewer rows than usual.
    """

    column: str
    figure: str
    family: Family
    low: float
    high: float
    least: float
    greatest: float
    past: tuple[float, float]
    partitions: int
    center: float
    deviation: float
    error: float
    scale: tuple[float, float] = (0.0, 1.0)

    def severity(self, figure: Figure) -> Severity:
        """Is the figure within its limits? With fewer rows than usual they are wider."""
        factor = math.sqrt(1 + max(0.0, figure.error**2 - self.error**2) / self.deviation**2)
        if self._holds(figure.scaled, self.low, self.high, factor):
            return "usual"
        return "unusual" if self._holds(figure.scaled, self.least, self.greatest, factor) else "suspicious"

    def _holds(self, scaled: float, low: float, high: float, factor: float) -> bool:
        ends = (to_scale(self.family, end, self.scale) for end in (low, high))
        first, last = ((end, self.center + factor * (end - self.center)) for end in ends)
        return min(first) - ROUNDING <= scaled <= max(last) + ROUNDING

    def holding(self, values: Sequence[float]) -> "Limit":
        """The same, but wide enough for all of these."""
        few = [min(values), max(values)]
        low, high = (value + sign * SLACK * abs(value) for value, sign in zip(few, (-1, 1), strict=True))
        return replace(
            self, low=min(low, self.low), high=max(high, self.high),
            least=min(low, self.least), greatest=max(high, self.greatest),
        )  # fmt: skip


def learn(history: Sequence[Profile], false_alarms: float, season: int) -> list[Limit]:
    """Limits for the next partition after `history`, in order of arrival.

    false_alarms: of arrivals like the past, the share that may be outside some (low, high); a tenth of it may
    be outside some (least, greatest). season: partitions of one, 0 if unknown.
    """
    history = history[-LONGEST:]
    reference = reference_of(history)
    alone = len(history) == 1
    past = [figures(each, reference, part_of_it=not alone) for each in history]
    fitting = [figures(each, reference) for each in history]
    keys = [key for key in past[-1] if not (alone and key[1] in ("new", "moved", "slope", "slopes"))]
    series = {key: [each[key] for each in past if key in each] for key in keys}
    series = {key: each for key, each in series.items() if _telling(each)}
    if not series:
        return []
    usual = _usual_variances(series)
    chance = false_alarms / len(series)
    return [
        _limit(key, each, usual[each[0].family], chance, season).holding(
            [figure.value for each in (*past, *fitting) if (figure := each.get(key))]
        )
        for key, each in series.items()
    ]


def _telling(past: Sequence[Figure]) -> bool:
    """Columns that never went together say little where they do, as does one that hardly tells the target."""
    if past[0].family == "slope":
        return min(each.value for each in past) >= HELD
    return past[0].family != "correlation" or max(abs(each.value) for each in past) >= WEAK


def _usual_variances(series: Mapping[Key, Sequence[Figure]]) -> dict[Family, float]:
    """Of the partitions' differences beyond sampling, by family: the median of its figures."""
    variances: dict[Family, list[float]] = {}
    for each in series.values():
        if len(each) > 1:
            scaled, errors = _arrays(each)
            beyond = max(0.0, float(scaled.var(ddof=1) - np.mean(errors**2)))
            variances.setdefault(each[0].family, []).append(beyond)
    return {
        family: max(
            floor**2, float(np.median(variances[family])) if family in variances else (UNKNOWN * floor) ** 2
        )
        for family, floor in FLOOR.items()
    }


def _arrays(each: Sequence[Figure]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([figure.scaled for figure in each]), np.array([figure.error for figure in each])


def _limit(key: Key, past: Sequence[Figure], usual: float, chance: float, season: int) -> Limit:
    scaled, errors = _arrays(past)
    family, scale = past[-1].family, past[-1].scale
    sampling = float(np.mean(errors**2))
    floor = math.sqrt(FLOOR[family] ** 2 + sampling)
    ends: list[tuple[float, float, float, float]] = []
    deviations = []
    for center, squares, freedom, inflation in _models(scaled, season):
        variance = (PRIOR * (usual + sampling) + squares) / (PRIOR + freedom) * inflation
        deviation = max(floor, math.sqrt(variance))
        deviations.append(deviation)
        near, far = (deviation * _width(alpha, PRIOR + freedom) for alpha in (chance, chance / 10))
        if family == "volume":  # more or fewer rows are told, and seldom wrong
            far *= FREE
        ends.append((center - near, center + near, center - far, center + far))
    low, least = min(each[0] for each in ends), min(each[2] for each in ends)
    high, greatest = max(each[1] for each in ends), max(each[3] for each in ends)
    if key[1] in UPPER_ONLY:
        low = least = -math.inf
    if key[1] in LOWER_ONLY:
        high = greatest = math.inf
    values = [figure.value for figure in past]
    return Limit(
        column=key[0],
        figure=key[1],
        family=family,
        low=_end(family, low, scale),
        high=_end(family, high, scale),
        least=_end(family, least, scale),
        greatest=_end(family, greatest, scale),
        past=(min(values), max(values)),
        partitions=len(past),
        center=float(scaled.mean()),
        deviation=deviations[0],
        error=math.sqrt(sampling),
        scale=scale,
    )


def _end(family: Family, scaled: float, scale: tuple[float, float]) -> float:
    if math.isinf(scaled):
        return scaled
    return min(1.0, scaled) if family == "distance" else from_scale(family, scaled, scale)


@cache
def _width(chance: float, freedom: int) -> float:
    """Of a two-sided interval of Student's t, in deviations."""
    return float(student.isf(chance / 2, freedom))


def _models(scaled: np.ndarray, season: int) -> list[tuple[float, float, int, float]]:
    """For each way to foresee the next: its center, the squares of its residuals, their degrees of freedom,
    and how much wider the prediction is than a residual."""
    count = len(scaled)
    mean = float(scaled.mean())
    models = [(mean, float(((scaled - mean) ** 2).sum()), count - 1, 1 + 1 / count)]
    if count >= 2:
        models.append((float(scaled[-1]), float((np.diff(scaled) ** 2).sum()), count - 1, 1.0))
    if count >= 6:
        place = np.arange(count)
        squares = float(((place - place.mean()) ** 2).sum())
        slope = float((place - place.mean()) @ scaled) / squares
        start = mean - slope * float(place.mean())
        residuals = scaled - (start + slope * place)
        leverage = 1 + 1 / count + (count - place.mean()) ** 2 / squares
        models.append((float(start + slope * count), float((residuals**2).sum()), count - 2, float(leverage)))
    if season and count > season:
        squares = float(((scaled[season:] - scaled[:-season]) ** 2).sum())
        models.append((float(scaled[count - season]), squares, count - season, 1.0))
    return models
