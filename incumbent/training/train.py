"""Fit a challenger: on all training rows, or as an update of the champion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incumbent.features.clean import CleaningCounts
from incumbent.features.rows import Rows, prior
from incumbent.features.schema import Schema
from incumbent.learners import Batch, Learner, Trained
from incumbent.learners.devices import Device
from incumbent.params import Params
from incumbent.training.balance import Balance
from incumbent.training.folds import judging_folds
from incumbent.training.lineage import Parent
from incumbent.training.training_sets import Tuned, batch_of, everything

UPDATE_FOLDS = 4
"""Measured: five take 2.9 times the CPU of an update, two underrate its gain by a third, four by a sixth."""


@dataclass(frozen=True)
class Fitted:
    """`models` differ in their seed only. X: (n, features) encoded rows, to try the models on; `rows`: number
    of training rows; prior: the trivial baseline's prediction, as features.rows.prior."""

    models: Sequence[Trained]
    X: np.ndarray
    rows: int
    prior: np.ndarray
    cleaning_counts: CleaningCounts
    device: Device

    @staticmethod
    def of(models: Sequence[Trained], rows: Rows, schema: Schema, device: Device) -> "Fitted":
        """For rows that are all in this process."""
        return Fitted(models, rows.X, len(rows.y), prior(rows, schema), rows.cleaning_counts, device)


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
    """One model of all training rows for each of `challenger_seeds`.

    checkpoints: a file for each, as in Learner.fit.
    """
    models = []
    for number, seed in enumerate(challenger_seeds(params)):
        training, own = everything(rows, learner, schema, balance, binned, seed), learner.reseeded(seed)
        kept = checkpoints[number] if checkpoints else None
        models.append(
            own.fit(training.binned, tuned.options, tuned.rounds, training.rows, training.weights, kept)
        )
    return models


def update(parent: Parent, fresh: Rows, replay: Rows, learner: Learner, params: Params) -> list[Trained]:
    """Continue from the parent with new rows and a sample of history, by Learner.update, for each seed."""
    file = parent.folder / learner.file
    return [
        own.update(file, new, past, parent.options, parent.known)
        for own, new, past in _batches(parent, fresh, replay, learner, params)
    ]


def cross_fit(
    parent: Parent, fresh: Rows, replay: Rows, learner: Learner, params: Params
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the new rows by updates that each leave out a fold of them: numbers of the rows, (n,), and
    predictions, (seeds, n) or (seeds, n, classes). Empty when all rows are of one group, or a
    gap in time is longer than they span.

    Such a gap also lies between history and the rows that judge: new rows come after history, and a fold that
    judges has new rows to fit on before the gap.
    """
    scheme = "time-series" if params.search.scheme == "time-series" else "stratified"
    search = params.search.model_copy(update={"folds": UPDATE_FOLDS, "scheme": scheme})
    splits = judging_folds(fresh, search, params.seed)
    seeds = len(challenger_seeds(params))
    if not splits:
        return np.zeros(0, dtype=np.intp), np.zeros((seeds, 0))
    file = parent.folder / learner.file

    def predict(fit: np.ndarray, held: np.ndarray) -> list[np.ndarray]:
        rows = fresh.take(held)
        apart = Batch(rows.X, rows.y, leaves=rows.leaves)
        return [
            own.predict_updated(file, new, past, parent.options, parent.known, apart)
            for own, new, past in _batches(parent, fresh.take(fit), replay, learner, params)
        ]

    predicted = [predict(fit, held) for fit, held in splits]
    raw = np.stack([np.concatenate([fold[seed] for fold in predicted]) for seed in range(seeds)])
    held = np.concatenate([held for _, held in splits])
    return held, np.stack([parent.model.output.apply(each) for each in raw])


def _batches(
    parent: Parent, fresh: Rows, replay: Rows, learner: Learner, params: Params
) -> Iterator[tuple[Learner, Batch, Batch]]:
    """The learner of each of `challenger_seeds`, with its new rows and its history."""
    schema, balance = parent.model.schema, parent.balance
    for seed in challenger_seeds(params):
        new, past = (batch_of(each, schema, balance, seed) for each in (fresh, replay))
        yield learner.reseeded(seed), new, past


def challenger_seeds(params: Params) -> list[int]:
    """The challenger's seed, then those of the extra models that measure the spread between seeds."""
    return [(params.seed + number) % 2**31 for number in range(params.promotion.seeds)]
