"""Columns that reveal the target by themselves: more often a consequence of it than a cause."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from incumbent.params import DatasetParams, Task

LEAK = 0.98
"""A column that ranks the target as well as this, all by itself, is more often a consequence than a cause."""

FEW = 30


@dataclass(frozen=True)
class Leak:
    """`strength`: an AUC, or a rank correlation, up to 1; `measured`: what was measured, in words."""

    column: str
    strength: float
    measured: str

    @property
    def text(self) -> str:
        """What was measured, and what to ask of it."""
        return f"perhaps a leak: {self.measured}; is it known before the target is?"


def leaks(sample: pd.DataFrame, dataset: DatasetParams, task: Task, least: float = LEAK) -> list[Leak]:
    """The columns that give the target away and may be features, the strongest first.

    sample: rows as they arrive, with the target; least: the strength that a leak is above. A column counts by
    the order of its numbers, by the targets of other rows with the same value, and by where it is empty. Too
    few rows give no leak.
    """
    aside = {dataset.target, dataset.time, *dataset.key, *dataset.drop}
    labelled = sample[sample[dataset.target].notna()]
    target = labelled[dataset.target]
    if len(target) < 2 * FEW or (task == "regression" and not pd.api.types.is_numeric_dtype(target.dtype)):
        return []
    columns = (labelled[name] for name in labelled.columns if name not in aside)
    candidates = (_leak(column, target, dataset, task) for column in columns)
    return sorted((leak for leak in candidates if leak.strength > least), key=lambda leak: -leak.strength)


def _leak(column: pd.Series, target: pd.Series, dataset: DatasetParams, task: Task) -> Leak:
    """The strongest relation of the column to the target."""
    prepared = _Prepared(column)
    if task == "regression":
        ways = _ways_to_a_number(prepared, target)
    elif task == "binary":
        ways = _ways_to_a_class(prepared, (target == dataset.positive).to_numpy(), dataset.target)
    else:
        counts = target.value_counts()
        ways = (
            way
            for label in counts.index[counts >= FEW]
            for way in _ways_to_a_class(prepared, (target == label).to_numpy(), f"{dataset.target} = {label}")
        )
    strength, measured = max(ways, key=lambda way: way[0], default=(0.0, ""))
    return Leak(str(column.name), strength, measured)


class _Prepared:
    """A column prepared for all classes: `filled` and `codes` of its values, (n,), empty cells have one;
    `ranks` of its filled cells, None if they are no numbers."""

    def __init__(self, column: pd.Series) -> None:
        self.cells = column
        self.filled = column.notna().to_numpy()
        self.codes = _shared_by_halves(pd.factorize(column, use_na_sentinel=False)[0])
        numeric = pd.api.types.is_numeric_dtype(column.dtype)
        self.ranks = rankdata(column[self.filled].to_numpy(dtype=np.float64)) if numeric else None


def _ways_to_a_class(column: _Prepared, event: np.ndarray, named: str) -> Iterator[tuple[float, str]]:
    by_emptiness = auc(rankdata(column.filled), event)
    where, strength = "filled" if by_emptiness > 0.5 else "empty", _either_way(by_emptiness)
    yield strength, f"whether it is {where} tells {named}, with an AUC of {strength:.3f}"
    if column.ranks is not None:
        strength = _either_way(auc(column.ranks, event[column.filled]))
        yield strength, f"an AUC of {strength:.3f} with {named}"
    strength = auc(rankdata(_means_of_others(column.codes, event)), event)
    yield strength, f"an AUC of {strength:.3f} with {named}, value by value"


def _ways_to_a_number(column: _Prepared, target: pd.Series) -> Iterator[tuple[float, str]]:
    ranks = rankdata(target.to_numpy(dtype=np.float64))
    where = {"empty": ~column.filled}
    where |= {str(usual): (column.cells == usual).to_numpy() for usual in column.cells.mode()[:1]}
    for value, rows in where.items():
        above = auc(ranks, rows)
        side, strength = "high" if above > 0.5 else "low", _either_way(above)
        yield strength, f"{target.name} is {side} where it is {value}: an AUC of {strength:.3f}"
    if column.ranks is not None:
        strength = abs(_correlation(column.ranks, ranks[column.filled]))
        yield strength, f"a rank correlation of {strength:.3f} with {target.name}"
    strength = _correlation(_means_of_others(column.codes, ranks), ranks)
    yield strength, f"a rank correlation of {strength:.3f} with {target.name}, value by value"


def auc(ranks: np.ndarray, event: np.ndarray) -> float:
    """The chance that a row of the event ranks higher, ties count half; 0.5: too few rows to tell."""
    positives = int(event.sum())
    if min(positives, len(event) - positives) < FEW:
        return 0.5
    below = ranks[event].sum() - positives * (positives + 1) / 2
    return float(below / (positives * (len(event) - positives)))


def _either_way(auc: float) -> float:
    return max(auc, 1 - auc)


def _correlation(scores: np.ndarray, y: np.ndarray) -> float:
    """Of their ranks; 0.0: too few rows to tell, or nothing that varies."""
    if len(y) < 2 * FEW or np.ptp(scores) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(spearmanr(scores, y).statistic)


def _halves(size: int) -> np.ndarray:
    """Which rows are in the first half, (n,) bool; always the same ones."""
    return np.random.default_rng(0).random(size) < 0.5


def _shared_by_halves(codes: np.ndarray) -> np.ndarray:
    """The codes of values that both halves have, plus 1; 0 for all others."""
    first = _halves(len(codes))
    shared = np.isin(codes, codes[first]) & np.isin(codes, codes[~first])
    return np.where(shared, codes + 1, 0)


def _means_of_others(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean target of the rows in the other half that have the same value, (n,).

    So no row's own target is used. All values that only one half has count as one value: an identifier then
    reveals nothing, and a text unique to its row only that it is none of the common ones.
    """
    first, means = _halves(len(codes)), np.empty(len(codes))
    for own in (first, ~first):
        counts = np.bincount(codes[~own], minlength=codes.max() + 1)
        sums = np.bincount(codes[~own], weights=y[~own], minlength=codes.max() + 1)
        by_value = np.where(counts > 0, sums / np.maximum(counts, 1), y.mean())
        means[own] = by_value[codes[own]]
    return means
