"""What a model is fitted on: binned, weighted and resampled training rows.

The folds of tuning and of cross-validation, the full training and the update all use this module. A fold
learns weights and target encoding from the rows that it fits on; its held-out rows keep their weight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.learners import Batch, Learner, Trained
from incumbent.models.calibration import learn_output
from incumbent.params import Params
from incumbent.training.balance import Balance, Resampled, learn_balance, learn_groups
from incumbent.training.fairness_reduction import Groups, learn_reduction
from incumbent.training.folds import Split, folds, over_folds

PREDICTED = 1 << 17
"""Held-out rows that are in memory and predicted together: whole batches of a network's predictions."""


@dataclass(frozen=True)
class TrainingSet:
    """The row numbers `rows` of `binned`, ascending (None: all), with `weights` (None: ones)."""

    binned: Any
    rows: np.ndarray | None = None
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Tuned:
    """The learner's options and its rounds, as the search chose them."""

    options: dict[str, Any]
    rounds: int


Train = Callable[[TrainingSet], Trained]
"""Fits a learner with the options and rounds that the search chose."""


def train_with(learner: Learner, tuned: Tuned) -> Train:
    """The function that fits a training set with these options."""

    def train(training: TrainingSet) -> Trained:
        return learner.fit(training.binned, tuned.options, tuned.rounds, training.rows, training.weights)

    return train


@dataclass(frozen=True)
class Fold:
    """`training`: the rows to fit on; `held`: numbers of the held-out rows in its bins; y: their labels.

    source, at: a matrix of encoded rows, and the numbers of the held-out rows in it.
    """

    training: TrainingSet
    held: np.ndarray
    y: np.ndarray
    source: np.ndarray
    at: np.ndarray

    def predicted(self, model: Trained) -> np.ndarray:
        """A model's predictions of the held-out rows, shaped as Trained.predict. They are copied in parts:
        those of all folds together are as large as the training rows."""
        starts = range(0, max(1, len(self.at)), PREDICTED)
        return np.concatenate([model.predict(self.source[self.at[at : at + PREDICTED]]) for at in starts])


def make_folds(
    rows: Rows,
    splits: Sequence[Split],
    learner: Learner,
    schema: Schema,
    params: Params,
    binned: Any,
    train: Train | None = None,
) -> list[Fold]:
    """One fold for each split. Folds that only select and weight rows share the bins of all rows, `binned`.

    train: fits the models by which bias.reduce tries its weights; None, in the search, skips bias.reduce.
    """
    return [_fold(rows, split, learner, schema, params, binned, train) for split in splits]


def _fold(
    rows: Rows,
    split: Split,
    learner: Learner,
    schema: Schema,
    params: Params,
    binned: Any,
    train: Train | None,
) -> Fold:
    fit, held = split
    source, at = rows.X, held
    if schema.has_means:
        schema, rows = _with_own_means(rows, fit, schema)
        source, at, binned = rows.X[held], np.arange(len(held)), learner.bin(rows.X, rows.y)
    balance = learned_balance(rows, fit, learner, schema, params, train)
    resampled = _resampled(rows, fit, balance, schema, params.seed)
    y = rows.y[held]
    if resampled.only_weighed:
        return Fold(TrainingSet(binned, resampled.rows, resampled.weights), held, y, source, at)
    batch = _batch(rows, resampled)
    own = learner.bin(np.concatenate([batch.X, source[at]]), np.concatenate([batch.y, y]))
    numbers = np.arange(len(batch.y) + len(y))
    training = TrainingSet(own, numbers[: len(batch.y)], batch.weights)
    return Fold(training, numbers[len(batch.y) :], y, source, at)


def _with_own_means(rows: Rows, fit: np.ndarray, schema: Schema) -> tuple[Schema, Rows]:
    """Encode all rows by means learned from those of `fit` alone."""
    learned = rows.take(fit)
    schema = schema.learned_means(learned.X, learned.y, learned.group)
    X = schema.with_means(rows.X)
    X[fit] = schema.with_means(learned.X, learned.group)
    return schema, replace(rows, X=X)


def encoded(rows: Rows, schema: Schema, *, learned: bool) -> Rows:
    """Replace codes by the schema's means; `learned`: whether the means were learned from these rows."""
    return replace(rows, X=schema.with_means(rows.X, rows.group if learned else None))


