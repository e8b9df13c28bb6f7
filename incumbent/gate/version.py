"""What the gate says of partitions that are a version already: suites, labels, and what is seldom meant."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from incumbent.gate.check import gate_files
from incumbent.gate.labels import judge_labels
from incumbent.gate.report import GateReport, Verdict
from incumbent.gate.suspicions import suspicions
from incumbent.params import Params


def gate_version(
    partitions: Sequence[tuple[str, Path]],
    suites: Sequence[dict[str, Any]],
    params: Params,
    released: Callable[[], Mapping[str, str]] = dict,
) -> GateReport:
    """Check each (name, Parquet file) as gate_files does, its labels, and what no suite asks.

    `released` names the partitions that a person let pass, and says who did and why; it is asked only when
    something blocks. Raises BadData for a file that can't be read.
    """
    report = GateReport.of(
        [
            gate_files(partitions, suites, params.dataset, params.gate),
            *(judge_content(name, path, params) for name, path in partitions),
        ]
    )
    return report.excusing(released()) if report.verdict is Verdict.BLOCK else report


def judge_content(name: str, path: Path, params: Params) -> GateReport:
    """What no suite says of a partition: its labels, and what is seldom meant; rows are counted elsewhere."""
    odd = suspicions(name, path, params.dataset, params.task, params.features)
    return GateReport.of([judge_labels(name, path, params), GateReport(0, tuple(odd))])
