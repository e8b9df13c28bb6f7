"""Is the challenger worse on part of the rows? A paired comparison per slice, corrected for their number."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from incumbent.compare.paired import try_compare
from incumbent.compare.result import Comparison, Incomparable
from incumbent.errors import BadData
from incumbent.params import PromotionParams

MISSING = "missing"

# A number with more distinct values than this is cut into quartiles.
MANY = 10


@dataclass(frozen=True)
class SliceComparison:
    """`comparison` is None where the slice can't be judged; then `reason` says why.

    p_worse: one-sided, adjusted by Holm over all judged slices; 1.0 for one that was not judged. worse:
    whether it is significant, at the level 1 - promotion.confidence for all slices together.
    """

    column: str
    value: str
    rows: int
    comparison: Comparison | None
    p_worse: float = 1.0
    worse: bool = False
    reason: str | None = None


def compare_slices(
    y: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    groups: np.ndarray,
    columns: pd.DataFrame,
    promotion: PromotionParams,
    *,
    seed: int = 0,
) -> tuple[SliceComparison, ...]:
    """Compare on each value of each of promotion.slices.columns; `columns` has their values, row by row.

    A missing value is a value of its own; a number with more than ten distinct values is cut into quartiles.
    A slice with too few rows, one class or one group is listed with the reason. Holm's correction (1979)
    holds for slices that overlap, as those of two columns do. Raises BadData for a column that isn't there.
    """
    slices = []
    for name in promotion.slices.columns:
        if name not in columns:
            raise BadData(f"promotion.slices.columns names '{name}', which is no column of the data")
        for value, rows in _values(columns[name]):
            comparison = _judge(y[rows], champion[rows], challenger[rows], groups[rows], promotion, seed)
            if isinstance(comparison, Incomparable):
                slices.append(SliceComparison(name, value, len(rows), None, reason=comparison.reason))
            else:
                slices.append(SliceComparison(name, value, len(rows), comparison, comparison.p_worse))
    return _adjusted(slices, 1 - promotion.confidence)


def _judge(
    y: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    groups: np.ndarray,
    promotion: PromotionParams,
    seed: int,
) -> Comparison | Incomparable:
    if len(y) < promotion.slices.min_rows:
        return Incomparable(f"{len(y)} rows; promotion.slices.min_rows = {promotion.slices.min_rows}")
    return try_compare(y, champion, challenger, groups, promotion, seed=seed)


def _values(column: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    """Each value's name and the positions of its rows, in the order of the values, the missing one last."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > MANY:
        column = pd.qcut(column, 4, duplicates="drop")
    codes, values = pd.factorize(column, sort=True)
    for code, value in enumerate(values):
        yield str(value), np.flatnonzero(codes == code)
    if (codes < 0).any():
        yield MISSING, np.flatnonzero(codes < 0)


def _adjusted(slices: list[SliceComparison], level: float) -> tuple[SliceComparison, ...]:
    """Holm: the smallest p times the number of slices n, the next times n - 1, ..., made non-decreasing."""
    judged = sorted((i for i, each in enumerate(slices) if each.comparison), key=lambda i: slices[i].p_worse)
    least = 0.0
    for rank, i in enumerate(judged):
        least = max(least, min(1.0, slices[i].p_worse * (len(judged) - rank)))
        slices[i] = replace(slices[i], p_worse=least, worse=least < level)
    return tuple(slices)
