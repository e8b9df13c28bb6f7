"""What is seldom meant, whatever a suite says: warnings, at the cost of one column in memory at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from incumbent.columns import schema_of
from incumbent.gate.report import Finding
from incumbent.gate.table import ambiguous
from incumbent.metrics import Task
from incumbent.params import DatasetParams
from incumbent.rows import read_partition
from incumbent.split import as_text

LEAK = 0.98
"""A column that ranks the target as well as this, all by itself, is more often a consequence than a cause."""

SAMPLE = 20_000
FEW = 30
SLACK = timedelta(days=1)  # clocks and time zones differ


def suspicions(name: str, path: Path, dataset: DatasetParams, task: Task) -> list[Finding]:
    """Findings on one partition: infinite numbers, times to come, a target that never varies or leaks.

    Raises BadData for a file that can't be read.
    """
    if ambiguous(schema_of(path).names):
        return []  # which of two columns is meant can't be told
    found = (*_of_values(path, dataset), *_of_the_target(path, dataset, task))
    return [Finding(name, expected, "warning", False, seen) for expected, seen in found]


def _of_values(path: Path, dataset: DatasetParams) -> Iterator[tuple[str, str]]:
    for field in schema_of(path):
        if str(field.type) in ("float", "double", "halffloat"):
            infinite = int(np.isinf(read_partition(path, [field.name])[field.name]).sum())
            if infinite:
                yield f"column '{field.name}' is finite", f"infinite in {infinite:,} rows"
    if dataset.time in schema_of(path).names:
        times = pd.to_datetime(read_partition(path, [str(dataset.time)])[dataset.time], errors="coerce")
        if not pd.api.types.is_datetime64_any_dtype(times.dtype):
            return
        now = datetime.now(UTC) + SLACK
        late = times > (now if times.dt.tz is not None else now.replace(tzinfo=None))
        if late.any():
            seen = f"{int(late.sum()):,} rows lie ahead, up to {times.max()}"
            yield f"column '{dataset.time}' is not in the future", seen


def _of_the_target(path: Path, dataset: DatasetParams, task: Task) -> Iterator[tuple[str, str]]:
    names = schema_of(path).names
    if dataset.target not in names:
        return
    target = read_partition(path, [dataset.target])[dataset.target]
    every = np.arange(0, len(target), max(1, len(target) // SAMPLE))
    target = target.iloc[every].reset_index(drop=True)
    if target.dropna().nunique() < 2:
        if target.notna().any():
            yield "the target varies", f"every row has {dataset.target} = {target.dropna().iloc[0]}"
        return
    aside = {dataset.target, dataset.time, *dataset.key, *dataset.drop}
    for name in names:
        if name in aside:
            continue
        column = read_partition(path, [name])[name].iloc[every].reset_index(drop=True)
        strength = _strength(column, target, dataset, task)
        if strength > LEAK:
            what = "a rank correlation" if task == "regression" else "an AUC"
            seen = f"{what} of {strength:.3f} with {dataset.target}; is it known before the target is?"
            yield f"column '{name}' alone does not give the target away", seen


def _strength(column: pd.Series, target: pd.Series, dataset: DatasetParams, task: Task) -> float:
    """How well the column alone ranks the target, 0.5 to 1, or its rank correlation; 0.0: too few rows."""
    known = column.notna() & target.notna()
    column, target = column[known], target[known]
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    if len(column) < 2 * FEW or column.nunique() < 2:
        return 0.0
    if task == "regression":
        return abs(float(spearmanr(column, target).statistic)) if numeric else 0.0
    classes = [dataset.positive] if task == "binary" else list(target.unique())
    return max(_auc(column, (target == each).to_numpy(), numeric) for each in classes)


def _auc(column: pd.Series, event: np.ndarray, numeric: bool) -> float:
    positives = int(event.sum())
    if min(positives, len(event) - positives) < FEW:
        return 0.0
    if numeric:
        ranks = rankdata(column.to_numpy(dtype=np.float64))
    else:
        texts = as_text(column)
        # A category of few rows, as every value of an identifier is, would predict itself.
        texts = texts.where(texts.map(texts.value_counts()) >= FEW, "")
        ranks = rankdata(pd.Series(event).groupby(texts.to_numpy()).transform("mean"))
    below = ranks[event].sum() - positives * (positives + 1) / 2
    auc = float(below / (positives * (len(event) - positives)))
    return max(auc, 1 - auc)
