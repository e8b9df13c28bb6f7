"""Check partitions: first their columns, then every suite on their rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from incumbent.columns import ColumnDifference, column_differences
from incumbent.gate.gx import validate
from incumbent.gate.report import Finding, GateReport
from incumbent.gate.suites import declared_suite
from incumbent.params import DatasetParams
from incumbent.rows import read_partition

EXAMPLES = 5


def gate_files(
    partitions: Sequence[tuple[str, Path]], suites: Sequence[dict[str, Any]], dataset: DatasetParams
) -> GateReport:
    """Check each (name, Parquet file): first its columns by the footer alone, then, if they fit, its rows.

    Every suite is applied, and what params.yaml says of the dataset. One partition is in memory at a time.
    Raises BadData for a file that can't be read.
    """
    findings: list[Finding] = []
    rows = 0
    for name, path in partitions:
        differences = column_differences(path, dataset)
        findings += [_of_columns(name, difference) for difference in differences]
        if all(difference.harmless for difference in differences):
            findings += _check(name, path, [declared_suite(dataset), *suites])
        rows += pq.ParquetFile(path).metadata.num_rows
    return GateReport(rows, tuple(findings))


def _of_columns(partition: str, difference: ColumnDifference) -> Finding:
    severity = "warning" if difference.harmless else "critical"
    return Finding(
        partition, f"column '{difference.column}' is as declared", severity, False, difference.text
    )


def _check(name: str, path: Path, suites: Sequence[dict[str, Any]]) -> list[Finding]:
    frame = read_partition(path)
    results = [result for suite in suites for result in validate(frame, suite, EXAMPLES)]
    return [_finding(name, frame, result) for result in results]


def _finding(name: str, frame: pd.DataFrame, result: dict[str, Any]) -> Finding:
    config = result["expectation_config"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    described = f"{config['type']}({', '.join(f'{k}={_short(v)}' for k, v in kwargs.items())})"
    rows = (result["result"] or {}).get("partial_unexpected_index_list") or []
    return Finding(
        name,
        described,
        config["severity"],
        bool(result["success"]),
        _observed(kwargs, frame, result),
        () if result["success"] else tuple(_row(frame, position) for position in rows[:EXAMPLES]),
    )


def _observed(kwargs: dict[str, Any], frame: pd.DataFrame, result: dict[str, Any]) -> str:
    columns = [kwargs["column"]] if "column" in kwargs else kwargs.get("column_list", [])
    missing = [column for column in columns if column not in frame]
    if missing:
        return f"no column {missing}; the file has {sorted(map(str, frame.columns))}"
    seen = result["result"] or {}
    if "unexpected_count" in seen:
        examples = seen.get("partial_unexpected_list", [])[:3]
        share = seen["unexpected_percent"] or 0.0  # None when every cell is empty
        text = f"{seen['unexpected_count']:,} of {seen['element_count']:,} rows ({share:.1f} %)"
        return f"{text}, such as {examples}" if seen["unexpected_count"] and any(examples) else text
    if "observed_value" in seen:
        return f"observed {_short(seen['observed_value'])}"
    info = result["exception_info"]  # flat, or one entry per metric that could not be computed
    problems = [info] if "exception_message" in info else info.values()
    return "could not be checked: " + "; ".join(sorted({str(each["exception_message"]) for each in problems}))


def _row(frame: pd.DataFrame, position: int) -> dict[str, str]:
    return {str(column): str(frame.iat[position, place]) for place, column in enumerate(frame.columns)}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
