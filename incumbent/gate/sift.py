"""What arrives passes the gate row by row: those that fail a `quarantine` expectation are set aside.

The rest is checked by all other expectations, as if those rows were not there, and becomes the partition.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.gate.check import Judged, beyond_limit, column_findings, fits, judge_rows, results_of
from incumbent.gate.contradictions import contradictions
from incumbent.gate.learned_suite import judge_by_history
from incumbent.gate.profile import Profile, profile_and_sample
from incumbent.gate.report import GateReport
from incumbent.gate.sensors import with_sensors
from incumbent.gate.suspicions import said_once
from incumbent.gate.times import judge_times
from incumbent.gate.version import judge_content
from incumbent.params import Params
from incumbent.tables.convert import BATCH_ROWS
from incumbent.tables.parquet import schema_of

FAILED = "failed_expectations"


@dataclass(frozen=True)
class Aside:
    """A Parquet file of `rows` rows that were set aside, each with what it fails in the last column."""

    path: Path
    rows: int


@dataclass(frozen=True)
class Sifted:
    """`partition` is what may pass: the file itself, or the rest of it in a file of the same name."""

    partition: Path
    aside: Aside | None
    report: GateReport
    profile: Profile | None = None


def without_history(_path: Path) -> Sequence[Judged]:
    """No check against other partitions, for a file alone."""
    return ()


def sift(
    name: str,
    path: Path,
    folder: Path,
    suites: Sequence[dict[str, Any]],
    params: Params,
    against_history: Callable[[Path], Sequence[Judged]],
    recent: Mapping[str, Path] = MappingProxyType({}),
) -> Sifted:
    """Judge a partition; its rest and what is set aside are written into `folder`.

    The same bytes in give the same bytes out. More rows than gate.max_quarantined allows stay where they
    are, and the report blocks. recent: the latest partitions, for the sensors; its profile is of what
    may pass, and None where the columns do not fit. Raises BadData for a file that can't be read.
    """
    columns = column_findings(name, path, params.dataset)
    rows = pq.read_metadata(path).num_rows
    if not fits(columns):
        return Sifted(path, None, GateReport(rows, tuple(columns)))
    judged = [*judge_rows(name, path, suites, params.dataset), *against_history(path)]
    refusing = [each for each in judged if each.aside]
    blocked = beyond_limit(name, path, refusing, params.gate)
    contradicting = contradictions(name, path, [each.result for each in judged], params.dataset)
    odd = GateReport(0, tuple(contradicting))
    if blocked or not refusing:
        findings = (*columns, *(each.finding for each in judged), *blocked)
        report = GateReport(rows, findings, results_of(name, judged))
        measured, content = _judge_content(name, path, suites, params, recent)
        return Sifted(path, None, _of([report, content, odd], params), measured)
    rest, kept = folder / "rest" / path.name, folder / "aside" / path.name
    aside = Aside(kept, _divide(path, refusing, rest, kept))
    again = [*judge_rows(name, rest, suites, params.dataset), *against_history(rest)]
    findings = tuple(
        first.finding if first.aside else second.whole for first, second in zip(judged, again, strict=True)
    )
    report = GateReport(rows, (*columns, *findings), results_of(name, judged))
    measured, content = _judge_content(name, rest, suites, params, recent)
    return Sifted(rest, aside, _of([report, content, odd], params), measured)


def _judge_content(
    name: str, path: Path, suites: Sequence[dict[str, Any]], params: Params, recent: Mapping[str, Path]
) -> tuple[Profile, GateReport]:
    """The profile, and what follows from the rows, but for a person's suites."""
    alone, sample = profile_and_sample(path, params.dataset, params.task, params.clean)
    measured = with_sensors(alone, sample, [*recent.values()], params)
    limits = GateReport(0, tuple(judge_by_history(name, path, suites, params.dataset, measured)))
    times = GateReport(0, tuple(judge_times(name, path, recent, params.dataset)))
    content = GateReport.of([judge_content(name, path, params, sample, [*recent.values()]), times, limits])
    return measured, said_once(content, params.dataset)


def _of(reports: Sequence[GateReport], params: Params) -> GateReport:
    return GateReport.of(reports).treating_suspicions(params.gate.suspicious)


def put_back(rest: Path, aside: Path, target: Path) -> None:
    """Write the partition with the rows that were set aside at its end."""
    names = schema_of(rest).names
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        pq.ParquetFile(rest) as passed,
        pq.ParquetFile(aside) as failed,
        pq.ParquetWriter(target, schema_of(rest)) as whole,
    ):
        for file in (passed, failed):
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
                whole.write_table(pa.table(batch))


def was_put_back(partition: Path, aside: Path) -> bool:
    """Does the partition end with the rows that were set aside?"""
    failed = pq.read_table(aside).drop_columns(FAILED)
    there = pq.read_table(partition)
    return bool(there.slice(max(0, len(there) - len(failed))).equals(failed))


def _divide(path: Path, refusing: Sequence[Judged], rest: Path, kept: Path) -> int:
    """Write the two files; how many rows are kept aside."""
    schema = schema_of(path)
    if FAILED in schema.names:
        raise BadData(f"{path.name} has a column '{FAILED}', the name of what quarantine adds; rename it")
    for file in (rest, kept):
        file.parent.mkdir(parents=True, exist_ok=True)
    reasons: dict[int, list[str]] = {}
    for each in refusing:
        for position in each.aside:
            reasons.setdefault(position, []).append(each.finding.expectation)
    positions = np.array(sorted(reasons))
    start = 0
    with (
        pq.ParquetFile(path) as file,
        pq.ParquetWriter(rest, schema) as passing,
        pq.ParquetWriter(kept, schema.append(pa.field(FAILED, pa.string()))) as failing,
    ):
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            here = positions[(positions >= start) & (positions < start + batch.num_rows)]
            mask = np.zeros(batch.num_rows, dtype=bool)
            mask[here - start] = True
            rows = pa.table(batch)
            failed = pa.array(["; ".join(reasons[position]) for position in here], pa.string())
            passing.write_table(rows.filter(~mask))
            failing.write_table(rows.filter(mask).append_column(FAILED, failed))
            start += batch.num_rows
    return len(reasons)
