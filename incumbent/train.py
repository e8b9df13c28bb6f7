"""The challenger: cross-validated, then trained on all training rows, or updated from the champion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from incumbent.learners import Learner, Trained
from incumbent.params import Params
from incumbent.rows import Rows
from incumbent.tune import Split, StudyResult, folds, over_folds


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold ROC AUC at a fixed number of rounds: of each fold, their mean, deviation and rows."""

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

    def score(split: Split) -> float:
        fit, held = split
        model = learner.fit(binned, study.options, study.rounds, fit)
        return float(roc_auc_score(rows.y[held], model.predict(rows.X[held])))

    scores = over_folds(score, folds(rows, params.search, params.seed))
    return CrossValidation(
        "roc_auc", tuple(scores), float(np.mean(scores)), float(np.std(scores, ddof=1)), len(rows.y)
    )


def train_full(
    rows: Rows, learner: Learner, study: StudyResult, params: Params
) -> tuple[Trained, CrossValidation]:
    """The cross-validation estimate, and the final model on every training row."""
    binned = learner.bin(rows.X, rows.y)
    estimate = cross_validate(rows, learner, binned, study, params)
    return learner.fit(binned, study.options, study.rounds), estimate


def update(champion: Path, fresh: Rows, replay: Rows, learner: Learner, seed: int) -> Trained:
    """Continue from the champion with the new rows and as many rows of history."""
    size = min(len(replay.y), len(fresh.y))
    chosen = np.sort(np.random.default_rng(seed).choice(len(replay.y), size, replace=False))
    return learner.update(champion, (fresh.X, fresh.y), (replay.X[chosen], replay.y[chosen]))


def importances(model: Trained, names: Sequence[str]) -> dict[str, float]:
    """Share of each feature in the model's total gain, largest first."""
    gains = model.gains()
    total = float(gains.sum()) or 1.0
    order = np.argsort(-gains, kind="stable")
    return {names[i]: float(gains[i]) / total for i in order}
