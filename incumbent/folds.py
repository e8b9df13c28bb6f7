"""Which rows train and which are held out in each fold; scikit-learn's splitters."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from incumbent.errors import BadData
from incumbent.recipe import SearchParams
from incumbent.rows import Rows

S = TypeVar("S")
T = TypeVar("T")
Split = tuple[np.ndarray, np.ndarray]
MOST_ALONE = 1000


def folds(rows: Rows, search: SearchParams, seed: int) -> list[Split]:
    """(fit, held-out) row numbers of each fold, both ascending.

    stratified: every fold has the classes' shares, or the deciles of a numeric target. stratified-group:
    the same with whole split.by groups. k-fold: at random. time-series: each fold is held out from a model
    of all rows before it, `gap` rows apart; rows are taken to be in time order, as partitions are by name,
    and the first rows are never held out. leave-one-out: each row by itself, at most 1,000. Raises BadData
    when there are too few rows, classes or groups, or too many rows.
    """
    from sklearn.model_selection import (
        KFold,
        LeaveOneOut,
        StratifiedGroupKFold,
        StratifiedKFold,
        TimeSeriesSplit,
    )

    count, strata, groups = search.folds, None, None
    splitter: Any
    match search.scheme:
        case "stratified":
            splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
            strata = _strata(rows.y, count)
        case "stratified-group":
            splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
            strata, groups = _strata(rows.y, count), np.unique(rows.group, return_inverse=True)[1]
        case "k-fold":
            splitter = KFold(count, shuffle=True, random_state=seed)
        case "time-series":
            splitter = TimeSeriesSplit(count, gap=search.gap)
        case "leave-one-out":
            splitter = LeaveOneOut()
            _require_few(rows, search)
    _require_enough(rows, search, strata, groups)
    splits = [(np.sort(fit), np.sort(held)) for fit, held in splitter.split(rows.X, strata, groups)]
    _require_variety(rows.y, splits, search)
    return splits


def over_folds(work: Callable[[S], T], splits: Sequence[S]) -> list[T]:
    """Fold after fold on all cores, one thread each: far faster than one fold on several threads.

    When interrupted it returns at once: folds that wait never start, those under way end with the process.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        return list(pool.map(work, splits))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _strata(y: np.ndarray, count: int) -> np.ndarray:
    if np.issubdtype(y.dtype, np.integer):
        return y
    bins = max(1, min(10, len(y) // count))
    return np.argsort(np.argsort(y, kind="stable"), kind="stable") * bins // len(y)


def _require_few(rows: Rows, search: SearchParams) -> None:
    if (count := len(rows.y)) > MOST_ALONE:
        raise BadData(
            f"search.scheme = 'leave-one-out' fits one model a row: {count:,} training rows are "
            f"{count:,} fits a trial and {count * search.trials:,} in all, about {count // 5:,} times the "
            f"work of five folds; it takes at most {MOST_ALONE:,} rows, use 'stratified'"
        )


def _require_enough(
    rows: Rows, search: SearchParams, strata: np.ndarray | None, groups: np.ndarray | None
) -> None:
    if strata is not None:
        smallest = int(np.unique(strata, return_counts=True)[1].min())
        if smallest < search.folds or (groups is not None and groups.max() + 1 < search.folds):
            raise BadData(
                f"search.folds = {search.folds}, but the rarest class has {smallest} training rows"
                + (f" and there are {groups.max() + 1} groups" if groups is not None else "")
            )
    elif search.scheme != "leave-one-out" and len(rows.y) // (search.folds + 1) <= search.gap:
        raise BadData(
            f"search.folds = {search.folds} with search.gap = {search.gap} leave no rows to fit on: "
            f"there are {len(rows.y)} training rows"
        )


def _require_variety(y: np.ndarray, splits: Sequence[Split], search: SearchParams) -> None:
    """Schemes that do not look at the target may leave a side with one class, which has no score."""
    if search.scheme in ("k-fold", "time-series"):
        for number, sides in enumerate(splits):
            if any(len(np.unique(y[side])) < 2 for side in sides):
                raise BadData(
                    f"a side of fold {number} of search.scheme = '{search.scheme}' has a single class; "
                    "use fewer search.folds, or the scheme 'stratified'"
                )
