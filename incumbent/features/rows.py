"""Rows for a model from Parquet partitions: one side of the split, encoded by the schema.

Only one partition is in memory as a frame at a time; its rows stay as a float32 matrix.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.features.clean import CleaningCounts
from incumbent.features.derive import Derivation
from incumbent.features.learn_schema import learn_schema, require_input
from incumbent.features.schema import Schema
from incumbent.features.target import is_labelled
from incumbent.params import Params
from incumbent.tables.parquet import read_partition
from incumbent.tables.split import as_text, group_hashes, segments_in

MISSING = "missing"
"""The protected value of a row with an empty cell, as in a comparison."""


@dataclass(frozen=True)
class Rows:
    """X: (n, features) float32, as Schema.codes; y: (n,) as Schema.labels; group: (n,) float64, the hash of
    the split group; protected: (n,) text of the column that `bias` names, None without; segment: (n,) text of
    the column segments.by, None for an empty cell, None without.

    part, number: (n,) int32, index of each row's partition among those given to read_rows, and its row number
    in that file; weights: (n,) float64 weights in training, None for ones; leaves: (n, ...), where the rows
    end in the champion, as Learner.look_up says it, None if it was not asked.
    """

    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    cleaning_counts: CleaningCounts = field(default_factory=CleaningCounts)
    part: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    number: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    weights: np.ndarray | None = None
    protected: np.ndarray | None = None
    leaves: np.ndarray | None = None
    segment: np.ndarray | None = None

    def take(self, numbers: np.ndarray) -> "Rows":
        """The rows with these numbers, without `cleaning_counts`, `part` and `number`."""
        given = {name: getattr(self, name) for name in ("weights", "protected", "leaves", "segment")}
        taken: dict[str, Any] = {
            name: each if each is None else each[numbers] for name, each in given.items()
        }
        return Rows(self.X[numbers], self.y[numbers], self.group[numbers], **taken)


class Side(Enum):
    """Which rows to read: those to train on, or those to compare models on."""

    TRAINING = "training"
    HOLDOUT = "holdout"


def read_rows(paths: Sequence[Path], schema: Schema, params: Params, side: Side) -> Rows:
    """All rows of one side, in the order of `paths`. Raises BadData when a file does not fit the schema."""
    parts, cleaning_counts, by = [], CleaningCounts(), params.segments.by
    for frame, group in frames(paths, params, side, cleaning_counts):
        X = schema.codes(frame, absent_as_missing=True, cleaning_counts=cleaning_counts)
        if not (kept := schema.trained_on(frame)).all():
            frame, group, X = frame[kept], group[kept], X[kept]
        number = frame.index.to_numpy(dtype=np.int32)
        protected, segment = _protected(frame, params), segments_in(frame, by) if by else None
        y = schema.labels(frame)
        parts.append(Rows(X, y, group, number=number, protected=protected, segment=segment))
    if not parts:
        raise BadData("no partitions to read")
    return Rows(
        np.concatenate([part.X for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.group for part in parts]),
        cleaning_counts,
        np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.y) for part in parts]),
        np.concatenate([part.number for part in parts]),
        protected=joined([part.protected for part in parts]),
        segment=joined([part.segment for part in parts]),
    )


def training_rows(paths: Sequence[Path], params: Params) -> tuple[Schema, Rows]:
    """Learn the schema from the training side and encode it. Raises BadData for a target of one value."""
    schema, _ = survey(paths, params)
    rows = read_rows(paths, schema, params, Side.TRAINING)
    require_variety(rows, params)
    return schema.learned_means(rows.X, rows.y, rows.group), rows


def survey(paths: Sequence[Path], params: Params) -> tuple[Schema, list[int]]:
    """The schema without target encoding, and the training rows of each partition; keeps no row in memory."""
    counts: list[int] = []

    def counted() -> Iterator[pd.DataFrame]:
        for frame in training_frames(paths, params):
            counts.append(len(frame))
            yield frame

    return schema_of(counted(), params), counts


def schema_of(frames: Iterable[pd.DataFrame], params: Params) -> Schema:
    """The schema of training rows, without target encoding. Raises as learn_schema and require_input."""
    schema = learn_schema(
        frames, params.dataset, params.task, params.clean, params.features, params.search.folds
    )
    require_input(schema, params.segments.by)
    return schema


def sampled_rows(kept: pd.DataFrame, schema: Schema, params: Params, *, grouped: bool = False) -> Rows:
    """Encode rows of a version's sample. The group hashes are those that the rows had in their partition if
    `grouped`, or if target encoding needs them; else 0: an update has no use for them."""
    kept = kept[schema.trained_on(kept)]
    X, group = schema.codes(kept, complete=True), np.zeros(len(kept))
    if grouped or schema.has_means:
        group = group_hashes(kept.drop(columns=schema.derivation.added_names), params.split.by)
    return Rows(X, schema.labels(kept), group, protected=_protected(kept, params))


def require_variety(rows: Rows, params: Params) -> None:
    """Raises BadData when the target has a single value."""
    if len(np.unique(rows.y)) < 2:
        what = "value" if params.task == "regression" else "class"
        message = (
            f"the target '{params.dataset.target}' has a single {what} in all {len(rows.y)} training rows"
        )
        hint = f"; is dataset.positive = {params.dataset.positive!r} right?"
        raise BadData(message + hint if params.task == "binary" else message)


def prior(rows: Rows, schema: Schema) -> np.ndarray:
    """The trivial baseline's prediction for every row: the mean, (1,), or the K classes' shares, (K,)."""
    if schema.task == "multiclass":
        return np.bincount(rows.y, minlength=len(schema.classes)) / len(rows.y)
    return np.array([rows.y.mean(dtype=np.float64)])


def sample(parts: Sequence[pd.DataFrame], size: int) -> pd.DataFrame:
    """A uniform sample that can be merged: the `size` rows with the smallest hash (bottom-k sketch).

    sample([sample([a], k), b], k) has the same rows as sample([a, b], k). So a version's sample is made of
    its parent's sample and the new rows, without reading history.
    """
    pool = pd.concat(parts, ignore_index=True)
    order = np.argsort(row_hashes(pool), kind="stable")
    return pool.iloc[order[:size]].reset_index(drop=True)


def sample_and(kept: pd.DataFrame | None, frame: pd.DataFrame, size: int) -> pd.DataFrame:
    """sample([kept, frame], size) without a copy of the rows that can't be in it; kept: an earlier sample."""
    if kept is None:
        return sample([frame], size)
    if len(kept) == size > 0 and kept.dtypes.equals(frame.dtypes):  # other types hash differently together
        frame = frame[row_hashes(frame) <= row_hashes(kept).max()]
    return sample([kept, frame], size)


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """A hash of each row's values, (n,) uint64; equal rows have equal ones."""
    # Hash numbers as floats: a column is of integers until its first empty cell.
    numbers = frame.select_dtypes("number").columns
    hashes = pd.util.hash_pandas_object(frame.astype(dict.fromkeys(numbers, "float64")), index=False)
    return hashes.to_numpy()


