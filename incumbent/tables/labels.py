"""What the target column of a file holds: labels that a model can learn from, unusable ones, or none yet."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.params import DatasetParams, Task
from incumbent.tables.parquet import readable
from incumbent.tables.split import text_of

LARGEST = float(np.finfo(np.float32).max)
"""Learners hold targets as float32."""

MOST = 5  # values in one message
BATCH_ROWS = 65_536


@dataclass
class Labels:
    """Of `rows` rows, `empty` have no label; `classes`: each value -> its rows, counted for classes only.

    beyond: how many numbers are infinite or beyond LARGEST; example: the first of them. `kind` is the
    column's type.
    """

    kind: pa.DataType
    rows: int = 0
    empty: int = 0
    classes: Counter[Hashable] = field(default_factory=Counter)
    beyond: int = 0
    example: float = 0.0

    @property
    def are_numbers(self) -> bool:
        types = pa.types
        return types.is_integer(self.kind) or types.is_floating(self.kind)


def labels_of(path: Path, target: str, task: Task) -> Labels:
    """Count what the column holds, a batch at a time. Raises BadData for a file that can't be read."""
    with readable(path), pq.ParquetFile(path) as file:
        kind = file.schema_arrow.field(target).type
        labels = Labels(kind.value_type if pa.types.is_dictionary(kind) else kind)
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=[target]):
            _count(labels, batch.column(0), task)
    return labels


def _count(labels: Labels, column: pa.Array, task: Task) -> None:
    cells = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    known = cells.filter(pc.invert(pc.is_null(cells, nan_is_null=True)))
    labels.rows += len(cells)
    labels.empty += len(cells) - len(known)
    if task != "regression":
        counts = pc.value_counts(known)
        labels.classes.update(dict(zip(*(counts.field(i).to_pylist() for i in (0, 1)), strict=True)))
    elif labels.are_numbers:
        numbers = known.to_numpy(zero_copy_only=False).astype(np.float64)
        beyond = numbers[beyond_limit(numbers)]
        if len(beyond) and not labels.beyond:
            labels.example = float(beyond[0])
        labels.beyond += len(beyond)


def beyond_limit(numbers: np.ndarray) -> np.ndarray:
    """Which targets no learner can hold, (n,) bool; missing ones are not among them."""
    return np.abs(numbers) > LARGEST


def beyond_limit_message(target: str, count: int, example: float) -> str:
    """The message about so many targets beyond the limit."""
    values, shown = "value" if count == 1 else "values", f"{example:g}".replace("e+", "e")
    return (
        f"target '{target}' has {count:,} {values} beyond 3.4e38 ({shown}); learners hold targets as "
        "float32: correct them, or leave them empty"
    )


def unusable(labels: Labels, dataset: DatasetParams, task: Task) -> str | None:
    """Why no model can learn from these labels; None if one can."""
    target = dataset.target
    if task == "regression":
        if labels.empty == labels.rows:
            return None
        if not labels.are_numbers:
            return f"target '{target}' holds {labels.kind}; the task 'regression' needs numbers"
        return beyond_limit_message(target, labels.beyond, labels.example) if labels.beyond else None
    if task == "multiclass":
        return None
    if dataset.classes:
        problem = _unknown(labels, dataset)
        return problem and f"{problem}; correct the file"
    if len(labels.classes) > 2 or (len(labels.classes) == 2 and dataset.positive not in labels.classes):
        return (
            f"{_counted(target, labels.classes)}; a binary target has two classes, one of them "
            f"dataset.positive = {dataset.positive!r}; correct the file"
        )
    return None


def are_known(target: pd.Series, dataset: DatasetParams, task: Task) -> np.ndarray:
    """Which cells hold a label, of a class that params.yaml declares if it declares any, (n,) bool."""
    there = target.notna()
    if task == "regression" or not dataset.classes:
        return there.to_numpy()
    known = {text_of(each) for each in dataset.classes}
    among = {value: text_of(value) in known for value in target[there].unique()}
    return (there & target.map(among).eq(True)).to_numpy(dtype=bool)


def unknown_class(labels: Labels, dataset: DatasetParams, task: Task) -> str | None:
    """Which classes of a multiclass target params.yaml does not declare; None where it declares none."""
    if task != "multiclass" or not dataset.classes:
        return None
    problem = _unknown(labels, dataset)
    return (
        problem
        and f"{problem}; correct the file, or add a class that is new to dataset.classes in params.yaml"
    )


def _unknown(labels: Labels, dataset: DatasetParams) -> str | None:
    known = {text_of(each) for each in dataset.classes}
    others = Counter({value: rows for value, rows in labels.classes.items() if text_of(value) not in known})
    if not others:
        return None
    return f"{_counted(dataset.target, others)}; known: {', '.join(_shown(dataset.classes))}"


def _counted(target: str, classes: Counter[Hashable]) -> str:
    common = classes.most_common(MOST)
    values = [f"{value!r} in {rows:,} row{'s' if rows > 1 else ''}" for value, rows in common]
    more = f" and {len(classes) - MOST:,} more values" if len(classes) > MOST else ""
    return f"{target} holds {', '.join(values)}{more}"


def _shown(classes: list[bool | int | str]) -> Iterator[str]:
    yield from (repr(each) for each in classes[:20])
    if len(classes) > 20:
        yield f"and {len(classes) - 20:,} more"
