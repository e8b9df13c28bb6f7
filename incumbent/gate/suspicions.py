"""Warnings about likely mistakes that no suite covers, from one pass over the rows, a batch at a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.gate.figures import OF_TARGET
from incumbent.gate.labels import KNOWN, USABLE
from incumbent.gate.report import Finding, GateReport
from incumbent.gate.samples import even_sample
from incumbent.gate.times import FAR_AHEAD
from incumbent.params import DatasetParams, FeatureParams, Task
from incumbent.tables.columns import columns_of
from incumbent.tables.convert import BATCH_ROWS
from incumbent.tables.leaks import LEAK, leaks
from incumbent.tables.names import look_alikes
from incumbent.tables.parquet import readable, schema_of

SAMPLE = 20_000
LEAKING = "column '{}' should be no leak of the target"
BY_CHANCE = 0.02
"""How much less a column may have told the target before: so much are two partitions apart by chance."""

TARGET_VARIES, VARIETY = "the target should vary", "distinct"
AHEAD = "column '{}' should not be in the future"
SLACK = timedelta(days=1)  # clocks and time zones differ


@dataclass
class RowStatistics:
    """Counts of one pass over the rows; `sample` holds up to SAMPLE of them, spread evenly."""

    infinite: Counter[str] = field(default_factory=Counter)
    late: int = 0
    latest: datetime | None = None
    sample: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Oddity:
    """What is expected of a column (None: of the target), and what there is instead."""

    column: str | None
    expected: str
    observed: str


def suspicions(
    name: str,
    path: Path,
    dataset: DatasetParams,
    task: Task,
    features: FeatureParams,
    sample: pd.DataFrame | None = None,
    recent: Sequence[Path] = (),
) -> list[Finding]:
    """Findings on one partition: infinite numbers, future times, a target that never varies or leaks.

    None on columns that the model does not read, and no leak that was as strong in the `recent` partitions.
    sample: some of the rows, if there are such already. Raises BadData for a file that can't be read.
    """
    unread = _unread(path, dataset, features)
    odd = [each for each in oddities([path], dataset, task, sample) if each.column not in unread]
    leaking = [each.column for each in odd if each.column and each.expected == LEAKING.format(each.column)]
    known = {LEAKING.format(each) for each in _leaking_before(leaking, recent, dataset, task)}
    return [
        Finding(name, each.expected, "warning", False, each.observed)
        for each in odd
        if each.expected not in known
    ]


def _leaking_before(
    columns: Sequence[str], recent: Sequence[Path], dataset: DatasetParams, task: Task
) -> list[str]:
    """Which of these columns told the target about as well in the recent partitions together?"""
    needed = {*columns, dataset.target}
    whole = [path for path in recent if needed <= columns_of(path).keys()] if columns else []
    if not whole:
        return []
    rows = even_sample(whole, sorted(needed), SAMPLE // len(whole))
    return [each.column for each in leaks(rows, dataset, task, LEAK - BY_CHANCE)]


def said_once(report: GateReport, dataset: DatasetParams) -> GateReport:
    """Without what a graver finding on the same partition says, too; of labels that can't be used that is all
    that the history says of them."""
    repeated = {
        *(
            (each.partition, TARGET_VARIES)
            for each in report.failed
            if each.figure == (dataset.target, VARIETY)
        ),
        *(
            (each.partition, AHEAD.format(dataset.time))
            for each in report.failed
            if each.expectation == FAR_AHEAD.format(dataset.time)
        ),
    }
    bad_labels = {USABLE.format(dataset.target), KNOWN.format(dataset.target)}
    unlabelled = {each.partition for each in report.failed if each.expectation in bad_labels}
    kept = (
        each
        for each in report.findings
        if (each.partition, each.expectation) not in repeated
        and not (each.partition in unlabelled and _is_of_target(each, dataset.target))
    )
    return replace(report, findings=tuple(kept))


def _is_of_target(finding: Finding, target: str) -> bool:
    """Does the history judge the target here, or what follows from it?"""
    return finding.figure is not None and (finding.figure[0] == target or finding.figure[1] in OF_TARGET)


def _unread(path: Path, dataset: DatasetParams, features: FeatureParams) -> set[str]:
    """Dropped columns and times, except those that features are made of."""
    if features.function is not None:
        return set()
    times = {name for name, kind in columns_of(path).items() if kind == "time"}
    return (times | set(dataset.drop)) - {dataset.time, *features.sources}


def oddities(
    paths: Sequence[Path], dataset: DatasetParams, task: Task, sample: pd.DataFrame | None = None
) -> list[Oddity]:
    """The same for several partitions as one table: each alone may have too few rows."""
    if any(look_alikes(schema_of(path).names) for path in paths):
        return []  # two columns can't be told apart
    statistics = _scan(paths, dataset.time, sampling=sample is None)
    if sample is not None:
        statistics.sample = sample
    return [*_of_values(statistics, dataset), *_of_the_target(statistics.sample, dataset, task)]


def _scan(paths: Sequence[Path], time: str | None, *, sampling: bool) -> RowStatistics:
    """Without sampling, only the columns that are counted are read."""
    statistics, parts, start = RowStatistics(), list[pa.Table](), 0
    step = max(1, sum(pq.read_metadata(path).num_rows for path in paths) // SAMPLE)
    for path in paths:
        with readable(path), pq.ParquetFile(path) as file:
            parts.append(file.schema_arrow.empty_table().replace_schema_metadata(None))
            counted = [
                each.name
                for each in file.schema_arrow
                if pa.types.is_floating(each.type) or each.name == time
            ]
            columns = None if sampling else counted
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns) if columns != [] else ():
                _count_infinite(statistics, batch)
                if time in batch.schema.names:
                    _count_future(statistics, batch[time].to_pandas())
                if not sampling:
                    continue
                rows = batch.take(pa.array(np.arange(-start % step, batch.num_rows, step)))
                # Without pandas' own metadata, as rows are read elsewhere.
                parts.append(pa.table(rows).replace_schema_metadata(None))
                start += batch.num_rows
    statistics.sample = pa.concat_tables(parts, promote_options="permissive").to_pandas()
    return statistics


def _count_infinite(statistics: RowStatistics, batch: pa.RecordBatch) -> None:
    for column in batch.schema:
        if pa.types.is_floating(column.type):
            numbers = pc.cast(batch[column.name], pa.float64())
            statistics.infinite[column.name] += pc.sum(pc.is_inf(numbers)).as_py() or 0


def _count_future(statistics: RowStatistics, times: pd.Series) -> None:
    times = pd.to_datetime(times, errors="coerce")
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return
    now = datetime.now(UTC) + SLACK
    late = times[times > (now if times.dt.tz is not None else now.replace(tzinfo=None))]
    if len(late):
        statistics.late += len(late)
        statistics.latest = max(late.max(), statistics.latest or late.max())


def _of_values(statistics: RowStatistics, dataset: DatasetParams) -> Iterator[Oddity]:
    for name, rows in statistics.infinite.items():
        if rows:
            yield Oddity(name, f"column '{name}' should be finite", f"infinite in {rows:,} rows")
    if statistics.late:
        observed = f"{statistics.late:,} rows lie ahead, up to {statistics.latest}"
        yield Oddity(dataset.time, AHEAD.format(dataset.time), observed)


def _of_the_target(sample: pd.DataFrame, dataset: DatasetParams, task: Task) -> Iterator[Oddity]:
    if dataset.target not in sample:
        return
    target = sample[dataset.target]
    if target.dropna().nunique() < 2:
        if target.notna().any():
            single = f"every row has {dataset.target} = {target.dropna().iloc[0]}"
            yield Oddity(None, TARGET_VARIES, single)
        return
    for leak in leaks(sample, dataset, task):
        yield Oddity(leak.column, LEAKING.format(leak.column), leak.text)
