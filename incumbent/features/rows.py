"""Rows for a model from Parquet partitions: one side of the split, encoded by the schema.

Only one partition is in memory as a frame at a time; its rows stay as a float32 matrix.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.features.clean import CleaningCounts
from incumbent.features.derive import with_added
from incumbent.features.frames import Side, frames, training_frames
from incumbent.features.learn_schema import learn_schema, require_input
from incumbent.features.matrix import empty_matrix
from incumbent.features.row_times import row_times
from incumbent.features.sample import Sample
from incumbent.features.schema import Schema
from incumbent.params import Params
from incumbent.tables.parquet import rows_of
from incumbent.tables.split import as_text, group_hashes, segments_in

MISSING = "missing"
"""The protected value of a row with an empty cell, as in a comparison."""


@dataclass(frozen=True)
class Rows:
    """X: (n, features) float32, as Schema.codes; y: (n,) as Schema.labels; group: (n,) float64, the hash of
    the split group; protected: (n,) text of the column that `bias` names, None without; segment: (n,) text of
    the column segments.by, None for an empty cell, None without; time: (n,) as row_times, None for a gap in
    rows.

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
    time: np.ndarray | None = None

    def take(self, numbers: np.ndarray) -> "Rows":
        """The rows with these numbers, without `cleaning_counts`, `part` and `number`."""
        given = {name: getattr(self, name) for name in ("weights", "protected", "leaves", "segment", "time")}
        taken: dict[str, Any] = {
            name: each if each is None else each[numbers] for name, each in given.items()
        }
        return Rows(self.X[numbers], self.y[numbers], self.group[numbers], **taken)


def read_rows(
    paths: Sequence[Path],
    schema: Schema,
    params: Params,
    side: Side,
    sample: Sample | None = None,
    *,
    on_disk: Path | None = None,
) -> Rows:
    """All rows of one side, in the order of `paths`; they are added to the `sample`.

    on_disk: a folder for their features, as in empty_matrix; None keeps them in memory. Raises BadData when a
    file does not fit the schema.
    """
    # One matrix from the start: to join those of the partitions would need all of them twice.
    X, end = empty_matrix(sum(map(rows_of, paths)), len(schema.features), on_disk), 0
    parts, cleaning_counts, by = list[Rows](), CleaningCounts(), params.segments.by
    for path, (frame, group) in zip(paths, frames(paths, params, side, cleaning_counts), strict=True):
        codes = schema.codes(frame, absent_as_missing=True, cleaning_counts=cleaning_counts)
        if sample:
            sample.add(frame)
        if not (kept := schema.trained_on(frame)).all():
            frame, group, codes = frame[kept], group[kept], codes[kept]
        start, end = end, end + len(codes)
        X[start:end] = codes
        number = frame.index.to_numpy(dtype=np.int32)
        protected, segment = _protected(frame, params), segments_in(frame, by) if by else None
        y, time = schema.labels(frame), row_times(frame, params, path.name)
        parts.append(
            Rows(X[start:end], y, group, number=number, protected=protected, segment=segment, time=time)
        )
        del frame, codes  # as in learn_schema
    if not parts:
        raise BadData("no partitions to read")
    return Rows(
        X[:end],
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.group for part in parts]),
        cleaning_counts,
        np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.y) for part in parts]),
        np.concatenate([part.number for part in parts]),
        protected=joined([part.protected for part in parts]),
        segment=joined([part.segment for part in parts]),
        time=joined([part.time for part in parts]),
    )


def training_rows(
    paths: Sequence[Path], params: Params, sample: Sample | None = None, *, on_disk: Path | None = None
) -> tuple[Schema, Rows]:
    """Learn the schema from the training side and encode it; the rows are added to the `sample`.

    on_disk: as in read_rows. Raises BadData for a target of one value.
    """
    schema, _ = survey(paths, params, sample)
    rows = read_rows(paths, schema, params, Side.TRAINING, on_disk=on_disk)
    require_variety(rows, params)
    return schema.learned_means(rows.X, rows.y, rows.group), rows


def survey(paths: Sequence[Path], params: Params, sample: Sample | None = None) -> tuple[Schema, list[int]]:
    """The schema without target encoding, and the training rows of each partition, which are added to the
    `sample`; keeps no other row in memory."""
    counts: list[int] = []

    def counted() -> Iterator[pd.DataFrame]:
        for frame in training_frames(paths, params):
            counts.append(len(frame))
            yield frame
            del frame  # as in learn_schema

    return schema_of(sample.added(counted()) if sample else counted(), params), counts


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
    time = row_times(kept, params, "the sample of training rows")
    return Rows(X, schema.labels(kept), group, protected=_protected(kept, params), time=time)


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


def latest_rows(paths: Sequence[Path], params: Params) -> pd.DataFrame:
    """Training rows of the last partition that has any, with the same columns as in a Sample."""
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
