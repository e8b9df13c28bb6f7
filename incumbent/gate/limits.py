"""Limits for each figure of the next partition, learned from how past partitions differed.

Prediction intervals of Student's t: about the mean, about the last partition, along a line, and about the
partition one season before; the widest of those that foresee well counts, so that a trend or a season does
not warn at each arrival. The variance of a figure is shrunk to the usual one of its family, since a history
is short. The chance of a false alarm is divided by the number of figures (Bonferroni). After Auto-Validate
by-History (KDD 2023).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np
from scipy.stats import t as student

from incumbent.gate.documents import Count, Finite, Positive, Size
from incumbent.gate.figures import (
    DOMAIN,
    LOWER_ONLY,
    RECENT_MODEL,
    SLOPES,
    UPPER_ONLY,
    Family,
    Figure,
    from_scale,
    to_scale,
)
from incumbent.gate.profile import Profile
from incumbent.gate.series import FEWEST, FLOOR, Series, series_of, usual_variances

FREE = 2.5
"""How much farther the number of rows may go before it is suspicious."""

PRIOR = 6
"""Degrees of freedom that the family's usual variance counts as."""

WIDER = 2.0
"""An interval that is so many times as wide as the narrowest counts for nothing: where a season or a line
does well, the mean only gives room. A less wide one does, as few partitions may flatter the best."""

ROUNDING = 1e-6
SLACK = 1e-5
"""Relative; a limit in a document is rounded."""

NOTHING: Mapping[str, float] = {SLOPES: 0.0, RECENT_MODEL: 0.5}
"""What figures of the target are if nothing tells it, as with shuffled labels."""

BY_CHANCE, CLEARLY = 2.0, 3.0
"""Standard errors: within these it may be nothing, and beyond these it is something."""

MANY, PART = 20, 0.6
"""Of so many partitions the smallest tells how few rows may come: not less than this share of its."""

LONGEST = 40
"""Partitions of history; what is older says little of the next."""


Severity = Literal["usual", "unusual", "suspicious"]


@dataclass(frozen=True)
class Limit:
    """What a figure of the next partition should be: within (low, high), or else within (least, greatest).

    In the figure's own unit. past: its least and greatest among so many `partitions`. center, deviation and
    error are on the family's scale, and widen the limits for a partition with fewer rows than usual. apart:
    the values of partitions that are far from all others; what is as near to one as the limits are wide is
    usual.
    """

    column: str
    figure: str
    family: Family
    low: float
    high: float
    least: float
    greatest: float
    past: tuple[Finite, Finite]
    partitions: Count
    center: Finite
    deviation: Positive
    error: Size
    scale: tuple[Finite, Positive] = (0.0, 1.0)
    apart: Mapping[str, Finite] = field(default_factory=dict)

    def severity(self, figure: Figure) -> Severity:
        """Is the figure within its limits? With fewer rows than usual they are wider."""
        factor = math.sqrt(1 + max(0.0, figure.error**2 - self.error**2) / self.deviation**2)
        if self._is_known(figure.scaled, factor):
            return "usual"
        if self._is_nothing(figure) or figure.value < self.fewest:
            return "suspicious"
        if self._holds(figure.scaled, self.low, self.high, factor):
            return "usual"
        return "unusual" if self._holds(figure.scaled, self.least, self.greatest, factor) else "suspicious"

    def _holds(self, scaled: float, low: float, high: float, factor: float) -> bool:
        ends = (to_scale(self.family, end, self.scale) for end in (low, high))
        first, last = ((end, self.center + factor * (end - self.center)) for end in ends)
        return min(first) - ROUNDING <= scaled <= max(last) + ROUNDING

    def _is_known(self, scaled: float, factor: float) -> bool:
        """Is it near a value that is set apart?"""
        ends = [to_scale(self.family, end, self.scale) for end in (self.low, self.high) if math.isfinite(end)]
        width = max((factor * abs(end - self.center) for end in ends), default=0.0)
        known = [to_scale(self.family, value, self.scale) for value in self.apart.values()]
        # That a partition is unlike the last ones does not say in what.
        return self.figure != DOMAIN and any(
            abs(scaled - each) <= min(width, abs(each - self.center) / 3) + ROUNDING for each in known
        )

    @property
    def fewest(self) -> float:
        """Fewer rows are suspicious, though the limits are wide: a part of the file may be missing."""
        many = self.figure == "rows" and self.partitions >= MANY
        return PART * self.past[0] if many else -math.inf

    def _is_nothing(self, figure: Figure) -> bool:
        """Is the target told no better than by chance, where it clearly was in every partition? The limits
        hold for many figures together, and are too wide to see it."""
        if self.figure not in NOTHING or self.partitions < FEWEST:
            return False
        nothing, least = (
            to_scale(self.family, each, self.scale) for each in (NOTHING[self.figure], self.past[0])
        )
        return (
            figure.scaled - nothing <= BY_CHANCE * figure.error
            and least - nothing > CLEARLY * figure.error
            and least - figure.scaled > (self.center - least) / 2
        )

    def holding(self, values: Sequence[float]) -> "Limit":
        """The same, but wide enough for all of these."""
        few = [min(values), max(values)]
        low, high = (value + sign * SLACK * abs(value) for value, sign in zip(few, (-1, 1), strict=True))
        return replace(
            self, low=min(low, self.low), high=max(high, self.high),
            least=min(low, self.least), greatest=max(high, self.greatest),
        )  # fmt: skip


