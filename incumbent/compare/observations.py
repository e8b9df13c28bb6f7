"""The rows to compare models on, checked: labels, groups of dependent rows, predictions that fit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from incumbent.errors import BadData, NotFinite, UnfitChallenger
from incumbent.params import METRICS, Task


@dataclass(frozen=True)
class Observations:
    """`y`: (n,) codes 0..K-1 (intp), or numbers (float64) in a regression. `codes`: (n,) each row's group
    as 0..groups-1; None when every row is its own. `class_counts`: (K,), empty in a regression."""

    task: Task
    y: np.ndarray
    codes: np.ndarray | None
    groups: int
    class_counts: tuple[int, ...]

    @property
    def present(self) -> list[int]:
        """Classes that have rows; one-vs-rest averages use only these."""
        return [label for label, count in enumerate(self.class_counts) if count]

    def by_group(self, terms: np.ndarray) -> np.ndarray:
        """Sum the rows' terms, (k, n), by group: (k, groups)."""
        if self.codes is None:
            return terms
        return np.stack([np.bincount(self.codes, row, self.groups) for row in terms])


def observe(y: np.ndarray, groups: np.ndarray, metric: str, prediction: np.ndarray) -> Observations:
    """`prediction`: any model's; its shape tells a binary from a multiclass target. Raises BadData for rows
    that no model can be judged on."""
    task = _task(metric, prediction)
    labels = np.asarray(y)
    counts: tuple[int, ...] = ()
    if not len(labels):
        raise BadData(
            "there are no rows to judge by, as where the champion has trained on all of them (one that was "
            "taken over counts as that), or all are of one group of split.by; later arrivals bring some"
        )
    if np.shape(groups) != labels.shape:
        raise BadData(f"{len(labels)} rows to judge by have groups of the shape {np.shape(groups)}")
    if task == "regression":
        labels = _numbers(labels, metric)
    else:
        labels, counts = _classes(labels, 2 if task == "binary" else _width(prediction, metric))
    codes, distinct = pd.factorize(np.asarray(groups), use_na_sentinel=False)
    if len(distinct) < 2:
        raise BadData(
            f"the rows to judge by belong to {len(distinct)} group(s) of split.by; later arrivals add groups"
        )
    alone = len(distinct) == len(labels)
    return Observations(task, labels, None if alone else codes, len(distinct), counts)


def fitting(prediction: np.ndarray, observations: Observations, who: str) -> np.ndarray:
    """The prediction as float64; `who` is "champion", "challenger", or "model" for one by itself.

    Raises BadData for another shape, NotFinite for NaN or infinity, UnfitChallenger for a challenger's.
    """
    numbers = np.asarray(prediction, dtype=float)
    classes = (len(observations.class_counts),) if observations.task == "multiclass" else ()
    expected = (len(observations.y), *classes)
    if numbers.shape != expected:
        raise BadData(f"the {who}'s predictions have the shape {numbers.shape}; expected {expected}")
    broken = int(np.sum(~np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)))
    if broken:
        raise (UnfitChallenger if who == "challenger" else NotFinite)(
            f"{broken} of the {who}'s {len(numbers)} predictions are NaN or infinite"
        )
    return numbers


def _task(metric: str, prediction: np.ndarray) -> Task:
    tasks = METRICS[metric].tasks
    if len(tasks) == 1:
        return tasks[0]
    return "multiclass" if np.ndim(prediction) == 2 else "binary"


def _width(prediction: np.ndarray, metric: str) -> int:
    if np.ndim(prediction) != 2:
        raise BadData(f"{metric} needs a probability of each class; the predictions are one number a row")
    return int(np.shape(prediction)[1])


def _classes(labels: np.ndarray, classes: int) -> tuple[np.ndarray, tuple[int, ...]]:
    codes = labels.astype(np.intp)
    if (codes != labels).any() or codes.min() < 0 or codes.max() >= classes:
        raise BadData(f"labels must be whole numbers from 0 to {classes - 1}, one for each class predicted")
    counts = np.bincount(codes, minlength=classes)
    if np.count_nonzero(counts) < 2:
        present = f"{counts[1]} positive, {counts[0]} negative" if classes == 2 else f"class {codes[0]}"
        raise BadData(f"the rows to judge by hold one class only ({present})")
    return codes, tuple(counts.tolist())


def _numbers(labels: np.ndarray, metric: str) -> np.ndarray:
    numbers = labels.astype(float)
    if not np.isfinite(numbers).all():
        raise BadData("the target of rows to judge by is NaN or infinite")
    if metric == "r2" and numbers.min() == numbers.max():
        raise BadData(f"r2 has no meaning: the target is {numbers[0]:g} in all rows to judge by")
    return numbers
