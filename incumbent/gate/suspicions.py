"""What is seldom meant, whatever a suite says: warnings, from one pass over the rows, a batch at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.stats import rankdata, spearmanr

from incumbent.columns import readable, schema_of
from incumbent.gate.report import Finding
from incumbent.gate.table import ambiguous
from incumbent.metrics import Task
from incumbent.params import DatasetParams
from incumbent.reading import BATCH_ROWS
from incumbent.split import as_text

LEAK = 0.98
"""A column that ranks the target as well as this, all by itself, is more often a consequence than a cause."""

SAMPLE = 20_000
FEW = 30
SLACK = timedelta(days=1)  # clocks and time zones differ


@dataclass
class Seen:
    """What one pass over the rows finds; `sample` are up to SAMPLE of them, spread evenly."""

    infinite: Counter[str] = field(default_factory=Counter)
    late: int = 0
    latest: datetime | None = None
    sample: pd.DataFrame = field(default_factory=pd.DataFrame)


def suspicions(name: str, path: Path, dataset: DatasetParams, task: Task) -> list[Finding]:
    """Findings on one partition: infinite numbers, times to come, a target that never varies or leaks.

    Raises BadData for a file that can't be read.
    """
    if ambiguous(schema_of(path).names):
        return []  # which of two columns is meant can't be told
    with readable(path):
        seen = _look(path, dataset.time)
    found = (*_of_values(seen, dataset), *_of_the_target(seen.sample, dataset, task))
    return [Finding(name, expected, "warning", False, told) for expected, told in found]


def _look(path: Path, time: str | None) -> Seen:
    seen, parts, start = Seen(), [], 0
    with pq.ParquetFile(path) as file:
        step = max(1, file.metadata.num_rows // SAMPLE)
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for column in batch.schema:
                if pa.types.is_floating(column.type):
                    numbers = pc.cast(batch[column.name], pa.float64())
                    seen.infinite[column.name] += pc.sum(pc.is_inf(numbers)).as_py() or 0
            if time in batch.schema.names:
                _look_ahead(seen, batch[time].to_pandas())
            parts.append(batch.take(pa.array(np.arange(-start % step, batch.num_rows, step))))
            start += batch.num_rows
        # Without pandas' own metadata, as rows are read elsewhere.
        seen.sample = (
            pa.Table.from_batches(parts, file.schema_arrow).replace_schema_metadata(None).to_pandas()
        )
    return seen


def _look_ahead(seen: Seen, times: pd.Series) -> None:
    times = pd.to_datetime(times, errors="coerce")
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return
    now = datetime.now(UTC) + SLACK
    late = times[times > (now if times.dt.tz is not None else now.replace(tzinfo=None))]
    if len(late):
        seen.late += len(late)
        seen.latest = max(late.max(), seen.latest or late.max())


def _of_values(seen: Seen, dataset: DatasetParams) -> Iterator[tuple[str, str]]:
    for name, rows in seen.infinite.items():
        if rows:
            yield f"column '{name}' is finite", f"infinite in {rows:,} rows"
    if seen.late:
        told = f"{seen.late:,} rows lie ahead, up to {seen.latest}"
        yield f"column '{dataset.time}' is not in the future", told


def _of_the_target(sample: pd.DataFrame, dataset: DatasetParams, task: Task) -> Iterator[tuple[str, str]]:
    if dataset.target not in sample:
        return
    target = sample[dataset.target]
    if target.dropna().nunique() < 2:
        if target.notna().any():
            yield "the target varies", f"every row has {dataset.target} = {target.dropna().iloc[0]}"
        return
    aside = {dataset.target, dataset.time, *dataset.key, *dataset.drop}
    for name in sample.columns.drop(list(aside), errors="ignore"):
        strength = _strength(sample[name], target, dataset, task)
        if strength > LEAK:
            what = "a rank correlation" if task == "regression" else "an AUC"
            told = f"{what} of {strength:.3f} with {dataset.target}; is it known before the target is?"
            yield f"column '{name}' alone does not give the target away", told


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
