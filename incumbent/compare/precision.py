"""Average precision under any weights of the rows: sorted once, then cumulative weighted counts."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from incumbent.compare.observations import Observations


@dataclass(frozen=True)
class AveragePrecision:
    """Only the m thresholds at which a positive is added contribute to the sum. They cut the rows, sorted by
    falling score, into m segments.

    rows, positives: (m, groups), the number of rows, and of positive rows, of each group in a segment.
    """

    rows: csr_array
    positives: csr_array

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        added = self.positives @ weights
        true_positives = np.cumsum(added, axis=0)
        selected = np.cumsum(self.rows @ weights, axis=0)
        return np.einsum("mb,mb->b", added, true_positives / selected) / true_positives[-1]


@dataclass(frozen=True)
class OneVsRest:
    """The mean over classes, weighted by (K, groups) sums of `shares`."""

    classes: tuple[AveragePrecision, ...]
    shares: np.ndarray

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        values = np.stack([precision(weights) for precision in self.classes])
        shares = self.shares @ weights
        return (values * shares).sum(axis=0) / shares.sum(axis=0)


def precision_statistic(
    observations: Observations, prediction: np.ndarray, metric: str
) -> AveragePrecision | OneVsRest:
    """A function from weights (groups, resamples) to the metric of each resample."""
    if metric == "average_precision":
        return _ranked(observations, observations.y == 1, prediction)
    true = np.stack([observations.y == label for label in observations.present])
    even = metric == "average_precision_macro"
    return OneVsRest(
        tuple(
            _ranked(observations, mine, prediction[:, k])
            for k, mine in zip(observations.present, true, strict=True)
        ),
        observations.by_group(np.ones_like(true, dtype=float) if even else true.astype(float)),
    )


def _ranked(observations: Observations, positive: np.ndarray, score: np.ndarray) -> AveragePrecision:
    order = np.argsort(-score)
    falling, hit = score[order], positive[order]
    groups = order if observations.codes is None else observations.codes[order]
    block = np.concatenate(([0], np.cumsum(falling[1:] != falling[:-1])))  # rows of one score
    own = block[hit]
    first = np.flatnonzero(np.concatenate(([True], own[1:] != own[:-1])))
    ends = np.searchsorted(block, own[first], side="right")
    return AveragePrecision(
        _membership(groups[: ends[-1]], np.concatenate(([0], ends)), observations.groups),
        _membership(groups[hit], np.append(first, len(own)), observations.groups),
    )


def _membership(groups: np.ndarray, borders: np.ndarray, count: int) -> csr_array:
    """(segments, count) numbers of rows, from the rows' groups (n,) and the borders of segments in them."""
    # Weights are float32; a product of two types would copy them.
    ones = np.ones(len(groups), dtype=np.float32)
    return csr_array((ones, groups, borders), shape=(len(borders) - 1, count))
