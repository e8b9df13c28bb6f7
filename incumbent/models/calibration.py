"""From a learner's scores to a version's answer: calibrated probabilities, and the threshold that decides.

Learned from predictions for rows that the predicting model did not see; frozen with the model's schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit, logit

from incumbent.params import DecisionParams

NEVER = float(np.nextafter(1, 2))
"""The threshold that no probability reaches."""

EDGE = 1e-12
"""Probabilities nearer to 0 or 1 count as this near: their logit stays finite."""


class Curve(Protocol):
    """One class's score -> its probability; both (n,) float64 in [0, 1]."""

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
"""Scores as they are."""


@dataclass(frozen=True)
class Isotonic:
    """Zadrozny and Elkan 2002: any rising curve, linear between the points."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return np.interp(scores, self.scores, self.probabilities)

    def to_json(self) -> dict[str, Any]:
        return {"scores": list(self.scores), "probabilities": list(self.probabilities)}


@dataclass(frozen=True)
class Output:
    """`curves`: one for two classes, one each for many, none when scores are taken as they are.
    `threshold`: the probability from which a row counts as positive; None when none was chosen."""

    curves: tuple[Curve, ...] = ()
    threshold: float | None = None

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """(n,) or (n, classes) as Trained.predict -> the same, calibrated. Each class by itself, then
        brought to a sum of 1 (Zadrozny and Elkan 2002); where no class has any probability, all are alike.
        """
        if not self.curves:
            return scores
        if scores.ndim == 1:
            return self.curves[0](scores)
        each = np.column_stack([curve(scores[:, place]) for place, curve in enumerate(self.curves)])
        total = each.sum(axis=1, keepdims=True)
        return np.divide(each, total, out=np.full_like(each, 1 / each.shape[1]), where=total > 0)

    def to_json(self) -> dict[str, Any]:
        return {"curves": [curve.to_json() for curve in self.curves], "threshold": self.threshold}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Output":
        return Output(tuple(map(_curve, document["curves"])), document["threshold"])

    @staticmethod
    def of_schema(document: Mapping[str, Any]) -> "Output":
        """The part of a manifest's `schema`; versions from before there was one give scores as they are."""
        return Output.from_json(document["output"]) if "output" in document else Output()


def learn_output(y: np.ndarray, scores: np.ndarray, method: str | None, costs: DecisionParams) -> Output:
    """y: (n,) class codes; scores: (n,) of class 1, or (n, classes), by models that did not see the rows."""
    curves = learn_curves(y, scores, method)
    return Output(curves, choose_threshold(y, Output(curves).apply(scores), costs))


def learn_curves(y: np.ndarray, scores: np.ndarray, method: str | None) -> tuple[Curve, ...]:
    """Of each class, as in learn_output; none without a method."""
    if method is None:
        return ()
    if scores.ndim == 1:
        return (_learn_curve(y == 1, scores, method),)
    return tuple(_learn_curve(y == label, scores[:, label], method) for label in range(scores.shape[1]))


def choose_threshold(y: np.ndarray, probabilities: np.ndarray, costs: DecisionParams) -> float | None:
    """The threshold with the least cost on these rows, (n,) each; None without costs."""
    from sklearn.metrics import roc_curve

    if costs.false_negative is None:
        return None
    alarms, found, thresholds = roc_curve(y, probabilities, drop_intermediate=False)
    share = y.mean()
    cost = costs.false_positive * alarms * (1 - share) + costs.false_negative * (1 - found) * share
    return min(float(thresholds[np.argmin(cost)]), NEVER)


def mean_cost(y: np.ndarray, positive: np.ndarray, costs: DecisionParams) -> float:
    """Of a row, when these are taken for positive; (n,) of 0 and 1, and (n,) bool."""
    alarms, missed = positive & (y == 0), ~positive & (y == 1)
    return float(costs.false_positive * alarms.mean() + (costs.false_negative or 0) * missed.mean())


def _learn_curve(event: np.ndarray, scores: np.ndarray, method: str) -> Curve:
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    if event.all() or not event.any():  # a rare class that no fold held out has nothing to teach
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
