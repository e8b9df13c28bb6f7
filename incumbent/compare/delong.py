"""ROC AUC and each group's contribution to its standard error: DeLong's test, by groups."""

import numpy as np

from incumbent.compare.observations import Observations
from incumbent.compare.sampled import Sampled

METRICS = ("roc_auc", "roc_auc_macro", "roc_auc_weighted")


def sample_auc(observations: Observations, prediction: np.ndarray, metric: str) -> Sampled:
    """The AUC of a score (n,), or the average one-vs-rest AUC of probabilities (n, K).

    Placement values are those of fast DeLong (Sun and Xu 2014); the variance sums them by group
    (Obuchowski 1997), which is DeLong's own when every row is a group. An average over classes averages
    the placements too; `roc_auc_weighted` takes the classes' prevalences as fixed.
    """
    if metric == "roc_auc":
        value, influence = _auc(observations.y == 1, prediction)
    else:
        counts = np.array(observations.class_counts, dtype=float)[observations.present]
        shares = (
            counts / counts.sum() if metric == "roc_auc_weighted" else np.full(len(counts), 1 / len(counts))
        )
        value, influence = 0.0, np.zeros(len(observations.y))
        for share, label in zip(shares, observations.present, strict=True):
            area, effect = _auc(observations.y == label, prediction[:, label])
            value += share * area
            influence += share * effect
    by_group = observations.by_group(influence[None, :])[0]
    return Sampled(float(value), by_group * np.sqrt(observations.groups / (observations.groups - 1)))


def _auc(positive: np.ndarray, score: np.ndarray) -> tuple[float, np.ndarray]:
    """The area, and each row's influence on it (n,), by one sort and counts; ties count half."""
    order = np.argsort(score)
    ordered, hit = score[order], positive[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    ends = np.append(starts[1:], len(score))
    before = np.concatenate(([0], np.cumsum(hit)))  # positives among the first i rows
    positives, negatives = int(before[-1]), len(score) - int(before[-1])
    beaten = (starts - before[starts] + ends - before[ends]) / (2 * negatives)
    beating = 1 - (before[starts] + before[ends]) / (2 * positives)
    tied = ends - starts
    placement = np.where(hit, np.repeat(beaten, tied), np.repeat(beating, tied))
    area = float(placement[hit].mean())
    influence = np.empty(len(score))
    influence[order] = (placement - area) / np.where(hit, positives, negatives)
    return area, influence
