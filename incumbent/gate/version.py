"""Gate the partitions of a data version: suites, labels, and likely mistakes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.gate.check import gate_files
from incumbent.gate.labels import judge_labels
from incumbent.gate.report import GateReport
from incumbent.gate.suspicions import said_once, suspicions
from incumbent.params import Params


def gate_version(
    partitions: Sequence[tuple[str, Path]],
    suites: Sequence[dict[str, Any]],
    params: Params,
    released: Callable[[], Mapping[str, str]] = dict,
    judged: Collection[str] = (),
) -> GateReport:
    """Gate each (name, Parquet file): the suites as gate_files does, its labels, and likely mistakes.

    `released` gives the partitions that a person released (name -> who and why); it is called only
    when something blocks or is suspicious. judged: those that the history judged when they came. Raises
    BadData for a file that can't be read.
    """
    whole = GateReport.of(
        [
            gate_files(partitions, suites, params.dataset, params.gate, judged, params.clean),
            *(judge_content(name, path, params) for name, path in partitions),
        ]
    )
    report = said_once(whole, params.dataset).treating_suspicions(params.gate.suspicious)
    return report.excusing(released()) if report.blocked or report.on_probation else report


def judge_content(
    name: str,
    path: Path,
    params: Params,
    sample: pd.DataFrame | None = None,
    recent: Sequence[Path] = (),
) -> GateReport:
    """What no suite covers in a partition: its labels, and likely mistakes; rows are counted elsewhere.

    sample: of its rows, if there is one already; recent: the partitions before it, where they are known.
    """
    odd = suspicions(name, path, params.dataset, params.task, params.features, sample, recent)
    return GateReport.of([judge_labels(name, path, params), GateReport(0, tuple(odd))])
