"""Cross-validation: scores of the folds, out-of-fold predictions, and the calibration learned from them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Fairness, as_decisions, estimate, fairness, score
from incumbent.errors import BadData
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
    effect of `bias`, None without; `left_out`: where there are too many rows for folds, those that one
    training left out and predicted, and `folds` has their score; None with folds.
    """

    metric: str
    folds: tuple[float, ...]
    mean: float
    std: float
    rows: int
    cost: float | None = None
    treatment: Treatment | None = None
    left_out: "LeftOut | None" = None

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        return document if self.left_out else {k: v for k, v in document.items() if k != "left_out"}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "CrossValidation":
        saved, part = document.get("treatment"), document.get("left_out")
        pairs = {name: tuple(value) for name, value in (saved or {}).items() if name != "column"}
        treatment = saved and Treatment(saved["column"], **pairs)
        read = {
            "folds": tuple(document["folds"]),
            "treatment": treatment,
            "left_out": part and LeftOut(**part),
        }
        return CrossValidation(**{**document, **read})


@dataclass(frozen=True)
class LeftOut:
    """Rows that a training left out and predicted: their number, and the interval of the score, by groups of
    split.by with promotion.confidence; None where they can't tell it."""

    rows: int
    low: float | None
    high: float | None


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
    one_fold: bool = False,
) -> CrossValidated:
    """Refit every fold, the way the final model is fitted, with each of `challenger_seeds`.

    Out-of-fold predictions also give the calibration and the threshold; the folds' scores are those of
    calibrated predictions. The folds are drawn anew, as those of the search have chosen the options; versions
    of earlier releases learned their calibration from the latter. one_fold: of five, refit and predict the
    last alone, where there are too many rows for all.
    """
    search = params.search.model_copy(update={"folds": 5}) if one_fold else params.search
    judging = judging_folds(rows, search, params.seed) if drawn_anew else []
    splits = judging or folds(rows, search, params.seed)
    if one_fold:
        splits = splits[-1:]
    seeds = [learner.reseeded(seed) for seed in challenger_seeds(params)]
    held_out = [_out_of_fold(rows, splits, each, binned, tuned, schema, params) for each in seeds]
    treatment = None
    if rows.protected is not None:
        plain = replace(rows, protected=None)
        without = _out_of_fold(plain, splits, learner, binned, tuned, schema, params)
        treatment = _treatment(rows, without, held_out[0], params)
    validated = validation_of(held_out, rows.group, len(rows.y), params, one_fold=one_fold)
    validated = replace(validated, estimate=replace(validated.estimate, treatment=treatment))
    if judging:
        return validated
    # Rows of a single group can't judge; their folds still estimate.
    return replace(validated, rows=np.zeros(0, dtype=np.intp), predictions=np.zeros((len(seeds), 0)))


def validation_of(
    held_out: Sequence[OutOfFold], group: np.ndarray, rows: int, params: Params, *, one_fold: bool
) -> CrossValidated:
    """What the predictions of each seed's models give; the first seed's estimate.

    group: as Rows.group, of the rows that OutOfFold numbers; rows: number of training rows.
    """
    first, cost = held_out[0], None
    scores, output = first.scores(params.promotion), first.output
    if output.threshold is not None:
        positive = np.concatenate(first.predictions) >= output.threshold
        cost = mean_cost(np.concatenate(first.y), positive, params.decision)
    estimated = CrossValidation(
        params.promotion.metric,
        tuple(scores),
        float(np.mean(scores)),
        float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        rows,
        cost,
        left_out=_left_out(first, group, params) if one_fold else None,
    )
    predictions = np.stack([_cross_calibrated(each, params) for each in held_out])
    return CrossValidated(estimated, output, np.concatenate(first.rows), predictions)


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
        return fold.predicted(train(fold.training))

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


def _left_out(held_out: OutOfFold, group: np.ndarray, params: Params) -> LeftOut:
    """group: (n,) as Rows.group, of all rows."""
    y, threshold = np.concatenate(held_out.y), held_out.output.threshold
    decided = as_decisions(np.concatenate(held_out.predictions), threshold, params.promotion)
    held = np.concatenate(held_out.rows)
    try:
        interval = estimate(y, decided, group[held], params.promotion, seed=params.seed)
    except BadData:  # too few groups
        return LeftOut(len(y), None, None)
    return LeftOut(len(y), interval.low, interval.high)


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
