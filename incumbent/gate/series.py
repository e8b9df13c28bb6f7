"""Each figure over the partitions of a history. A value far from all others is set apart: one is noise, and
teaches nothing of what lies between.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from incumbent.gate.figures import DOMAIN, Family, Figure, Key, figures, reference_of
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
    "sensor": 0.075,
}
"""The least deviation between partitions that we believe, on the family's scale, however alike the past ones
are: without it a third of real arrivals alarm."""

UNKNOWN = 3.0
"""Of a single partition: how many times the floor its figures may deviate."""

WEAK, HELD = 0.2, 0.5
"""A weaker rank correlation is not watched, nor how the target follows a column that it ever left by half."""

FEWEST = 6
"""Values; of fewer nobody can say which is far."""

FAR = 10.0
"""Of the usual deviations: no value that limits let pass is so far from every other one."""

FAR_BY_FIGURE: Mapping[str, float] = {"slopes": 4.0, "recent model": 4.0}
"""The same of the target: labels with a fault, once released, must not hide the next ones."""

UNLIKE, SELDOM = 6.0, 0.1
"""So far above the median a partition is unlike the last ones in particular, if no larger share is."""

NORMAL = 1.4826
"""Median absolute deviations in a deviation, of normal values."""

RELATIVE = ("new", "moved", "slope", "slopes")
"""Figures that a single partition has none of."""


@dataclass(frozen=True)
class Series:
    """One figure over the n partitions that have it.

    scaled: (n,), on the family's scale, what is set apart replaced; sampling: the mean square of their
    standard errors; values: of the others, in the figure's own unit; judged: the same as of a partition that
    comes now; apart: what is set apart, by partition.
    """

    key: Key
    family: Family
    scale: tuple[float, float]
    scaled: np.ndarray
    sampling: float
    values: tuple[float, ...]
    judged: tuple[float, ...]
    apart: Mapping[str, float]

    @staticmethod
    def of(key: Key, past: Mapping[str, Figure], judged: Mapping[str, Figure]) -> "Series":
        """Of figures by partition, in order of arrival; past: each relative to the others, judged: to all."""
        last = [*past.values()][-1]
        scaled = np.array([each.scaled for each in past.values()])
        sampling = float(np.mean([each.error**2 for each in past.values()]))
        floor = math.sqrt(FLOOR[last.family] ** 2 + sampling)
        if key[1] == DOMAIN:
            far = seldom_high(scaled, floor)
        else:
            far = outliers(scaled, floor, FAR_BY_FIGURE.get(key[1], FAR))
        names = [name for name, is_far in zip(past, far, strict=True) if not is_far]
        return Series(
            key,
            last.family,
            last.scale,
            _between_neighbours(scaled, far),
            sampling,
            tuple(past[name].value for name in names),
            tuple(judged[name].value for name in names if name in judged),
            {name: judged.get(name, past[name]).value for name in past if name not in names},
        )

    @property
    def kin(self) -> str:
        """What its variance is like: its family's, but of a sensor its own. Where the weather changes by the
        month, any two months are told apart, and still a model of one ranks the other as well."""
        return self.key[1] if self.family == "sensor" else self.family

    @property
    def is_telling(self) -> bool:
        """Columns that never went together say little where they do, as does one that hardly tells the
        target."""
        if self.family == "slope":
            return min(self.values) >= HELD
        return self.family != "correlation" or max(map(abs, self.values)) >= WEAK


def series_of(history: Mapping[str, Profile]) -> list[Series]:
    """Those that tell something, of the figures that the last of these partitions has."""
    reference = reference_of([*history.values()])
    alone = len(history) == 1
    past = {name: figures(each, reference, part_of_it=not alone) for name, each in history.items()}
    judged = {name: figures(each, reference) for name, each in history.items()}
    keys = [key for key in [*past.values()][-1] if not (alone and key[1] in RELATIVE)]
    series = (
        Series.of(
            key, *({name: each[key] for name, each in of.items() if key in each} for of in (past, judged))
        )
        for key in keys
    )
    return [each for each in series if each.is_telling]


def seldom_high(values: np.ndarray, floor: float) -> np.ndarray:
    """Which values of a sensor are high, (n,) bool; none where that is usual. floor: as in outliers.

    Two that are near each other say no more than one: two faults may be unlike the rest in two ways.
    """
    high = values - np.median(values) > UNLIKE * _deviation(values, floor)
    return high & (len(values) >= FEWEST) & (high.mean() <= SELDOM)


def _deviation(values: np.ndarray, floor: float) -> float:
    return max(floor, NORMAL * float(np.median(np.abs(values - np.median(values)))))


def outliers(values: np.ndarray, floor: float, most: float = FAR) -> np.ndarray:
    """Which values are far from every other one, (n,) bool: by `most` deviations. floor: the least deviation
    that is believed.

    Two that are near each other are none: two are news.
    """
    if len(values) < FEWEST:
        return np.zeros(len(values), dtype=bool)
    deviation = _deviation(values, floor)
    order = np.argsort(values, kind="stable")
    gaps = np.concatenate([[np.inf], np.diff(values[order]), [np.inf]])
    far = np.zeros(len(values), dtype=bool)
    far[order] = np.minimum(gaps[:-1], gaps[1:]) > most * deviation
    return far


def _between_neighbours(values: np.ndarray, far: np.ndarray) -> np.ndarray:
    """With others in the place of those that are far, so that a trend and a season stay where they are."""
    places = np.arange(len(values))
    return np.asarray(np.interp(places, places[~far], values[~far]))


def usual_variances(series: Sequence[Series]) -> dict[Key, float]:
    """By figure, the variance of the partitions' differences beyond sampling that is usual among its kin: the
    median of these. More for a figure that a single partition has."""
    variances: dict[str, list[float]] = {}
    for each in series:
        if len(each.scaled) > 1:
            # A trend or a season is no noise, and hardly shows from one partition to the next.
            steps = float(np.mean(np.diff(each.scaled) ** 2)) / 2
            beyond = max(0.0, min(steps, float(each.scaled.var(ddof=1))) - each.sampling)
            variances.setdefault(each.kin, []).append(beyond)
    medians = {kin: float(np.median(several)) for kin, several in variances.items()}
    return {
        each.key: max(
            medians.get(each.kin, 0.0),
            (FLOOR[each.family] * (1.0 if len(each.scaled) > 1 else UNKNOWN)) ** 2,
        )
        for each in series
    }
