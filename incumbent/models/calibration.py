"""From a learner's scores to a version's output: calibrated probabilities and the decision threshold.

Both are learned from out-of-fold predictions and frozen with the model's schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit, logit

from incumbent.params import DecisionParams

NEVER = float(np.nextafter(1, 2))
"""A threshold above 1, which no probability reaches."""

EDGE = 1e-12
"""Probabilities are clipped to [EDGE, 1 - EDGE], so that their logit is finite."""


class Curve(Protocol):
    """A class's scores -> its probabilities; both (n,) float64 in [0, 1]."""

    def __call__(self, scores: np.ndarray) -> np.ndarray: ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Sigmoid:
    """Platt 1999, on the score's logit: exact when training multiplied the odds, as class weights do."""

    slope: float
    intercept: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return np.asarray(expit(self.slope * logit(np.clip(scores, EDGE, 1 - EDGE)) + self.intercept))

    def to_json(self) -> dict[str, Any]:
        return {"slope": self.slope, "intercept": self.intercept}


UNTOUCHED = Sigmoid(1.0, 0.0)
"""The identity: scores as they are."""


@dataclass(frozen=True)
class Isotonic:
    """Zadrozny and Elkan 2002: any rising curve, linear between its points."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return np.interp(scores, self.scores, self.probabilities)

    def to_json(self) -> dict[str, Any]:
        return {"scores": list(self.scores), "probabilities": list(self.probabilities)}


@dataclass(frozen=True)
class Output:
    """`curves`: one for a binary target, one for each class of a multiclass one, none without calibration.
    `threshold`: the probability from which a row counts as positive; None when none was chosen."""

    curves: tuple[Curve, ...] = ()
    threshold: float | None = None

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """(n,) or (n, classes) as Trained.predict -> the same, calibrated: each class by itself, then divided
        by the sum (Zadrozny and Elkan 2002); where the sum is 0, all classes get the same probability.
        """
        if not self.curves:
            return scores
        if scores.ndim == 1:
            return self.curves[0](scores)
        calibrated = np.column_stack([curve(scores[:, label]) for label, curve in enumerate(self.curves)])
        total = calibrated.sum(axis=1, keepdims=True)
        equal = np.full_like(calibrated, 1 / calibrated.shape[1])
        return np.divide(calibrated, total, out=equal, where=total > 0)

    def to_json(self) -> dict[str, Any]:
        return {"curves": [curve.to_json() for curve in self.curves], "threshold": self.threshold}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Output":
        return Output(tuple(map(_curve, document["curves"])), document["threshold"])

    @staticmethod
    def of_schema(document: Mapping[str, Any]) -> "Output":
        """Read it from a manifest's `schema`; versions older than this part have no calibration."""
        return Output.from_json(document["output"]) if "output" in document else Output()


def learn_output(y: np.ndarray, scores: np.ndarray, method: str | None, costs: DecisionParams) -> Output:
    """y: (n,) class codes; scores: (n,) of class 1, or (n, classes), by models not trained on these rows."""
    curves = learn_curves(y, scores, method)
    return Output(curves, choose_threshold(y, Output(curves).apply(scores), costs))


def learn_curves(y: np.ndarray, scores: np.ndarray, method: str | None) -> tuple[Curve, ...]:
    """One curve for each class, with arguments as in learn_output; none without a method."""
    if method is None:
        return ()
    if scores.ndim == 1:
        return (_learn_curve(y == 1, scores, method),)
    return tuple(_learn_curve(y == label, scores[:, label], method) for label in range(scores.shape[1]))


def choose_threshold(y: np.ndarray, probabilities: np.ndarray, costs: DecisionParams) -> float | None:
    """The threshold with the least cost on these rows, both (n,); None without costs."""
    from sklearn.metrics import roc_curve

    if costs.false_negative is None:
        return None
    false_positive_rate, true_positive_rate, thresholds = roc_curve(y, probabilities, drop_intermediate=False)
    share = y.mean()
    cost = costs.false_positive * false_positive_rate * (1 - share)
    cost += costs.false_negative * (1 - true_positive_rate) * share
    return min(float(thresholds[np.argmin(cost)]), NEVER)


def mean_cost(y: np.ndarray, positive: np.ndarray, costs: DecisionParams) -> float:
    """Mean cost of a row; y: (n,) of 0 and 1; positive: (n,) bool, the decisions."""
    false_positive, false_negative = positive & (y == 0), ~positive & (y == 1)
    return float(
        costs.false_positive * false_positive.mean() + (costs.false_negative or 0) * false_negative.mean()
    )


def _learn_curve(event: np.ndarray, scores: np.ndarray, method: str) -> Curve:
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    if event.all() or not event.any():  # a rare class that no fold held out: no curve to learn
        return UNTOUCHED
    if method == "isotonic":
        rising = IsotonicRegression(y_min=0, y_max=1).fit(scores, event)
        return Isotonic(tuple(rising.X_thresholds_.tolist()), tuple(rising.y_thresholds_.tolist()))
    odds = logit(np.clip(scores, EDGE, 1 - EDGE))[:, None]
    line = LogisticRegression(C=np.inf).fit(odds, event)
    return Sigmoid(float(line.coef_[0, 0]), float(line.intercept_[0]))


def _curve(document: Mapping[str, Any]) -> Curve:
    if "slope" in document:
        return Sigmoid(document["slope"], document["intercept"])
    return Isotonic(tuple(document["scores"]), tuple(document["probabilities"]))
