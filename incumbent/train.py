"""The challenger: cross-validated, then trained on all training rows, or updated from the champion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incumbent.compare import score
from incumbent.folds import Split, folds, over_folds
from incumbent.learners import Learner, Trained
from incumbent.params import Params
from incumbent.rows import Rows
from incumbent.tune import StudyResult


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold score at a fixed number of rounds: of each fold, their mean, deviation and rows."""

    metric: str
    folds: tuple[float, ...]
    mean: float
    std: float
    rows: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cross_validate(
    rows: Rows, learner: Learner, binned: Any, study: StudyResult, params: Params
) -> CrossValidation:
    """Refit every fold with the winner's fixed rounds: the tuning score enjoyed early stopping."""

    def held_out(split: Split) -> float:
        fit, held = split
        model = learner.fit(binned, study.options, study.rounds, fit)
        return score(rows.y[held], model.predict(rows.X[held]), params.promotion)

    scores = over_folds(held_out, folds(rows, params.search, params.seed))
    return CrossValidation(
        params.promotion.metric,
        tuple(scores),
        float(np.mean(scores)),
        float(np.std(scores, ddof=1)),
        len(rows.y),
    )


def train_full(binned: Any, learner: Learner, study: StudyResult, params: Params) -> list[Trained]:
    """A model on every training row with the study's winner, for each of `challenger_seeds`."""
    return [
        learner.reseeded(seed).fit(binned, study.options, study.rounds) for seed in challenger_seeds(params)
    ]


def update(champion: Path, fresh: Rows, replay: Rows, learner: Learner, params: Params) -> list[Trained]:
    """Continue from the champion with the new rows and as many rows of history, once for each seed."""
    return [
        _update(champion, fresh, replay, learner.reseeded(seed), seed) for seed in challenger_seeds(params)
    ]


def challenger_seeds(params: Params) -> list[int]:
    """The seed of the challenger, and of those that only tell how much a seed matters."""
    return [(params.seed + number) % 2**31 for number in range(params.promotion.seeds)]


def _update(champion: Path, fresh: Rows, replay: Rows, learner: Learner, seed: int) -> Trained:
    size = min(len(replay.y), len(fresh.y))
    chosen = np.sort(np.random.default_rng(seed).choice(len(replay.y), size, replace=False))
    return learner.update(champion, (fresh.X, fresh.y), (replay.X[chosen], replay.y[chosen]))


def importances(model: Trained, names: Sequence[str]) -> dict[str, float]:
    """Share of each feature in the model's total gain, largest first."""
    gains = model.gains()
    total = float(gains.sum()) or 1.0
    order = np.argsort(-gains, kind="stable")
    return {names[i]: float(gains[i]) / total for i in order}
