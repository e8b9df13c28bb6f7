"""The paired bootstrap over groups: how a metric varies when other groups are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np

from incumbent.compare.observations import Observations
from incumbent.compare.precision import precision_statistic
from incumbent.compare.sampled import Sampled
from incumbent.compare.sums import TABLE, sum_statistic

# Weights at once: 24 MB. Fewer resamples at a time would leave the processor's vector units idle.
CHUNK = 6_000_000
LEAST = 5  # rows of a class that is weighted by itself


class Statistic(Protocol):
    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the groups, (groups, resamples) -> the metric of each resample, (resamples,)."""


def statistic(observations: Observations, prediction: np.ndarray, metric: str, threshold: float) -> Statistic:
    if metric in TABLE:
        return sum_statistic(observations, prediction, metric, threshold)
    return precision_statistic(observations, prediction, metric)


def point(observations: Observations, measured: Statistic) -> float:
    """The point estimate: every group has weight 1."""
    return float(measured(np.ones((observations.groups, 1)))[0])


def sample_bootstrap(
    observations: Observations,
    predictions: Sequence[np.ndarray],
    metric: str,
    threshold: float,
    resamples: int,
    seed: int,
) -> list[Sampled]:
    """All models under the same weights, so that differences between them are paired.

    The weights are those of the Bayesian bootstrap (Rubin 1981): exponential, divided by their mean. To first
    order they give the multinomial bootstrap's standard errors, but every group keeps a positive weight, so
    no resample lacks a class, however few groups there are. Where every row is its own group, weights are
    divided by their mean in each class, which keeps the classes' shares. The factor (g + 1) / (g - 1) makes
    the variance of a mean of g groups unbiased.
    """
    strata = _strata(observations)
    if observations.codes is None:
        # For speed: each stratum becomes a slice, and rows of similar score are close in memory.
        score = predictions[0].reshape(len(observations.y), -1)[:, 0]
        order = np.lexsort((score, observations.y, _stratum_of(observations, strata)))
        observations, predictions = (
            replace(observations, y=observations.y[order]),
            [each[order] for each in predictions],
        )
    statistics = [statistic(observations, each, metric, threshold) for each in predictions]
    draws = _weights(np.random.Generator(np.random.SFC64(seed)), observations, strata, resamples)
    replicates = np.concatenate(
        [np.stack([each(weights) for each in statistics]) for weights in draws], axis=1
    )
    scale = np.sqrt((observations.groups + 1) / (observations.groups - 1) / (resamples - 1))
    deviations = (replicates - replicates.mean(axis=1, keepdims=True)) * scale
    return [
        Sampled(point(observations, each), mine) for each, mine in zip(statistics, deviations, strict=True)
    ]


def _strata(observations: Observations) -> list[list[int]]:
    """Classes that are weighted together: each by itself, but for those of few rows.

    A row alone in its class would never change its weight, and two or three vary too little. Such classes are
    one stratum together (collapsed strata, Wolter 2007), which makes the error greater rather than smaller.
    """
    if observations.codes is not None or not observations.class_counts:
        return []
    by_size = sorted(observations.present, key=lambda label: observations.class_counts[label])
    pool: list[int] = []
    while by_size and (
        observations.class_counts[by_size[0]] < LEAST or 0 < _rows(observations, pool) < LEAST
    ):
        pool.append(by_size.pop(0))
    return [*([pool] if pool else []), *([label] for label in sorted(by_size))]


def _rows(observations: Observations, stratum: list[int]) -> int:
    return sum(observations.class_counts[label] for label in stratum)


def _stratum_of(observations: Observations, strata: list[list[int]]) -> np.ndarray:
    """(n,) each row's stratum; all rows are one where there are no classes."""
    number = np.zeros(max(1, len(observations.class_counts)), dtype=np.intp)
    for position, stratum in enumerate(strata):
        number[stratum] = position
    return number[observations.y] if strata else np.zeros(len(observations.y), dtype=np.intp)


def _weights(
    rng: np.random.Generator, observations: Observations, strata: list[list[int]], resamples: int
) -> Iterator[np.ndarray]:
    """Chunks of (groups, up to resamples) weights in float32, precise enough for a standard error."""
    counts = [_rows(observations, stratum) for stratum in strata]
    borders = np.cumsum([0, *(counts or [observations.groups])])
    width = max(1, CHUNK // len(observations.y))
    for start in range(0, resamples, width):
        chunk = rng.standard_exponential(
            (observations.groups, min(width, resamples - start)), dtype=np.float32
        )
        for begin, end in pairwise(borders):
            stratum = chunk[begin:end]
            stratum *= len(stratum) / stratum.sum(axis=0)
        yield chunk
