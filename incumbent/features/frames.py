"""Frames of Parquet partitions: the labelled rows of one side of the split, one partition at a time."""

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd

from incumbent.features.clean import CleaningCounts
from incumbent.features.sample import row_hashes
from incumbent.features.target import is_labelled
from incumbent.params import Params
from incumbent.tables.parquet import read_partition
from incumbent.tables.split import group_hashes


class Side(Enum):
    """Which rows to read: those to train on, or those to compare models on."""

    TRAINING = "training"
    HOLDOUT = "holdout"


def frames(
    paths: Sequence[Path], params: Params, side: Side, cleaning_counts: CleaningCounts | None = None
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Each partition's labelled rows of one side, with the hash of their group, (n,) float64.

    With clean.duplicates, drops exact copies of a row within a partition from the training side;
    `cleaning_counts` counts them.
    """
    for path in paths:
        yield _frame(path, params, side, cleaning_counts)


def _frame(
    path: Path, params: Params, side: Side, cleaning_counts: CleaningCounts | None
) -> tuple[pd.DataFrame, np.ndarray]:
    frame = read_partition(path)
    hashes = group_hashes(frame, params.split.by)
    mask = _of_side(frame, hashes, params, side, cleaning_counts)
    return _kept(frame, mask, params), hashes[mask]


def training_frames(
    paths: Sequence[Path],
    params: Params,
    cleaning_counts: CleaningCounts | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[pd.DataFrame]:
    """The rows of `frames` to train on, without their groups, which cost more to hash than all else.

    columns: those to read, all if None.
    """
    for path in paths:
        yield _training_frame(path, params, cleaning_counts, columns)


def _training_frame(
    path: Path, params: Params, cleaning_counts: CleaningCounts | None, columns: Sequence[str] | None
) -> pd.DataFrame:
    frame = read_partition(path, columns)
    hashes = group_hashes(frame, params.split.by) if params.split.holdout else np.ones(len(frame))
    return _kept(frame, _of_side(frame, hashes, params, Side.TRAINING, cleaning_counts), params)


def _of_side(
    frame: pd.DataFrame,
    hashes: np.ndarray,
    params: Params,
    side: Side,
    cleaning_counts: CleaningCounts | None,
) -> np.ndarray:
    """Mask of the labelled rows of one side, (n,) bool; hashes: of their groups."""
    held_out = hashes < params.split.holdout
    labelled = is_labelled(frame, params.dataset.target)
    mask = (held_out if side is Side.HOLDOUT else ~held_out) & labelled
    if params.clean.duplicates and side is Side.TRAINING:
        copies = mask & copies_of(frame)
        mask &= ~copies
        if cleaning_counts is not None:
            cleaning_counts["duplicates"] += int(copies.sum())
    return np.asarray(mask)


def copies_of(frame: pd.DataFrame) -> np.ndarray:
    """Mask of the rows that are exact copies of one before, (n,) bool.

    Only rows whose hash another row shares are compared: comparing all is ten times as dear.
    """
    if any(pd.api.types.is_object_dtype(dtype) for dtype in frame.dtypes):
        return frame.duplicated().to_numpy()  # there 1 and 1.0 are alike, and their hashes differ
    numbers = frame.select_dtypes("float")
    alike = frame.assign(
        **(numbers + 0.0).where(numbers.notna(), np.nan)
    )  # so that 0 and -0 are, and each NaN
    shared = pd.Series(row_hashes(alike)).duplicated(keep=False).to_numpy()
    copies = np.zeros(len(frame), dtype=bool)
    copies[shared] = frame[shared].duplicated().to_numpy()
    return copies


def _kept(frame: pd.DataFrame, mask: np.ndarray, params: Params) -> pd.DataFrame:
    kept = frame if mask.all() else frame.loc[mask]
    # Empty cells turn booleans into objects, which hash differently.
    target = params.dataset.target
    return kept if frame[target].notna().all() else with_inferred(kept, target)


def with_inferred(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Labelled rows whose target has the type of its values, which empty cells may have hidden."""
    return frame.assign(**{target: frame[target].infer_objects()})