def sample_partitions(paths: Sequence[Path], params: Params, start: pd.DataFrame | None) -> pd.DataFrame:
    """Merge training rows of the partitions into the sample `start`, retrain.replay rows at most.

    The rows keep the columns that need all rows of a file: see Derivation.added.
    """
    merged = start
    for frame in training_frames(paths, params):
        merged = sample_and(merged, with_added(frame, params), params.retrain.replay)
    return pd.DataFrame() if merged is None else merged


def latest_rows(paths: Sequence[Path], params: Params) -> pd.DataFrame:
    """Training rows of the last partition that has any, with the same columns as in sample_partitions."""
    for path in reversed(paths):
        frame = next(training_frames([path], params))
        if len(frame):
            return with_added(frame, params)
    raise BadData("every row is in the holdout")


def _protected(frame: pd.DataFrame, params: Params) -> np.ndarray | None:
    name = params.bias.column
    if name is None:
        return None
    if name not in frame:
        raise BadData(
            f"params.yaml: {params.bias.asked}, but the data has only {sorted(map(str, frame.columns))}"
        )
    return as_text(frame[name]).fillna(MISSING).to_numpy(dtype=object)


def joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def with_added(frame: pd.DataFrame, params: Params) -> pd.DataFrame:
    """All rows of a file with the columns that need all of them: see Derivation.added."""
    return Derivation(params.features, params.dataset.time, params.dataset.target).added(frame)


def frames(
    paths: Sequence[Path], params: Params, side: Side, cleaning_counts: CleaningCounts | None = None
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Each partition's labelled rows of one side, with the hash of their group, (n,) float64.

    With clean.duplicates, drops exact copies of a row within a partition from the training side;
    `cleaning_counts` counts them.
    """
    for path in paths:
        frame = read_partition(path)
        hashes = group_hashes(frame, params.split.by)
        mask = _of_side(frame, hashes, params, side, cleaning_counts)
        yield _kept(frame, mask, params), hashes[mask]


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
