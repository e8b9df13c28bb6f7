"""What a model is fitted on: the one place where training rows become prepared and weighed ones.

Tuning's folds, the cross-validation's, the full training and the update all come through here. A fold learns
what it needs from the rows that it fits on; its held-out rows stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from incumbent.balance import Balance, Drawn, learn_balance, learn_groups
from incumbent.folds import Split
from incumbent.learners import Batch, Learner
from incumbent.params import Params
from incumbent.rows import Rows
from incumbent.schema import Schema


@dataclass(frozen=True)
class Portion:
    """`rows` of `binned` to fit on (None: all), with `weights` (None: ones); `held` is held out.

    rows, held: row numbers, ascending. X, y: the held-out rows as the model reads them, and their labels.
    """

    binned: Any
    rows: np.ndarray | None
    weights: np.ndarray | None
    held: np.ndarray
    X: np.ndarray
    y: np.ndarray


def portions(
    rows: Rows, splits: Sequence[Split], learner: Learner, schema: Schema, params: Params, binned: Any
) -> list[Portion]:
    """One for each split. Folds that only choose and weigh rows share the bins of all rows, `binned`."""
    return [_portion(rows, split, learner, schema, params, binned) for split in splits]


def _portion(
    rows: Rows, split: Split, learner: Learner, schema: Schema, params: Params, binned: Any
) -> Portion:
    fit, held = split
    X, y = rows.X[held], rows.y[held]
    own = schema.has_means
    if own:
        learned = rows.take(fit)
        schema = schema.learned_means(learned.X, learned.y, learned.group)
        rows, fit, X = as_read(learned, schema, learned=True), np.arange(len(fit)), schema.with_means(X)
    balance = learned_balance(rows, fit, schema, params)
    drawn = _drawn(rows, fit, balance, schema, params.seed)
    if not own and drawn.X is None:
        return Portion(binned, drawn.rows, drawn.weights, held, X, y)
    batch = _batch(rows, drawn)
    binned = learner.bin(np.concatenate([batch.X, X]), np.concatenate([batch.y, y]))
    numbers = np.arange(len(batch.y) + len(y))
    return Portion(binned, numbers[: len(batch.y)], batch.weights, numbers[len(batch.y) :], X, y)


def as_read(rows: Rows, schema: Schema, *, learned: bool) -> Rows:
    """The rows as the model reads them; `learned`: they are those that the schema was learned from."""
    return replace(rows, X=schema.with_means(rows.X, rows.group if learned else None))


def everything(rows: Rows, learner: Learner, schema: Schema, binned: Any, seed: int) -> Portion:
    """All rows, as the model reads them, to fit on by the schema's balance, and none held out."""
    fit = np.arange(len(rows.y))
    drawn = _drawn(rows, fit, schema.balance, schema, seed)
    nobody = (fit[:0], rows.X[:0], rows.y[:0])
    if drawn.X is not None:
        batch = _batch(rows, drawn)
        return Portion(learner.bin(batch.X, batch.y), None, batch.weights, *nobody)
    return Portion(binned, None if len(drawn.rows) == len(fit) else drawn.rows, drawn.weights, *nobody)


def batch_of(rows: Rows, schema: Schema, seed: int) -> Batch:
    """All of these rows, as the model reads them, for an update; balanced as its champion was."""
    return _batch(rows, _drawn(rows, np.arange(len(rows.y)), schema.balance, schema, seed))


def learned_balance(rows: Rows, fit: np.ndarray, schema: Schema, params: Params) -> Balance:
    """What imbalance.method and bias.reweigh come to for the row numbers `fit`."""
    classes = max(2, len(schema.classes))
    balance = learn_balance(rows.y[fit], classes, params.imbalance.method)
    if rows.protected is None:
        return balance
    return replace(balance, groups=learn_groups(rows.protected[fit], rows.y[fit], classes))


def _drawn(rows: Rows, fit: np.ndarray, balance: Balance, schema: Schema, seed: int) -> Drawn:
    """The balance's choice, each row of it by its group and by its own weight besides."""
    drawn = balance.draw(rows.X, rows.y, fit, schema.columns, seed)
    weights = [drawn.weights, rows.weights if rows.weights is None else rows.weights[drawn.rows]]
    if rows.protected is not None and balance.groups:
        weights.append(balance.by_group(rows.protected[drawn.rows], rows.y[drawn.rows]))
    given = [each for each in weights if each is not None]
    return replace(drawn, weights=np.prod(given, axis=0) if given else None)


def _batch(rows: Rows, drawn: Drawn) -> Batch:
    X, y, weights = rows.X[drawn.rows], rows.y[drawn.rows], drawn.weights
    if drawn.X is None or drawn.y is None:
        return Batch(X, y, weights)
    if weights is not None:
        weights = np.concatenate([weights, np.ones(len(drawn.y))])
    return Batch(np.concatenate([X, drawn.X]), np.concatenate([y, drawn.y]), weights)
