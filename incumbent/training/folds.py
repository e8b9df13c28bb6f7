"""Which rows each fold fits on and which it holds out, by scikit-learn's splitters."""

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np

from incumbent.errors import BadData
from incumbent.features.rows import Rows
from incumbent.params import Params, SearchParams
from incumbent.training.gap import folds_in_time, times_of

S = TypeVar("S")
T = TypeVar("T")
Split = tuple[np.ndarray, np.ndarray]
MOST_LEFT_OUT = 1000
BALANCED = 1000
"""Up to so many groups, judging folds are balanced group by group, which takes .06 ms a group."""


def folds(rows: Rows, search: SearchParams, seed: int) -> list[Split]:
    """(fit, held-out) row numbers of each fold, both ascending.

    stratified: every fold has the same shares of classes, or of the deciles of a numeric target; a class with
    fewer rows than folds is in as many folds as it has rows. stratified-group: the same, keeping split.by
    groups whole. k-fold: at random. time-series: each fold is predicted by a model of all rows before it,
    minus a gap of `gap` rows; rows must be in time order, as partitions are by name; the first rows are never
    held out. With a gap in time rows are ordered by dataset.time: see folds_in_time. leave-one-out: each row
    by itself, for at most 1,000 rows. Raises BadData for too few rows or groups, too many rows, or a gap that
    leaves a fold no rows to fit on.
    """
    if search.scheme == "time-series" and (gap := search.gap_in_time):
        return _apart_in_time(rows, search, gap)
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
            splitter = TimeSeriesSplit(count, gap=search.gap_in_rows)
        case "leave-one-out":
            splitter = LeaveOneOut()
            _require_few(rows, search)
    _require_enough(rows, search, strata, groups)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # the log names them
        splits = [(np.sort(fit), np.sort(held)) for fit, held in splitter.split(rows.X, strata, groups)]
    return splits


def judging_folds(rows: Rows, search: SearchParams, seed: int) -> list[Split]:
    """Folds whose held-out predictions judge a recipe: drawn anew, so not those that its search has used, and
    with every group of split.by whole.

    With the scheme time-series, rows whose group a fold has fitted are not held out, and a fold that a gap in
    time leaves no rows to fit on is left out. Empty for a single group, and for too few rows for that scheme.
    Raises BadData as `folds`.
    """
    groups = len(np.unique(rows.group))
    if groups < 2:
        return []
    if search.scheme == "time-series":
        if len(rows.y) // (search.folds + 1) <= search.gap_in_rows:
            return []
        if gap := search.gap_in_time:
            splits = [(fit, held) for fit, held in folds_in_time(rows, search.folds, gap) if len(fit)]
        else:
            splits = folds(rows, search, seed)
        return [(fit, held[~np.isin(rows.group[held], rows.group[fit])]) for fit, held in splits]
    scheme, seed = search.scheme, (seed + 1) % 2**31
    if groups < len(rows.y):
        scheme = "stratified-group"
    drawn = search.model_copy(update={"folds": min(search.folds, groups), "scheme": scheme})
    return _of_many_groups(rows, drawn, seed) if groups > BALANCED else folds(rows, drawn, seed)


def _of_many_groups(rows: Rows, search: SearchParams, seed: int) -> list[Split]:
    """Stratified folds of whole groups, each with the stratum of its first row."""
    from sklearn.model_selection import StratifiedKFold

    _, first, group = np.unique(rows.group, return_index=True, return_inverse=True)
    splitter = StratifiedKFold(search.folds, shuffle=True, random_state=seed)
    splits = []
    for _, held in splitter.split(first, _strata(rows.y[first], search.folds)):
        inside = np.isin(group, held)
        splits.append((np.flatnonzero(~inside), np.flatnonzero(inside)))
    return splits


def scored_folds(y: np.ndarray, splits: Sequence[Split], params: Params) -> list[int]:
    """Numbers of the folds to score: those with two classes on both sides, if there are any, else those with
    two classes held out. A class of few rows is not on both sides of every fold. For a regression only r2
    needs two different values.

    y: (n,) as Rows.y. Raises BadData when no fold can be scored, or when with scheme k-fold or time-series
    no fold has two classes to fit on.
    """
    numbers, scheme = range(len(splits)), params.search.scheme
    classes = np.issubdtype(y.dtype, np.integer)
    if not classes and params.promotion.metric != "r2":
        return list(numbers)

    def varied(number: int, side: int) -> bool:
        return len(np.unique(y[splits[number][side]])) > 1

    judged = [number for number in numbers if varied(number, 1)]
    whole = [number for number in judged if varied(number, 0)]
    if not judged or (classes and not whole and scheme in ("k-fold", "time-series")):
        what = "classes" if classes else "values"
        raise BadData(
            f"no fold of search.scheme = '{scheme}' has rows of two {what} on both its sides; use fewer "
            "search.folds, or the scheme 'stratified'"
        )
    return whole or judged


def over_folds(work: Callable[[S], T], splits: Sequence[S]) -> list[T]:
    """Run the folds in parallel, one thread each: far faster than one fold at a time on several threads.

    An interrupt returns at once: waiting folds never start, running ones end with the process.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        return list(pool.map(work, splits))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _apart_in_time(rows: Rows, search: SearchParams, gap: timedelta) -> list[Split]:
    """Time-series folds with a gap in time. Raises BadData for too few rows with a time, and for a gap that
    leaves a fold no rows to fit on."""
    splits = list(folds_in_time(rows, search.folds, gap))
    if splits and all(len(fit) for fit, _ in splits):
        return splits
    time = times_of(rows)
    known = time[~np.isnat(time)]
    span = f", from {known.min().item()} to {known.max().item()}" if len(known) else ""
    raise BadData(
        f"search.folds = {search.folds} with search.gap = '{search.gap}' leave a fold no rows to fit on: "
        f"{len(known):,} of {len(time):,} training rows have a time{span}; take a shorter gap or fewer folds"
    )


def _strata(y: np.ndarray, count: int) -> np.ndarray:
    if np.issubdtype(y.dtype, np.integer):
        # scikit-learn refuses to stratify when every class has fewer rows than there are folds.
        return y if np.bincount(y).max() >= count else np.zeros(len(y), dtype=y.dtype)
    bins = max(1, min(10, len(y) // count))
    return np.argsort(np.argsort(y, kind="stable"), kind="stable") * bins // len(y)


def _require_few(rows: Rows, search: SearchParams) -> None:
    if (count := len(rows.y)) > MOST_LEFT_OUT:
        raise BadData(
            f"search.scheme = 'leave-one-out' fits one model a row: {count:,} training rows are "
            f"{count:,} fits a trial and {count * search.trials:,} in all, about {count // 5:,} times the "
            f"work of five folds; it takes at most {MOST_LEFT_OUT:,} rows, use 'stratified'"
        )


def _require_enough(
    rows: Rows, search: SearchParams, strata: np.ndarray | None, groups: np.ndarray | None
) -> None:
    if strata is not None:
        count = len(strata) if groups is None else groups.max() + 1
        if count < search.folds:
            what = "training rows" if groups is None else "groups of split.by"
            raise BadData(f"search.folds = {search.folds}, but there are {count} {what}; lower it")
    elif search.scheme != "leave-one-out" and len(rows.y) // (search.folds + 1) <= search.gap_in_rows:
        raise BadData(
            f"search.folds = {search.folds} with search.gap = {search.gap} leave no rows to fit on: "
            f"there are {len(rows.y)} training rows"
        )