def learn(history: Mapping[str, Profile], false_alarms: float, season: int) -> list[Limit]:
    """Limits for the next partition after `history`, profiles by partition in order of arrival.

    false_alarms: of arrivals like the past, the share that may be outside some (low, high); a tenth of it may
    be outside some (least, greatest). season: partitions of one, 0 if unknown.
    """
    series = series_of(dict([*history.items()][-LONGEST:]))
    usual = usual_variances(series)
    return [
        _limit(each, usual[each.key], false_alarms / len(series), season).holding(
            [*each.values, *each.judged]
        )
        for each in series
    ]


def _limit(past: Series, usual: float, chance: float, season: int) -> Limit:
    scaled, sampling, family, scale = past.scaled, past.sampling, past.family, past.scale
    floor = math.sqrt(FLOOR[family] ** 2 + sampling)
    predictions = [_prediction(model, usual + sampling, floor) for model in _models(scaled, season)]
    # More or fewer rows are told, and seldom wrong.
    wide = FREE if family == "volume" else 1.0
    counted = _counted(predictions, chance)
    low, high = _range(counted, chance)
    least, greatest = _range(counted, chance / 10, wide)
    if past.key[1] in UPPER_ONLY:
        low = least = -math.inf
    if past.key[1] in LOWER_ONLY:
        high = greatest = math.inf
    return Limit(
        column=past.key[0],
        figure=past.key[1],
        family=family,
        low=_end(family, low, scale),
        high=_end(family, high, scale),
        least=_end(family, least, scale),
        greatest=_end(family, greatest, scale),
        past=(min(past.values), max(past.values)),
        partitions=len(past.values),
        center=float(scaled.mean()),
        deviation=max(floor, predictions[0].deviation),
        error=math.sqrt(sampling),
        scale=scale,
        apart=past.apart,
    )


def _end(family: Family, scaled: float, scale: tuple[float, float]) -> float:
    if math.isinf(scaled):
        return scaled
    return min(1.0, scaled) if family == "distance" else from_scale(family, scaled, scale)


@dataclass(frozen=True)
class Model:
    """A way to foresee the next value: its center, the squares of its residuals, their degrees of freedom,
    and how much larger the variance of the prediction is than that of a residual."""

    center: float
    squares: float
    freedom: int
    inflation: float
    seasonal: bool = False


@dataclass(frozen=True)
class Prediction:
    """Of the next value, on the family's scale, as Student's t with so many degrees of freedom; floor: the
    least deviation that is believed."""

    center: float
    deviation: float
    floor: float
    freedom: int
    seasonal: bool

    def width(self, chance: float) -> float:
        """Half of a two-sided interval, by the past alone."""
        return self.deviation * _width(chance, self.freedom)

    def reach(self, chance: float) -> float:
        """The same, and not less than with the floor."""
        return max(self.floor, self.deviation) * _width(chance, self.freedom)


def _prediction(model: Model, usual: float, floor: float) -> Prediction:
    freedom = PRIOR + model.freedom
    variance = (PRIOR * usual + model.squares) / freedom * model.inflation
    return Prediction(model.center, math.sqrt(variance), floor, freedom, model.seasonal)


def _counted(predictions: Sequence[Prediction], chance: float) -> list[Prediction]:
    """Those that foresee well; a season only where it foresees best, as its first differences are few."""
    best = min(predictions, key=lambda each: each.width(chance))
    return [
        each
        for each in predictions
        if each is best or (not each.seasonal and each.width(chance) <= WIDER * best.width(chance))
    ]


def _range(predictions: Sequence[Prediction], chance: float, wide: float = 1.0) -> tuple[float, float]:
    """Of all their intervals together."""
    reaches = [(each.center, wide * each.reach(chance)) for each in predictions]
    return min(center - reach for center, reach in reaches), max(center + reach for center, reach in reaches)


@cache
def _width(chance: float, freedom: int) -> float:
    """Of a two-sided interval of Student's t, in deviations."""
    return float(student.isf(chance / 2, freedom))


def _models(scaled: np.ndarray, season: int) -> list[Model]:
    """About the mean, first, and about the last, along a line, and about what was a season before."""
    count = len(scaled)
    mean = float(scaled.mean())
    models = [Model(mean, float(((scaled - mean) ** 2).sum()), count - 1, 1 + 1 / count)]
    if count >= 2:
        models.append(Model(float(scaled[-1]), float((np.diff(scaled) ** 2).sum()), count - 1, 1.0))
    if count >= 6:
        place = np.arange(count)
        squares = float(((place - place.mean()) ** 2).sum())
        slope = float((place - place.mean()) @ scaled) / squares
        start = mean - slope * float(place.mean())
        residuals = scaled - (start + slope * place)
        leverage = 1 + 1 / count + (count - place.mean()) ** 2 / squares
        models.append(Model(start + slope * count, float((residuals**2).sum()), count - 2, float(leverage)))
    if season and count > season:
        steps = scaled[season:] - scaled[:-season]
        step, squares = float(steps.mean()), float(((steps - steps.mean()) ** 2).sum())
        center = float(scaled[count - season]) + step
        models.append(Model(center, squares, len(steps) - 1, 1 + 1 / len(steps), seasonal=True))
    return models
