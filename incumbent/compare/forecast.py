"""How much more evidence would a verdict take?"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.special import ndtri

from incumbent.compare.anytime import critical_value
from incumbent.compare.result import Comparison, Incomparable
from incumbent.params import PromotionParams

POWER = 0.8
"""Share of futures in which a gain of promotion.worthwhile is to pass."""

FUTURES, EACH, LAST = 1000, 200, 100_000
"""Walks that are drawn; arrivals that are each looked at; arrivals beyond which none is followed."""


@dataclass(frozen=True)
class Forecast:
    """Further groups and rows within which a share POWER of challengers that gain `worthwhile`, in units of
    the metric, take office; `arrivals`: in partitions of the size of those that judged, None if none did."""

    worthwhile: float
    groups: int
    rows: int
    arrivals: int | None

    def __str__(self) -> str:
        arrivals = (
            "" if self.arrivals is None else f", {_counted(self.arrivals, 'arrival')} like those so far"
        )
        return (
            f"if the gain is {self.worthwhile:.2g} from now on, eight of ten such challengers take office "
            f"within about {_counted(self.rows, 'more row')} ({_counted(self.groups, 'group')}{arrivals})"
        )


def suffices(comparison: Comparison | Incomparable, promotion: PromotionParams) -> bool:
    """Are the rows enough for a gain of promotion.worthwhile to show, whatever they say of the gain itself?

    By the standard error alone, so that it favours neither model.
    """
    if isinstance(comparison, Incomparable):
        return False
    champion = comparison.champion.value
    beyond = promotion.worthwhile_over(champion) - promotion.margin_over(champion)
    return comparison.standard_error * (ndtri(promotion.probability) + ndtri(POWER)) <= beyond


def forecast(comparison: Comparison, promotion: PromotionParams, partitions: int) -> Forecast:
    """After how many more groups has a share POWER of futures met the rule, if the gain is worthwhile now?

    The sum of gains goes on as a random walk, by the worthwhile gain and a deviation a group, and is looked
    at once an arrival, until it is above margin + z standard errors. The first looks are those of each
    arrival, later ones ever further apart. partitions: number of those that judged.
    """
    groups, champion = comparison.groups, comparison.champion.value
    margin, wanted = promotion.margin_over(champion), promotion.worthwhile_over(champion)
    deviation = comparison.standard_error * np.sqrt(groups)
    size = groups / partitions if partitions else 1.0
    looks = np.unique(np.concatenate([np.arange(1, EACH + 1), np.geomspace(EACH, LAST, EACH).astype(int)]))
    steps = np.diff(looks, prepend=0) * size
    walks = np.random.default_rng(0).normal(size=(FUTURES, len(looks))) * np.sqrt(steps) * deviation
    walks += steps * (wanted - margin)
    surplus = groups * (comparison.gain.value - margin) + np.cumsum(walks, axis=1)
    z = ndtri(promotion.probability)
    if promotion.guarantee == "lifetime":
        z = np.maximum(z, critical_value(looks, np.inf, promotion.lifetime_confidence))
    needed = z * deviation * np.sqrt(groups + looks * size)
    reached = np.maximum.accumulate(surplus >= needed, axis=1).mean(axis=0) >= POWER
    arrivals = int(looks[np.argmax(reached)]) if reached.any() else LAST
    more = ceil(arrivals * size)
    return Forecast(wanted, more, ceil(more * comparison.rows / groups), arrivals if partitions else None)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"
