"""Cross-validation: scores of the folds, out-of-fold predictions, and the calibration learned from them."""

from collections.abc import Sequence
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
from incumbent.training.folds import Split, folds, judging_folds, over_folds, scored_folds
from incumbent.training.train import challenger_seeds
from incumbent.training.training_sets import Fold, Tuned, make_folds, train_with


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
    """Each fold's rows (numbers of those held out), labels, scores and calibrated predictions, and the output
    learned from all of them; `scored`: numbers of the folds that have a score."""

    rows: list[np.ndarray]
    y: list[np.ndarray]
    raw: list[np.ndarray]
    output: Output
    scored: list[int]

    @property
    def predictions(self) -> list[np.ndarray]:
        return [self.output.apply(each) for each in self.raw]

    def scores(self, promotion: PromotionParams) -> list[float]:
        threshold, predictions = self.output.threshold, self.predictions
        return [
            score(self.y[number], as_decisions(predictions[number], threshold, promotion), promotion)
            for number in self.scored
        ]

    def fairness(self, protected: pd.Series, promotion: PromotionParams) -> Fairness:
        own = self.output.threshold
        threshold = promotion.threshold if own is None else own
        return fairness(np.concatenate(self.y), np.concatenate(self.predictions), protected, threshold)


@dataclass(frozen=True)
class CrossValidated:
    """`output`: what the folds teach the final model. rows: (n,) numbers of the held-out rows; predictions:
    (seeds, n) or (seeds, n, classes), by models that have learned nothing from the row or its group; none
    where all rows are of one group."""

    estimate: CrossValidation
    output: Output
    rows: np.ndarray
    predictions: np.ndarray


def cross_validate(
    rows: Rows,
    learner: Learner,
    binned: Any,
    tuned: Tuned,
    schema: Schema,
    params: Params,
    *,
    drawn_anew: bool = True,
) -> CrossValidated:
    """Refit every fold, the way the final model is fitted, with each of `challenger_seeds`.

    Out-of-fold predictions also give the calibration and the threshold; the folds' scores are those of
    calibrated predictions. The folds are drawn anew, as those of the search have chosen the options; versions
    of earlier releases learned their calibration from the latter.
    """
    judging = judging_folds(rows, params.search, params.seed) if drawn_anew else []
    splits = judging or folds(rows, params.search, params.seed)
    seeds = [learner.reseeded(seed) for seed in challenger_seeds(params)]
    held_out, *others = [_out_of_fold(rows, splits, each, binned, tuned, schema, params) for each in seeds]
    scores, output, cost = held_out.scores(params.promotion), held_out.output, None
    if output.threshold is not None:
        positive = np.concatenate(held_out.predictions) >= output.threshold
        cost = mean_cost(np.concatenate(held_out.y), positive, params.decision)
    treatment = None
    if rows.protected is not None:
        plain = replace(rows, protected=None)
        without = _out_of_fold(plain, splits, learner, binned, tuned, schema, params)
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
    if not judging:  # rows of a single group can't judge; their folds still estimate
        return CrossValidated(estimate, output, np.zeros(0, dtype=np.intp), np.zeros((len(seeds), 0)))
    predictions = np.stack([_cross_calibrated(each, params) for each in (held_out, *others)])
    return CrossValidated(estimate, output, np.concatenate(held_out.rows), predictions)


def _out_of_fold(
    rows: Rows,
    splits: Sequence[Split],
    learner: Learner,
    binned: Any,
    tuned: Tuned,
    schema: Schema,
    params: Params,
) -> OutOfFold:
    train = train_with(learner, tuned)

    def predict(fold: Fold) -> np.ndarray:
        return train(fold.training).predict(fold.held_out())

    parts = make_folds(rows, splits, learner, schema, params, binned, train)
    raw, labels, held = over_folds(predict, parts), [part.y for part in parts], [held for _, held in splits]
    if all(len(each) == 1 for each in held):  # a row alone has no score
        raw, labels, held = ([np.concatenate(each)] for each in (raw, labels, held))
        scored = [0]
    else:
        scored = scored_folds(rows.y, splits, params)
    y, scores = np.concatenate(labels), np.concatenate(raw)
    output = learn_output(y, scores, params.imbalance.calibrate, params.decision)
    return OutOfFold(held, labels, raw, output, scored)


def _cross_calibrated(held_out: OutOfFold, params: Params) -> np.ndarray:
    """Predictions in the order of the folds, each fold's calibrated by what the other folds teach."""
    y, raw = np.concatenate(held_out.y), np.concatenate(held_out.raw)
    if params.imbalance.calibrate is None:
        return raw
    fold = np.repeat(np.arange(len(held_out.y)), [len(each) for each in held_out.y])
    if len(held_out.y) == 1:
        fold = np.arange(len(y)) % params.search.folds
    predictions = np.empty_like(raw)
    for number in np.unique(fold):
        own = fold == number
        output = learn_output(y[~own], raw[~own], params.imbalance.calibrate, params.decision)
        predictions[own] = output.apply(raw[own])
    return predictions


def _treatment(rows: Rows, without: OutOfFold, with_bias: OutOfFold, params: Params) -> Treatment:
    held = np.concatenate(with_bias.rows)
    column, promotion = str(params.bias.column), params.promotion
    protected = pd.Series(np.asarray(rows.protected)[held], name=column)
    before, after = (each.fairness(protected, promotion) for each in (without, with_bias))
    return Treatment(
        column,
        (float(np.mean(without.scores(promotion))), float(np.mean(with_bias.scores(promotion)))),
        (before.parity_difference, after.parity_difference),
        (before.odds_difference, after.odds_difference),
    )
