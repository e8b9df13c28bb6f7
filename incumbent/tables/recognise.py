"""Guess what a table is: task, positive class, columns that are no features; a person corrects the guess.

Everything is read from a bounded sample of rows; each guess comes with its reason, which ends up as the
comment beside it in params.yaml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.params import DatasetParams, Task
from incumbent.tables.columns import Kind
from incumbent.tables.labels import labels_of, unusable

SAMPLE_ROWS = 200_000
MAX_CLASSES = 20  # more distinct whole numbers are a quantity
MAX_TEXT_CLASSES = 200  # more distinct texts are names
NEARLY_UNIQUE = 0.5
MANY_ROWS = 100  # fewer: half of them may differ in any column, only all of them tell a name
FEW_ROWS = 20  # fewer tell nothing
FEW_TIMES = 10  # of a partition; fewer are too few groups for an interval
AFFIRMATIVE = ("yes", "true", "y", "t", "1", "positive")
METRIC: dict[Task, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


@dataclass(frozen=True)
class Recognised:
    """A first params.yaml, in values; `why_…` are sentences for its comments.

    unlabelled: rows that have no label yet; classes: the target's, sorted, but for regression.
    """

    rows: int
    unlabelled: int
    classes: list[bool | int | str]
    target: str
    task: Task
    why_task: str
    positive: bool | int | str
    why_positive: str
    key: list[str]
    time: str | None
    drop: list[str]
    why_drop: str
    columns: dict[str, Kind]
    max_decay: float
    split_by: list[str]
    why_split: str

    @property
    def metric(self) -> str:
        return METRIC[self.task]


def recognise(
    paths: Sequence[Path],
    columns: Mapping[str, Kind | None],
    target: str,
    key: Sequence[str],
    time: str | None,
) -> Recognised:
    """Look at Parquet partitions, newest last, whose columns are of these kinds.

    Rows without a label are left for later. Raises BadData for a column that is not there, a target without
    variety or with values that no model can learn, and a key that is empty somewhere.
    """
    for name in (target, *key, *([time] if time else [])):
        if name not in columns:
            raise BadData(f"no column '{name}'; the data has {sorted(columns)}")
    frame = sample_of(paths)
    _require_whole(frame, key)
    known = frame[target].dropna().infer_objects()
    if known.empty:
        raise BadData(f"the target '{target}' is empty in all rows that were read; nothing can be learned")
    task, why_task = _task(known, columns[target])
    positive, why_positive = _positive(known) if task == "binary" else (True, "")
    unlabelled, classes = _labels(paths, target, task)
    drop = [name for name in columns if name not in (target, time) and _is_name(frame[name], name in key)]
    split_by, why_split = _groups(paths, key, time)
    return Recognised(
        rows=sum(pq.ParquetFile(path).metadata.num_rows for path in paths),
        unlabelled=unlabelled,
        classes=classes,
        target=target,
        task=task,
        why_task=why_task,
        positive=positive,
        why_positive=why_positive,
        key=list(key),
        time=time,
        drop=drop,
        why_drop="nearly every row has another value" if drop else "",
        columns={name: kind for name, kind in columns.items() if kind is not None},
        max_decay=_max_decay(known, task),
        split_by=split_by,
        why_split=why_split,
    )


def _groups(paths: Sequence[Path], key: Sequence[str], time: str | None) -> tuple[list[str], str]:
    """Which rows resemble each other, and why: those of one time, where a key of time and entity tells rows
    apart; else each is by itself, told by its key, so that a corrected row stays in its group.

    Not those of one entity: it comes again, so models may know it. Partitions of few times, such as those of
    a day, would have too few groups to judge by.
    """
    if time in key and len(key) > 1:
        columns = [pq.read_table(path, columns=[time])[time] for path in paths]
        times = np.array([pc.count_distinct(each).as_py() for each in columns])
        if np.median(times) >= FEW_TIMES and sum(map(len, columns)) >= 2 * times.sum():
            return [
                str(time)
            ], f"rows of one {time} resemble each other and count as one; or name another column"
    return list(key), "rows that resemble each other (one customer, one day) count as one: name their column"


def _labels(paths: Sequence[Path], target: str, task: Task) -> tuple[int, list[bool | int | str]]:
    """How many rows of all partitions have no label, and the classes of the others, sorted."""
    empty, classes = 0, set[Any]()
    dataset = DatasetParams(name="new", target=target)
    for path in paths:
        labels = labels_of(path, target, task)
        if task == "regression" and (problem := unusable(labels, dataset, task)):
            raise BadData(f"{path.stem}: {problem}")
        empty += labels.empty
        classes.update(labels.classes)
    whole = (int(each) if isinstance(each, float) and each.is_integer() else each for each in classes)
    return empty, sorted(set(whole), key=lambda each: (str(type(each)), each))


def sample_of(paths: Sequence[Path]) -> pd.DataFrame:
    """The first rows of every partition, SAMPLE_ROWS in all."""
    share = max(1, SAMPLE_ROWS // len(paths))
    parts = [next(pq.ParquetFile(path).iter_batches(batch_size=share)).to_pandas() for path in paths]
    return pd.concat(parts, ignore_index=True)


def _require_whole(frame: pd.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        empty = int(frame[name].isna().sum())
        if empty:
            raise BadData(
                f"column '{name}' is empty in {empty:,} of {len(frame):,} rows; remove these rows first"
            )


def _task(target: pd.Series, kind: Kind | None) -> tuple[Task, str]:
    distinct = target.nunique()
    if distinct < 2:
        raise BadData(
            f"the target '{target.name}' has a single value, {target.iloc[0]}; nothing can be learned"
        )
    if kind == "time":
        raise BadData(f"the target '{target.name}' is a time; predict a number or a class")
    whole = kind != "number" or bool((target % 1 == 0).all())
    if distinct == 2 and whole:
        return "binary", "the target has two values"
    if kind == "number" and (not whole or distinct > MAX_CLASSES):
        return "regression", f"the target has {distinct:,} different numbers; or binary, multiclass"
    if distinct > MAX_TEXT_CLASSES:
        raise BadData(f"the target '{target.name}' has {distinct:,} different texts; is it a name or an id?")
    return "multiclass", f"the target has {distinct} classes" + (
        "; or regression" if kind == "number" else ""
    )


def _positive(target: pd.Series) -> tuple[bool | int | str, str]:
    """True, the greater number, an affirmative word; of other words the rarer."""
    common, rare = target.value_counts().index
    value: bool | int | str
    if pd.api.types.is_bool_dtype(target.dtype):
        value, why = True, ""
    elif pd.api.types.is_numeric_dtype(target.dtype):
        value, why = int(max(common, rare)), ""
    elif affirmative := [each for each in (common, rare) if str(each).strip().lower() in AFFIRMATIVE]:
        value, why = affirmative[0], ""
    else:
        value, why = rare, f"the rarer class; or {common!r}: "
    return value, f"{why}{(target == value).mean():.1%} of the rows"


def _is_name(column: pd.Series, in_key: bool) -> bool:
    """Does it only identify rows? Nearly unique text, a running number, a key that is unique alone."""
    if len(column) < FEW_ROWS:
        return False
    if column.dtype.kind in "iuf" and (column.diff().iloc[1:] == 1).all():
        return True
    if not (in_key or column.dtype == "str"):
        return False
    distinct = column.nunique()
    return distinct == len(column) or (len(column) >= MANY_ROWS and distinct > NEARLY_UNIQUE * len(column))


def _max_decay(target: pd.Series, task: Task) -> float:
    """In units of the metric; for an error a tenth of the target's standard deviation."""
    if task == "regression":
        return float(f"{float(target.std()) / 10:.2g}")
    return 0.03 if task == "binary" else 0.1
