"""A gap in time between the rows that a model is fitted on and the later ones that judge it.

A label that is known only after a while overlaps in time with those of the rows around it. A model that is
fitted on rows up to the first one that judges it has learned part of that one's label. Leaving out the rows
between the two is called purging and embargo (López de Prado 2018, Advances in Financial Machine Learning,
chapter 7).
"""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from incumbent.features.rows import Rows


def purged(
    fit: np.ndarray, held: np.ndarray, time: np.ndarray, gap: timedelta
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out of the row numbers `fit` those that come no more than `gap` before the earliest of `held`.

    time: (n,) as Rows.time. Rows without a time are left out of both: nobody knows how far apart they are.
    """
    fit, held = (side[~np.isnat(time[side])] for side in (fit, held))
    if len(held):
        fit = fit[time[fit] < time[held].min() - np.timedelta64(gap)]
    return fit, held


def folds_in_time(rows: Rows, count: int, gap: timedelta) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(fit, held-out) row numbers of `count` folds, both ascending: each fold is held out from a model of the
    rows that came more than `gap` before it.

    Rows are ordered by their time; the earliest are never held out, and rows without a time are in no fold. A
    fold whose gap is longer than the history before it has no rows to fit on. None for too few rows.
    """
    from sklearn.model_selection import TimeSeriesSplit

    time = times_of(rows)
    ordered = np.argsort(time, kind="stable")  # rows without a time are the last
    ordered = ordered[~np.isnat(time[ordered])]
    if len(ordered) <= count:
        return
    for fit, held in TimeSeriesSplit(count).split(ordered):
        earlier, later = purged(ordered[fit], ordered[held], time, gap)
        yield np.sort(earlier), np.sort(later)


def times_of(rows: Rows) -> np.ndarray:
    """(n,) as Rows.time. Raises ValueError for rows that were read without."""
    if rows.time is None:
        raise ValueError("the rows were read without a gap in time")
    return rows.time
