"""Champion against challenger on the same rows, which neither has seen: a paired test of ROC AUC."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata, t

from incumbent.errors import BadData


@dataclass(frozen=True)
class Interval:
    """A point estimate and its two-sided confidence interval, in units of the metric."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Comparison:
    """`difference` is challenger minus champion; `p_value` is two-sided, for no difference."""

    metric: str
    champion: Interval
    challenger: Interval
    difference: Interval
    p_value: float
    rows: int
    positives: int
    groups: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Comparison":
        names = ("champion", "challenger", "difference")
        return Comparison(**{**document, **{name: Interval(**document[name]) for name in names}})


def compare_auc(
    y: np.ndarray, champion: np.ndarray, challenger: np.ndarray, groups: np.ndarray, confidence: float
) -> Comparison:
    """Paired comparison of two scores by ROC AUC.

    y: (n,) of 0 and 1. champion, challenger: (n,) scores, higher means more likely positive.
    groups: (n,) any values; rows of one group (a day, a customer) resemble each other and count as one
    observation in the variance.

    Placement values are those of fast DeLong (Sun and Xu 2014); the variance sums them by group
    (Obuchowski 1997), which is DeLong's own when every row is a group. Student's t with groups - 1
    degrees of freedom keeps few groups honest. Raises BadData when a class or a second group is missing.
    """
    placed = [_placements(y, champion), _placements(y, challenger)]
    clusters = np.unique(groups, return_inverse=True)[1]
    count = int(clusters.max()) + 1 if len(clusters) else 0
    if count < 2:
        raise BadData(f"the holdout's recent window has {count} group(s) of split.by; widen promotion.window")
    auc = [float(pos.mean()) for pos, _ in placed]
    effects = [_cluster_effects(y, pos, neg, clusters, count) for pos, neg in placed]
    half = [_half_width(effect, confidence) for effect in (*effects, effects[1] - effects[0])]
    gain = auc[1] - auc[0]
    error = _standard_error(effects[1] - effects[0])
    return Comparison(
        "roc_auc",
        Interval(auc[0], auc[0] - half[0], auc[0] + half[0]),
        Interval(auc[1], auc[1] - half[1], auc[1] + half[1]),
        Interval(gain, gain - half[2], gain + half[2]),
        1.0 if error == 0 and gain == 0 else float(2 * t.sf(abs(gain) / max(error, 1e-300), count - 1)),
        rows=len(y),
        positives=int(y.sum()),
        groups=count,
    )


def auc_interval(y: np.ndarray, score: np.ndarray, groups: np.ndarray, confidence: float) -> Interval:
    """ROC AUC of one score with its interval, by the same method."""
    return compare_auc(y, score, score, groups, confidence).champion


def _placements(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each positive's share of negatives below it, and each negative's share of positives above it."""
    positive = y == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        raise BadData(f"the rows to judge by hold one class only ({m} positive, {n} negative)")
    everywhere = rankdata(score)
    of_positives = (everywhere[positive] - rankdata(score[positive])) / n
    of_negatives = 1.0 - (everywhere[~positive] - rankdata(score[~positive])) / m
    return of_positives, of_negatives


def _cluster_effects(
    y: np.ndarray, pos: np.ndarray, neg: np.ndarray, clusters: np.ndarray, count: int
) -> np.ndarray:
    """What each cluster adds to the AUC's deviation from its mean; shape (clusters, 2): by class."""
    positive = y == 1
    effect = np.zeros((count, 2))
    effect[:, 0] = np.bincount(clusters[positive], pos - pos.mean(), count) / len(pos)
    effect[:, 1] = np.bincount(clusters[~positive], neg - neg.mean(), count) / len(neg)
    return effect


def _standard_error(effect: np.ndarray) -> float:
    count = len(effect)
    return float(np.sqrt(np.sum(effect.sum(axis=1) ** 2) * count / (count - 1)))


def _half_width(effect: np.ndarray, confidence: float) -> float:
    return float(t.ppf(0.5 + confidence / 2, len(effect) - 1)) * _standard_error(effect)