def everything(
    rows: Rows, learner: Learner, schema: Schema, balance: Balance, binned: Any, seed: int
) -> TrainingSet:
    """All encoded rows, weighted and resampled by this balance; `binned`: their bins."""
    resampled = _resampled(rows, np.arange(len(rows.y)), balance, schema, seed)
    if resampled.only_weighed:
        return TrainingSet(
            binned, None if len(resampled.rows) == len(rows.y) else resampled.rows, resampled.weights
        )
    batch = _batch(rows, resampled)
    return TrainingSet(learner.bin(batch.X, batch.y), None, batch.weights)


def batch_of(rows: Rows, schema: Schema, balance: Balance, seed: int) -> Batch:
    """These encoded rows for an update, weighted and resampled by its champion's balance."""
    return _batch(rows, _resampled(rows, np.arange(len(rows.y)), balance, schema, seed))


def learned_balance(
    rows: Rows, fit: np.ndarray, learner: Learner, schema: Schema, params: Params, train: Train | None
) -> Balance:
    """Learn the weights of imbalance.method and `bias` from the row numbers `fit`; rows: encoded ones."""
    classes = max(2, len(schema.classes))
    balance = learn_balance(rows.y[fit], classes, params.imbalance.method)
    if rows.protected is None:
        return balance
    if params.bias.reduce is None:
        return replace(balance, groups=learn_groups(rows.protected[fit], rows.y[fit], classes))
    if train is None:
        return balance
    return replace(balance, groups=_reduction(rows.take(fit), balance, learner, schema, params, train))


def _reduction(
    rows: Rows, balance: Balance, learner: Learner, schema: Schema, params: Params, train: Train
) -> Groups:
    """The table of bias.reduce. Score each half with a model trained on the other: trees fit their own rows
    too closely."""
    whole = "stratified-group" if params.search.scheme == "stratified-group" else "stratified"
    halves = folds(rows, params.search.model_copy(update={"folds": 2, "scheme": whole}), params.seed)
    scores = np.empty(len(rows.y))

    def answers(groups: Groups) -> np.ndarray:
        tried = replace(balance, groups=groups)

        def predict(half: Split) -> None:
            fit, held = half
            batch = _batch(rows, _resampled(rows, fit, tried, schema, params.seed))
            training = TrainingSet(learner.bin(batch.X, batch.y), None, batch.weights)
            scores[held] = train(training).predict(rows.X[held])

        over_folds(predict, halves)
        output = learn_output(rows.y, scores, params.imbalance.calibrate, params.decision)
        threshold = params.promotion.threshold if output.threshold is None else output.threshold
        return output.apply(scores) >= threshold

    return learn_reduction(np.asarray(rows.protected), rows.y, params.bias, answers)


def _resampled(rows: Rows, fit: np.ndarray, balance: Balance, schema: Schema, seed: int) -> Resampled:
    """Apply the balance, and multiply each row's weight by that of its group and by its own."""
    resampled = balance.draw(rows.X, rows.y, fit, schema.columns, seed)
    weights = [resampled.weights, rows.weights if rows.weights is None else rows.weights[resampled.rows]]
    labels = None
    if rows.protected is not None and balance.groups:
        y = rows.y[resampled.rows]
        by_group = balance.by_group(rows.protected[resampled.rows], y)
        if (other := by_group < 0).any():
            labels = np.where(other, 1 - y, y)
        weights.append(np.abs(by_group))
    given = [each for each in weights if each is not None]
    return replace(resampled, weights=np.prod(given, axis=0) if given else None, labels=labels)


def _batch(rows: Rows, resampled: Resampled) -> Batch:
    X, y, weights = rows.X[resampled.rows], rows.y[resampled.rows], resampled.weights
    leaves = None if rows.leaves is None else rows.leaves[resampled.rows]
    if resampled.labels is not None:
        y = resampled.labels
    if resampled.X is None or resampled.y is None:
        return Batch(X, y, weights, leaves)
    if weights is not None:
        weights = np.concatenate([weights, np.ones(len(resampled.y))])
    return Batch(np.concatenate([X, resampled.X]), np.concatenate([y, resampled.y]), weights)
