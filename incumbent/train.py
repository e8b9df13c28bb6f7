"""The challenger: cross-validated, then trained on all training rows, or updated from the champion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incumbent.compare import decided, score
from incumbent.fitting import Portion, batch_of, everything, portions
from incumbent.folds import folds, over_folds
from incumbent.learners import Learner, Trained
from incumbent.output import Output, choose_threshold, learn_curves, mean_cost
from incumbent.params import Params
from incumbent.rows import Rows
from incumbent.schema import Schema
from incumbent.tune import StudyResult


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold score at a fixed number of rounds: of each fold, their mean, deviation and rows.

    `cost`: of a row on average, by `decision`, when the chosen threshold decides; None without costs.
    """

    metric: str
    folds: tuple[float, ...]
    mean: float
    std: float
    rows: int
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cross_validate(
    rows: Rows, learner: Learner, binned: Any, study: StudyResult, schema: Schema, params: Params
) -> tuple[CrossValidation, Output]:
    """Refit every fold with the winner's fixed rounds: the tuning score enjoyed early stopping.

    The predictions for held-out rows also tell how to calibrate and where to decide; the folds' scores are
    those of calibrated predictions.
    """

    def predict(portion: Portion) -> np.ndarray:
        model = learner.fit(portion.binned, study.options, study.rounds, portion.rows, portion.weights)
        return model.predict(portion.X)

    splits = portions(rows, folds(rows, params.search, params.seed), learner, schema, params, binned)
    raw = over_folds(predict, splits)
    y = np.concatenate([portion.y for portion in splits])
    curves = learn_curves(y, np.concatenate(raw), params.imbalance.calibrate)
    answers = [Output(curves).apply(each) for each in raw]
    threshold = choose_threshold(y, np.concatenate(answers), params.decision)
    output = Output(curves, threshold)
    scores = [
        score(portion.y, decided(each, threshold, params.promotion), params.promotion)
        for portion, each in zip(splits, answers, strict=True)
    ]
    cost = threshold and mean_cost(y, np.concatenate(answers) >= threshold, params.decision)
    estimate = CrossValidation(
        params.promotion.metric,
        tuple(scores),
        float(np.mean(scores)),
        float(np.std(scores, ddof=1)),
        len(rows.y),
        cost,
    )
    return estimate, output


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
        part = everything(rows, learner, schema, binned, seed)
        checkpoint = checkpoints[number] if checkpoints else None
        models.append(
            learner.reseeded(seed).fit(
                part.binned, study.options, study.rounds, part.rows, part.weights, checkpoint
            )
        )
    return models


def update(
    champion: Path, fresh: Rows, replay: Rows, learner: Learner, schema: Schema, params: Params
) -> list[Trained]:
    """Continue from the champion with the new rows and as many rows of history, once for each seed."""
    models = []
    for seed in challenger_seeds(params):
        size = min(len(replay.y), len(fresh.y))
        chosen = np.sort(np.random.default_rng(seed).choice(len(replay.y), size, replace=False))
        batches = (batch_of(each, schema, seed) for each in (fresh, replay.take(chosen)))
        models.append(learner.reseeded(seed).update(champion, *batches))
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
