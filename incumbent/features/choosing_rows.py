"""The rows by which a full training chooses window and options: all, or of many a bounded sample.

The sample follows from the rows' values and the seed: whole groups of split.by, so that one of more rows has
those of a smaller one.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from incumbent.features.derive import with_added
from incumbent.features.frames import training_frames
from incumbent.features.groups import Groups
from incumbent.features.rows import Rows, require_variety, sampled_rows, schema_of, training_rows
from incumbent.features.schema import Schema
from incumbent.features.target import counts_of
from incumbent.params import Params
from incumbent.tables.parquet import columns_of, rows_of
from incumbent.tables.split import as_text

LEAST_GROUPS = 1_000
"""Where so many groups have more rows than the sample, each of them gives a part of its rows."""

LEAST_OF_A_CLASS = 0.01
"""Share of the sample; a rarer class has more than its share of the rows, if need be all of its own."""


AFFORDABLE = 5
"""Times search.rows: up to so many, every row is predicted out of fold, so that all new ones judge."""


def are_many(paths: Sequence[Path], params: Params, times: int = 1) -> bool:
    """Whether the files have more rows than `times` search.rows; than once, a sample of them chooses."""
    most = params.search.rows
    return most is not None and sum(map(rows_of, paths)) > most * times


def are_too_many_for_folds(paths: Sequence[Path], params: Params) -> bool:
    """Whether one training without a fifth of the groups takes the place of folds, and fewer rows judge."""
    return are_many(paths, params, AFFORDABLE)


def choosing_rows(paths: Sequence[Path], params: Params) -> tuple[Schema, Rows]:
    """The schema of all training rows, and those that choose: all, or about search.rows of them where the
    files have more. Raises BadData as training_rows."""
    if not are_many(paths, params):
        return training_rows(paths, params)
    draw, parts = draw_of(paths, params), list[pd.DataFrame]()

    def drawn() -> Iterator[pd.DataFrame]:
        for frame in training_frames(paths, params):
            parts.append(with_added(frame, params)[draw.mask(frame)])
            yield frame
            del frame  # as in learn_schema

    schema = schema_of(drawn(), params)
    pool = pd.concat(parts, ignore_index=True)
    part = np.repeat(np.arange(len(parts), dtype=np.int32), [len(each) for each in parts])
    kept = schema.trained_on(pool)
    rows = replace(sampled_rows(pool[kept], schema, params, grouped=True), part=part[kept])
    require_variety(rows, params)
    return schema.learned_means(rows.X, rows.y, rows.group), rows


def with_scaled_gap(params: Params, paths: Sequence[Path], rows: Rows) -> Params:
    """With search.gap for the rows that choose: in a sample fewer lie between the sides of a fold. A gap in
    time stays as it is."""
    search = params.search
    if not search.gap_in_rows or not are_many(paths, params):
        return params
    share = len(rows.y) / sum(map(rows_of, paths))
    return params.model_copy(
        update={"search": search.model_copy(update={"gap": math.ceil(search.gap_in_rows * share)})}
    )


@dataclass(frozen=True)
class Draw:
    """Rows of the groups below the number `below`, of these the share `rows`; of the classes in `rare` at
    least the share given there."""

    groups: Groups
    target: str
    below: float
    rows: float
    rare: Mapping[str, float]

    def mask(self, frame: pd.DataFrame) -> np.ndarray:
        """Which training rows of a partition are drawn, (n,) bool."""
        drawn = self.groups.numbers(frame) < self.below
        if self.rows < 1 or self.rare:
            own = self.groups.row_numbers(frame)
            least = as_text(frame[self.target]).map(self.rare).fillna(0.0).to_numpy(dtype=float)
            drawn = (drawn & (own < self.rows)) | (own < least)
        return drawn


def draw_of(paths: Sequence[Path], params: Params) -> Draw:
    """Count groups and classes, reading their columns alone, and decide what share of them to draw."""
    groups, classes, count = Groups(params.split.by, params.seed), Counter[str](), 0
    target, most = params.dataset.target, params.search.rows or 0
    for frame in _narrow_frames(paths, params):
        count += len(frame)
        if params.split.by:
            groups.count(groups.numbers(frame))
        if params.task != "regression":
            classes.update(counts_of(frame[target]))
    share = most / max(count, 1)
    below = groups.below(share, fewest=LEAST_GROUPS)
    least = LEAST_OF_A_CLASS * most
    rare = {name: min(1.0, least / rows) for name, rows in classes.items() if rows * share < least}
    return Draw(groups, target, below, min(1.0, share / (groups.share_below(below) or 1.0)), rare)


def _narrow_frames(paths: Sequence[Path], params: Params) -> Iterator[pd.DataFrame]:
    """Training rows with the columns of split.by and the target alone; copies of rows count."""
    clean = params.clean.model_copy(update={"duplicates": False})
    split, narrow = params.split, [*params.split.by, params.dataset.target]
    for path in paths:
        # Which side a whole row is on, all of its cells tell; a file without one of the columns is refused.
        whole = (not split.by and split.holdout) or not {*narrow} <= {*columns_of(path)}
        columns = None if whole else narrow
        yield from training_frames([path], params.model_copy(update={"clean": clean}), columns=columns)
