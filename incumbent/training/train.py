"""The challenger: cross-validated, then trained on all training rows, or updated from the champion."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Fairness, decided, fairness, score
from incumbent.features.clean import Touched
from incumbent.features.rows import Rows, prior
from incumbent.features.schema import Schema
from incumbent.learners import Learner, Trained
from incumbent.learners.devices import Device
from incumbent.models.calibration import Output, learn_output, mean_cost
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams
from incumbent.training.balance import Balance
from incumbent.training.folds import folds, judging, over_folds
from incumbent.training.training_sets import Portion, Train, Tuned, batch_of, everything, portions


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
class Parent:
    """The version that an update continues: its model, the folder with its verified files, how it weighed
    the classes, its tuned options, and how many training rows it knows."""

    model: Model
    folder: Path
    balance: Balance
    options: dict[str, Any]
    known: int

    @staticmethod
    def of(model: Model, folder: Path, manifest: Mapping[str, Any]) -> "Parent":
        balance = Balance.of_schema(manifest["schema"])
        return Parent(model, folder, balance, manifest["options"], manifest["rows_known"])


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
    rows: Rows, learner: Learner, binned: Any, train: Train, schema: Schema, params: Params
) -> tuple[CrossValidation, Output]:
    """Refit every fold by `train`, as the final model is fitted.

    The predictions for held-out rows also tell how to calibrate and where to decide; the folds' scores are
    those of calibrated predictions.
    """
    seen = _out_of_fold(rows, learner, binned, train, schema, params)
    scores, output, cost = seen.scores(params.promotion), seen.output, None
    if output.threshold is not None:
        positive = np.concatenate(seen.answers) >= output.threshold
        cost = mean_cost(np.concatenate(seen.y), positive, params.decision)
    treatment = None
    if rows.protected is not None:
        plain = replace(rows, protected=None)
        without = _out_of_fold(plain, learner, binned, train, schema, params)
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


def _out_of_fold(
    rows: Rows, learner: Learner, binned: Any, train: Train, schema: Schema, params: Params
) -> OutOfFold:
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
    tuned: Tuned,
    schema: Schema,
    balance: Balance,
    params: Params,
    checkpoints: Sequence[Path] | None = None,
) -> list[Trained]:
    """A model on every training row, for each of `challenger_seeds`.

    checkpoints: a file for each, as Learner.fit keeps it.
    """
    models = []
    for number, seed in enumerate(challenger_seeds(params)):
        lot, own = everything(rows, learner, schema, balance, binned, seed), learner.reseeded(seed)
        kept = checkpoints[number] if checkpoints else None
        models.append(own.fit(lot.binned, tuned.options, tuned.rounds, lot.rows, lot.weights, kept))
    return models


def update(parent: Parent, fresh: Rows, replay: Rows, learner: Learner, params: Params) -> list[Trained]:
    """Continue from the parent with new rows and history, once for each seed, as Learner.update does."""
    models, file = [], parent.folder / learner.file
    for seed in challenger_seeds(params):
        new, past = (batch_of(each, parent.model.schema, parent.balance, seed) for each in (fresh, replay))
        models.append(learner.reseeded(seed).update(file, new, past, parent.options, parent.known))
    return models


def challenger_seeds(params: Params) -> list[int]:
    """The seed of the challenger, and of those that only tell how much a seed matters."""
    return [(params.seed + number) % 2**31 for number in range(params.promotion.seeds)]
