"""Average precision under any weights of the rows: sorted once, then cumulative weighted counts."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from incumbent.compare.observations import Observations


@dataclass(frozen=True)
class AveragePrecision:
    """Only thresholds that let a positive in add to the sum: rows are cut into m segments that end there,
    by falling score.

    everyone, positives: (m, groups), how many rows of each group a segment holds.
    """

    everyone: csr_array
    positives: csr_array

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        found = self.positives @ weights
        true = np.cumsum(found, axis=0)
        reached = np.cumsum(self.everyone @ weights, axis=0)
        return np.einsum("mb,mb->b", found, true / reached) / true[-1]


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
    seen: Observations, prediction: np.ndarray, metric: str
) -> AveragePrecision | OneVsRest:
    """Called with weights (groups, resamples), it gives the metric of each resample."""
    if metric == "average_precision":
        return _ranked(seen, seen.y == 1, prediction)
    true = np.stack([seen.y == label for label in seen.present])
    even = metric == "average_precision_macro"
    return OneVsRest(
        tuple(_ranked(seen, mine, prediction[:, k]) for k, mine in zip(seen.present, true, strict=True)),
        seen.by_group(np.ones_like(true, dtype=float) if even else true.astype(float)),
    )


def _ranked(seen: Observations, positive: np.ndarray, score: np.ndarray) -> AveragePrecision:
    order = np.argsort(-score)
    falling, hit = score[order], positive[order]
    groups = order if seen.codes is None else seen.codes[order]
    block = np.concatenate(([0], np.cumsum(falling[1:] != falling[:-1])))  # rows of one score
    own = block[hit]
    first = np.flatnonzero(np.concatenate(([True], own[1:] != own[:-1])))
    ends = np.searchsorted(block, own[first], side="right")
    return AveragePrecision(
        _membership(groups[: ends[-1]], np.concatenate(([0], ends)), seen.groups),
        _membership(groups[hit], np.append(first, len(own)), seen.groups),
    )


def _membership(groups: np.ndarray, borders: np.ndarray, count: int) -> csr_array:
    """(segments, count) from the groups (n,) of rows and where segments begin and end in them."""
    # Resamples are float32; a product of two types would copy them.
    ones = np.ones(len(groups), dtype=np.float32)
    return csr_array((ones, groups, borders), shape=(len(borders) - 1, count))
