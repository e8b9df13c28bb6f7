"""Gate the partitions of a data version: suites, labels, and likely mistakes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from incumbent.gate.check import gate_files
from incumbent.gate.labels import judge_labels
from incumbent.gate.report import GateReport
from incumbent.gate.suspicions import suspicions
from incumbent.params import Params


def gate_version(
    partitions: Sequence[tuple[str, Path]],
    suites: Sequence[dict[str, Any]],
    params: Params,
    released: Callable[[], Mapping[str, str]] = dict,
) -> GateReport:
    """Gate each (name, Parquet file): the suites as gate_files does, its labels, and likely mistakes.

    `released` gives the partitions that a person released (name -> who and why); it is called only
    when something blocks or is suspicious. Raises BadData for a file that can't be read.
    """
    report = GateReport.of(
        [
            gate_files(partitions, suites, params.dataset, params.gate),
            *(judge_content(name, path, params) for name, path in partitions),
        ]
    ).treating_suspicions(params.gate.suspicious)
    return report.excusing(released()) if report.blocked or report.on_probation else report


def judge_content(name: str, path: Path, params: Params) -> GateReport:
    """What no suite covers in a partition: its labels, and likely mistakes; rows are counted elsewhere."""
    odd = suspicions(name, path, params.dataset, params.task, params.features)
    return GateReport.of([judge_labels(name, path, params), GateReport(0, tuple(odd))])
