"""What arrives passes the gate row by row: those that fail a `quarantine` expectation are set aside.

The rest is judged by everything else, as if they had never been there, and is what becomes the partition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.columns import schema_of
from incumbent.errors import BadData
from incumbent.gate.check import beyond_limit, column_findings, fits, judge_rows, rows_aside
from incumbent.gate.report import GateReport
from incumbent.gate.suites import declared_suite
from incumbent.params import Params
from incumbent.reading import BATCH_ROWS

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


def sift(path: Path, folder: Path, suites: Sequence[dict[str, Any]], params: Params) -> Sifted:
    """Judge a partition; the rest and what is set aside are written into `folder`.

    The same bytes in give the same bytes out. More rows than gate.max_quarantined allows stay where they
    are, and the report blocks. Raises BadData for a file that can't be read.
    """
    name, rows = path.name, pq.ParquetFile(path).metadata.num_rows
    columns = column_findings(name, path, params.dataset)
    if not fits(columns):
        return Sifted(path, None, GateReport(rows, tuple(columns)))
    every = [declared_suite(params.dataset), *suites]
    judged = judge_rows(name, path, every)
    blocked = beyond_limit(name, path, judged, params.gate)
    aside = rows_aside(judged)
    if blocked or not aside:
        findings = (*columns, *(each.finding for each in judged), *blocked)
        return Sifted(path, None, GateReport(rows, findings))
    rest = folder / "rest" / name
    kept = Aside(folder / "aside" / name, len(aside))
    _divide(path, aside, rest, kept.path)
    refusing = [each.finding for each in judged if each.aside]
    told = {finding.expectation for finding in refusing}
    others = [each.finding for each in judge_rows(name, rest, every) if each.finding.expectation not in told]
    return Sifted(rest, kept, GateReport(rows, (*columns, *refusing, *others)))


def _divide(path: Path, aside: Mapping[int, Sequence[str]], rest: Path, kept: Path) -> None:
    schema = schema_of(path)
    if FAILED in schema.names:
        raise BadData(f"{path.name} has a column '{FAILED}', the name of what quarantine adds; rename it")
    for file in (rest, kept):
        file.parent.mkdir(parents=True, exist_ok=True)
    positions = np.array(sorted(aside))
    start = 0
    with (
        pq.ParquetFile(path) as file,
        pq.ParquetWriter(rest, schema) as passing,
        pq.ParquetWriter(kept, schema.append(pa.field(FAILED, pa.string()))) as failing,
    ):
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            low, high = np.searchsorted(positions, [start, start + batch.num_rows])
            here = positions[low:high]
            mask = np.zeros(batch.num_rows, dtype=bool)
            mask[here - start] = True
            rows = pa.table(batch)
            reasons = pa.array(["; ".join(aside[position]) for position in here], pa.string())
            passing.write_table(rows.filter(~mask))
            failing.write_table(rows.filter(mask).append_column(FAILED, reasons))
            start += batch.num_rows
