"""What the gate says of partitions that are a version already: suites, labels, and what is seldom meant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incumbent.gate.check import gate_files
from incumbent.gate.labels import judge_labels
from incumbent.gate.report import GateReport
from incumbent.gate.suspicions import suspicions
from incumbent.params import Params


def gate_version(
    partitions: Sequence[tuple[str, Path]], suites: Sequence[dict[str, Any]], params: Params
) -> GateReport:
    """Check each (name, Parquet file) as gate_files does. Raises BadData for a file that can't be read."""
    odd = [each for name, path in partitions for each in suspicions(name, path, params.dataset, params.task)]
    return GateReport.of(
        [
            gate_files(partitions, suites, params.dataset, params.gate),
            *(judge_labels(name, path, params) for name, path in partitions),
            GateReport(0, tuple(odd)),
        ]
    )
