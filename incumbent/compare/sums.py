"""Metrics that are functions of sums over rows: each resample's metric comes from one matrix product."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from incumbent.compare.observations import Observations
from incumbent.params import PromotionParams

DECISIONS = {"f1", "accuracy"}
"""Metrics of decisions between two classes, not of probabilities."""

Terms = Callable[[Observations, np.ndarray, float], np.ndarray]
Finish = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SumStatistic:
    """`sums`: (k, groups). `finish`: weighted sums (k, resamples) -> values (resamples,)."""

    sums: np.ndarray
    finish: Finish

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        # Squares of great errors are beyond float32. A power of two scales without rounding.
        _, exponents = np.frexp(np.abs(self.sums).max(axis=1, keepdims=True))
        scaled = np.ldexp(self.sums, -exponents).astype(weights.dtype, copy=False)
        return self.finish(np.ldexp((scaled @ weights).astype(float, copy=False), exponents))


def sum_statistic(
    observations: Observations, prediction: np.ndarray, metric: str, threshold: float
) -> SumStatistic:
    """A function from weights (groups, resamples) to the metric of each resample."""
    terms, finish = TABLE[metric]
    return SumStatistic(observations.by_group(terms(observations, prediction, threshold)), finish)


def predicted(prediction: np.ndarray, threshold: float) -> np.ndarray:
    """Predicted classes, (n,): 1 from `threshold` on, or the likeliest of K classes."""
    return prediction.argmax(axis=1) if prediction.ndim == 2 else (prediction >= threshold).astype(int)


def as_decisions(prediction: np.ndarray, threshold: float | None, promotion: PromotionParams) -> np.ndarray:
    """The input of promotion.metric: decisions as 0.0 and 1.0 for a metric of decisions, else `prediction`.

    threshold: the model's own; None leaves the predictions as they are, to be cut at promotion.threshold.
    """
    if threshold is None or promotion.metric not in DECISIONS or prediction.ndim == 2:
        return prediction
    return (prediction >= threshold).astype(float)


def _log_loss(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    # Clip as scikit-learn does: a wrong prediction of probability 1 costs 36 nats, not infinity.
    smallest = np.finfo(float).eps
    clipped = np.clip(prediction, smallest, 1 - smallest)
    if observations.task == "multiclass":
        return _with_count(-np.log(clipped[np.arange(len(observations.y)), observations.y]))
    return _with_count(-xlogy(observations.y, clipped) - xlogy(1 - observations.y, 1 - clipped))


def _brier(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    if observations.task == "multiclass":
        return _with_count(((prediction - np.eye(prediction.shape[1])[observations.y]) ** 2).sum(axis=1))
    return _with_count((prediction - observations.y) ** 2)


def _hits(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    return _with_count((predicted(prediction, threshold) == observations.y).astype(float))


def _squares(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    return _with_count((prediction - observations.y) ** 2)


def _absolutes(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    return _with_count(np.abs(prediction - observations.y))


def _variances(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    centred = observations.y - observations.y.mean()  # a mean far from 0 would lose the variance to rounding
    return np.stack([np.ones(len(centred)), centred, centred**2, (prediction - observations.y) ** 2])


def _counts(observations: Observations, prediction: np.ndarray, threshold: float) -> np.ndarray:
    """For each class, or only the positive one of two: predicted and true, predicted, true; (3 K, n)."""
    labels = np.arange(1 if observations.task == "binary" else 0, len(observations.class_counts))[:, None]
    named, true = predicted(prediction, threshold) == labels, observations.y == labels
    return np.concatenate([named & true, named, true]).astype(float)


def _with_count(term: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(term)), term])


def _mean(sums: np.ndarray) -> np.ndarray:
    return sums[1] / sums[0]


def _root_mean(sums: np.ndarray) -> np.ndarray:
    return np.sqrt(sums[1] / sums[0])


def _r2(sums: np.ndarray) -> np.ndarray:
    count, total, squares, residual = sums
    return 1 - residual / (squares - total**2 / count)


def _f1_by_class(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F1, whether the class occurs at all (true or predicted), and its true weight; each (K, resamples)."""
    hits, named, true = sums.reshape(3, -1, sums.shape[1])
    occurs = named + true > 0
    return 2 * hits / np.where(occurs, named + true, 1), occurs, true


def _f1(sums: np.ndarray) -> np.ndarray:
    return _f1_by_class(sums)[0][0]


def _f1_macro(sums: np.ndarray) -> np.ndarray:
    f1, occurs, _ = _f1_by_class(sums)
    return f1.sum(axis=0) / occurs.sum(axis=0)


def _f1_weighted(sums: np.ndarray) -> np.ndarray:
    f1, _, true = _f1_by_class(sums)
    return (f1 * true).sum(axis=0) / true.sum(axis=0)


TABLE: dict[str, tuple[Terms, Finish]] = {
    "log_loss": (_log_loss, _mean),
    "brier": (_brier, _mean),
    "accuracy": (_hits, _mean),
    "f1": (_counts, _f1),
    "f1_macro": (_counts, _f1_macro),
    "f1_weighted": (_counts, _f1_weighted),
    "mae": (_absolutes, _mean),
    "rmse": (_squares, _root_mean),
    "r2": (_variances, _r2),
}
