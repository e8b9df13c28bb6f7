"""The paired bootstrap over groups: how any metric moves when other groups are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import numpy as np

from incumbent.compare.observations import Observations
from incumbent.compare.precision import precision_statistic
from incumbent.compare.sampled import Sampled
from incumbent.compare.sums import TABLE, sum_statistic

# Weights of rows at once: 24 MB. Few resamples at a time would waste the processor's vectors.
CHUNK = 6_000_000


class Statistic(Protocol):
    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Weights (groups, resamples) of the groups in, the metric of each resample (resamples,) out."""


def statistic(seen: Observations, prediction: np.ndarray, metric: str, threshold: float) -> Statistic:
    if metric in TABLE:
        return sum_statistic(seen, prediction, metric, threshold)
    return precision_statistic(seen, prediction, metric)


def point(seen: Observations, measured: Statistic) -> float:
    """The metric itself: every group counts once."""
    return float(measured(np.ones((seen.groups, 1)))[0])


def sample_bootstrap(
    seen: Observations,
    predictions: Sequence[np.ndarray],
    metric: str,
    threshold: float,
    resamples: int,
    seed: int,
) -> list[Sampled]:
    """Every model under the same weights, so that differences between them are paired.

    Weights are those of the Bayesian bootstrap (Rubin 1981): exponential, divided by their mean. To first
    order they give the multinomial bootstrap's standard errors, but every resample keeps some of every
    group: none lacks a class, however few groups there are. Where every row is its own group they are
    divided by their mean in each class, which keeps the classes' shares. The factor (g + 1) / (g - 1)
    makes the variance of a mean of g groups unbiased.
    """
    if seen.codes is None:
        # A class is a slice then, and rows near in score lie near in memory.
        order = np.lexsort((predictions[0].reshape(len(seen.y), -1)[:, 0], seen.y))
        seen, predictions = replace(seen, y=seen.y[order]), [each[order] for each in predictions]
    statistics = [statistic(seen, each, metric, threshold) for each in predictions]
    draws = _weights(np.random.Generator(np.random.SFC64(seed)), seen, resamples)
    replicates = np.concatenate(
        [np.stack([each(weights) for each in statistics]) for weights in draws], axis=1
    )
    scale = np.sqrt((seen.groups + 1) / (seen.groups - 1) / (resamples - 1))
    deviations = (replicates - replicates.mean(axis=1, keepdims=True)) * scale
    return [Sampled(point(seen, each), mine) for each, mine in zip(statistics, deviations, strict=True)]


def _weights(rng: np.random.Generator, seen: Observations, resamples: int) -> Iterator[np.ndarray]:
    """Chunks (groups, up to resamples) of float32, which is exact enough for a standard error."""
    counts = [seen.class_counts[label] for label in seen.present] if seen.codes is None else []
    borders = np.cumsum([0, *(counts or [seen.groups])])
    width = max(1, CHUNK // len(seen.y))
    for start in range(0, resamples, width):
        chunk = rng.standard_exponential((seen.groups, min(width, resamples - start)), dtype=np.float32)
        for begin, end in pairwise(borders):
            stratum = chunk[begin:end]
            stratum *= len(stratum) / stratum.sum(axis=0)
        yield chunk
