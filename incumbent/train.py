"""The challenger: cross-validated, then trained on all training rows, or updated from the champion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.clean import Touched
from incumbent.compare import Fairness, decided, fairness, score
from incumbent.fitting import Lot, Portion, Train, batch_of, everything, portions
from incumbent.folds import folds, judging, over_folds
from incumbent.learners import Learner, Trained
from incumbent.learners.devices import Device
from incumbent.output import Output, learn_output, mean_cost
from incumbent.params import Params, PromotionParams
from incumbent.rows import Rows, prior
from incumbent.schema import Schema
from incumbent.tune import StudyResult


@dataclass(frozen=True)
class Treatment:
    """The metric, and how differently the values of `column` are treated, without and with `bias`.

    Of out-of-fold predictions, each of the two as it would be released; differences as in compare.Fairness.
    """

    column: str
    metric: tuple[float, float]
    parity_difference: tuple[float, float]
    odds_difference: tuple[float, float]


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold score at a fixed number of rounds: of each fold that has one, mean, deviation and rows.

    `cost`: of a row on average, by `decision`, when the chosen threshold decides; None without costs.
    `treatment`: what `bias` changed; None without.
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
        seen = document.get("treatment")
        pairs = {name: tuple(value) for name, value in (seen or {}).items() if name != "column"}
        treatment = seen and Treatment(seen["column"], **pairs)
        return CrossValidation(**{**document, "folds": tuple(document["folds"]), "treatment": treatment})


@dataclass(frozen=True)
class Fitted:
    """`models` differ in their seed only. X: rows as a model reads them, to try it on; `rows`: how many it
    learned from; prior: the trivial baseline's prediction for them; `touched`: what cleaning did to them."""

    models: Sequence[Trained]
    X: np.ndarray
    rows: int
    prior: np.ndarray
    touched: Touched
    device: Device

    @staticmethod
    def of(models: Sequence[Trained], rows: Rows, schema: Schema, device: Device) -> "Fitted":
        """Of rows that are all here."""
        return Fitted(models, rows.X, len(rows.y), prior(rows, schema), rows.touched, device)


@dataclass(frozen=True)
class OutOfFold:
    """Each fold's labels and calibrated predictions, and the output that was learned from them; `judged`:
    numbers of the folds that have a score."""

    y: list[np.ndarray]
    answers: list[np.ndarray]
    output: Output
    judged: list[int]

    def scores(self, promotion: PromotionParams) -> list[float]:
        threshold = self.output.threshold
        return [
            score(self.y[number], decided(self.answers[number], threshold, promotion), promotion)
            for number in self.judged
        ]

    def fairness(self, protected: pd.Series, promotion: PromotionParams) -> Fairness:
        own = self.output.threshold
        threshold = promotion.threshold if own is None else own
        return fairness(np.concatenate(self.y), np.concatenate(self.answers), protected, threshold)


def cross_validate(
    rows: Rows, learner: Learner, binned: Any, study: StudyResult, schema: Schema, params: Params
) -> tuple[CrossValidation, Output]:
    """Refit every fold with the winner's rounds, as the final model is fitted.

    The predictions for held-out rows also tell how to calibrate and where to decide; the folds' scores are
    those of calibrated predictions.
    """
    seen = _out_of_fold(rows, learner, binned, study, schema, params)
    scores, output, cost = seen.scores(params.promotion), seen.output, None
    if output.threshold is not None:
        positive = np.concatenate(seen.answers) >= output.threshold
        cost = mean_cost(np.concatenate(seen.y), positive, params.decision)
    treatment = None
    if rows.protected is not None:
        plain = replace(rows, protected=None)
        without = _out_of_fold(plain, learner, binned, study, schema, params)
        treatment = _treatment(rows, without, seen, params)
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


def training_of(learner: Learner, study: StudyResult) -> Train:
    """Fits a lot with the study's winner."""

    def train(lot: Lot) -> Trained:
        return learner.fit(lot.binned, study.options, study.rounds, lot.rows, lot.weights)

    return train


def _out_of_fold(
    rows: Rows, learner: Learner, binned: Any, study: StudyResult, schema: Schema, params: Params
) -> OutOfFold:
    train = training_of(learner, study)

    def predict(portion: Portion) -> np.ndarray:
        return train(portion.lot).predict(portion.held_out())

    splits = folds(rows, params.search, params.seed)
    parts = portions(rows, splits, learner, schema, params, binned, train)
    raw, labels = over_folds(predict, parts), [part.y for part in parts]
    if params.search.scheme == "leave-one-out":  # a row alone has no score
        raw, labels, judged = [np.concatenate(raw)], [np.concatenate(labels)], [0]
    else:
        judged = judging(rows.y, splits, params)
    y, scores = np.concatenate(labels), np.concatenate(raw)
    output = learn_output(y, scores, params.imbalance.calibrate, params.decision)
    return OutOfFold(labels, [output.apply(each) for each in raw], output, judged)


def _treatment(rows: Rows, without: OutOfFold, seen: OutOfFold, params: Params) -> Treatment:
    held = np.concatenate([held for _, held in folds(rows, params.search, params.seed)])
    column, promotion = str(params.bias.column), params.promotion
    protected = pd.Series(np.asarray(rows.protected)[held], name=column)
    before, after = (each.fairness(protected, promotion) for each in (without, seen))
    return Treatment(
        column,
        (float(np.mean(without.scores(promotion))), float(np.mean(seen.scores(promotion)))),
        (before.parity_difference, after.parity_difference),
        (before.odds_difference, after.odds_difference),
    )


def train_full(
    rows: Rows,
    learner: Learner,
    binned: Any,
    study: StudyResult,
    schema: Schema,
    params: Params,
    checkpoints: Sequence[Path] | None = None,
) -> list[Trained]:
    """A model on every training row with the study's winner, for each of `challenger_seeds`.

    checkpoints: a file for each, as Learner.fit keeps it.
    """
    models = []
    for number, seed in enumerate(challenger_seeds(params)):
        lot, own = everything(rows, learner, schema, binned, seed), learner.reseeded(seed)
        kept = checkpoints[number] if checkpoints else None
        models.append(own.fit(lot.binned, study.options, study.rounds, lot.rows, lot.weights, kept))
    return models


def update(
    champion: Path,
    fresh: Rows,
    replay: Rows,
    learner: Learner,
    schema: Schema,
    params: Params,
    options: dict[str, Any],
    known: int,
) -> list[Trained]:
    """Continue from the champion with new rows and history, once for each seed, as Learner.update does."""
    models = []
    for seed in challenger_seeds(params):
        new, past = (batch_of(each, schema, seed) for each in (fresh, replay))
        models.append(learner.reseeded(seed).update(champion, new, past, options, known))
    return models


def challenger_seeds(params: Params) -> list[int]:
    """The seed of the challenger, and of those that only tell how much a seed matters."""
    return [(params.seed + number) % 2**31 for number in range(params.promotion.seeds)]


def importances(model: Trained, names: Sequence[str]) -> dict[str, float]:
    """Share of each feature in the model's total gain, largest first."""
    gains = model.gains()
    total = float(gains.sum()) or 1.0
    order = np.argsort(-gains, kind="stable")
    return {names[i]: float(gains[i]) / total for i in order}
