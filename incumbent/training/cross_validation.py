"""Cross-validation: scores of the folds, and the calibration learned from out-of-fold predictions."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Fairness, as_decisions, fairness, score
from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.learners import Learner
from incumbent.models.calibration import Output, learn_output, mean_cost
from incumbent.params import Params, PromotionParams
from incumbent.training.folds import folds, over_folds, scored_folds
from incumbent.training.training_sets import Fold, Train, make_folds


@dataclass(frozen=True)
class Treatment:
    """Metric and fairness of out-of-fold predictions as pairs: without and with `bias`.

    Each of the two is calibrated as it would be released; differences as in compare.Fairness.
    """

    column: str
    metric: tuple[float, float]
    parity_difference: tuple[float, float]
    odds_difference: tuple[float, float]


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold scores at a fixed number of rounds: `folds`, of each scored fold; their mean and standard
    deviation; `rows`: number of training rows.

    `cost`: mean cost of a row by `decision` at the chosen threshold, None without costs; `treatment`: the
    effect of `bias`, None without.
    """

    metric: str
    folds: tuple[float, ...]
    mean: float
    std: float
    rows: int
    cost: float | None = None
    treatment: Treatment | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> "CrossValidation":
        saved = document.get("treatment")
        pairs = {name: tuple(value) for name, value in (saved or {}).items() if name != "column"}
        treatment = saved and Treatment(saved["column"], **pairs)
        return CrossValidation(**{**document, "folds": tuple(document["folds"]), "treatment": treatment})


@dataclass(frozen=True)
class OutOfFold:
    """Each fold's labels and calibrated predictions, and the output learned from all of them; `scored`:
    numbers of the folds that have a score."""

    y: list[np.ndarray]
    predictions: list[np.ndarray]
    output: Output
    scored: list[int]

    def scores(self, promotion: PromotionParams) -> list[float]:
        threshold = self.output.threshold
        return [
            score(self.y[number], as_decisions(self.predictions[number], threshold, promotion), promotion)
            for number in self.scored
        ]

    def fairness(self, protected: pd.Series, promotion: PromotionParams) -> Fairness:
        own = self.output.threshold
        threshold = promotion.threshold if own is None else own
        return fairness(np.concatenate(self.y), np.concatenate(self.predictions), protected, threshold)


def cross_validate(
    rows: Rows, learner: Learner, binned: Any, train: Train, schema: Schema, params: Params
) -> tuple[CrossValidation, Output]:
    """Refit every fold by `train`, the way the final model is fitted.

    Out-of-fold predictions also give the calibration and the threshold; the folds' scores are those of
    calibrated predictions.
    """
    held_out = _out_of_fold(rows, learner, binned, train, schema, params)
    scores, output, cost = held_out.scores(params.promotion), held_out.output, None
    if output.threshold is not None:
        positive = np.concatenate(held_out.predictions) >= output.threshold
        cost = mean_cost(np.concatenate(held_out.y), positive, params.decision)
    treatment = None
    if rows.protected is not None:
        plain = replace(rows, protected=None)
        without = _out_of_fold(plain, learner, binned, train, schema, params)
        treatment = _treatment(rows, without, held_out, params)
    estimate = CrossValidation(
        params.promotion.metric,
        tuple(scores),
        float(np.mean(scores)),
        float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        len(rows.y),
        cost,
        treatment,
    )
    return estimate, output


def _out_of_fold(
    rows: Rows, learner: Learner, binned: Any, train: Train, schema: Schema, params: Params
) -> OutOfFold:
    def predict(fold: Fold) -> np.ndarray:
        return train(fold.training).predict(fold.held_out())

    splits = folds(rows, params.search, params.seed)
    parts = make_folds(rows, splits, learner, schema, params, binned, train)
    raw, labels = over_folds(predict, parts), [part.y for part in parts]
    if params.search.scheme == "leave-one-out":  # a row alone has no score
        raw, labels, scored = [np.concatenate(raw)], [np.concatenate(labels)], [0]
    else:
        scored = scored_folds(rows.y, splits, params)
    y, scores = np.concatenate(labels), np.concatenate(raw)
    output = learn_output(y, scores, params.imbalance.calibrate, params.decision)
    return OutOfFold(labels, [output.apply(each) for each in raw], output, scored)


def _treatment(rows: Rows, without: OutOfFold, with_bias: OutOfFold, params: Params) -> Treatment:
    held = np.concatenate([held for _, held in folds(rows, params.search, params.seed)])
    column, promotion = str(params.bias.column), params.promotion
    protected = pd.Series(np.asarray(rows.protected)[held], name=column)
    before, after = (each.fairness(protected, promotion) for each in (without, with_bias))
    return Treatment(
        column,
        (float(np.mean(without.scores(promotion))), float(np.mean(with_bias.scores(promotion)))),
        (before.parity_difference, after.parity_difference),
        (before.odds_difference, after.odds_difference),
    )
