"""Are the labels of a partition ones that a model can learn from, and how many rows still wait for theirs?"""

from collections.abc import Iterator
from pathlib import Path

from incumbent.gate.report import Finding, GateReport
from incumbent.params import Params
from incumbent.tables.labels import Labels, labels_of, unknown_class, unusable
from incumbent.tables.parquet import schema_of

USABLE, KNOWN = "the labels in '{}' must be usable", "the classes in '{}' must be known"
MOST_UNLABELLED = 0.5
"""A larger share of rows without a label is more often a broken join than labels that come late."""


def judge_labels(name: str, path: Path, params: Params) -> GateReport:
    """What is wrong with a partition's labels; its rows are counted elsewhere. Nothing without the column.

    Critical: labels that no model of this task can learn from, and classes that dataset.classes does not
    name. Warning: more than half of the rows have no label. Raises BadData for a file that can't be read.
    """
    target = params.dataset.target
    if target not in schema_of(path).names:
        return GateReport(0, ())
    labels = labels_of(path, target, params.task)
    waiting = (name,) if labels.empty == labels.rows else ()
    return GateReport(0, tuple(_findings(name, labels, params)), {}, labels.empty, waiting)


def _findings(name: str, labels: Labels, params: Params) -> Iterator[Finding]:
    target = params.dataset.target
    if problem := unusable(labels, params.dataset, params.task):
        yield Finding(name, USABLE.format(target), "critical", False, problem, final=True)
    if problem := unknown_class(labels, params.dataset, params.task):
        yield Finding(name, KNOWN.format(target), "critical", False, problem)
    if labels.empty > MOST_UNLABELLED * labels.rows:
        problem = (
            f"{labels.empty:,} of {labels.rows:,} rows ({labels.empty / labels.rows:.1%}) have no label yet"
        )
        yield Finding(name, f"most rows should have a label in '{target}'", "warning", False, problem)
