"""A key must not be in another partition, with the severity that the suites give to repeated keys."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from incumbent.gate.check import EXAMPLES, Judged, some_rows
from incumbent.gate.gx import expectations_of, question, sets_aside, suspends
from incumbent.gate.report import ORDER, PROBATION, QUARANTINE, Finding
from incumbent.params import DatasetParams


def key_severity(suites: Sequence[dict[str, Any]], dataset: DatasetParams) -> str | None:
    """Of the suites' expectations that exactly `dataset.key` is unique; None without one.

    Quarantine before critical: within a partition, too, critical judges what remains.
    """
    key = set(dataset.key)
    severities = {
        _severity(expectation)
        for suite in suites
        for expectation in expectations_of(suite)
        if key and _unique_columns(expectation) == key
    }
    return QUARANTINE if QUARANTINE in severities else min(severities, key=ORDER.index, default=None)


def _severity(expectation: Any) -> str:
    if sets_aside(expectation):
        return QUARANTINE
    return PROBATION if suspends(expectation) else str(expectation.severity.value)


def judge_keys(
    name: str, path: Path, repeated: Mapping[str, np.ndarray], severity: str, key: Sequence[str]
) -> Judged:
    """The finding for rows whose key another partition has; `repeated`: its name -> their positions."""
    every = np.unique(np.concatenate([np.empty(0, np.int64), *repeated.values()])).tolist()
    examples = tuple(some_rows(path, key, every[:EXAMPLES]).values())
    rows = pq.read_metadata(path).num_rows
    observed = f"{len(every):,} of {rows:,} rows ({100 * len(every) / rows:.1f} %)"
    if every:
        where = ", ".join(
            f"{other} ({len(rows_of_other):,})" for other, rows_of_other in list(repeated.items())[:EXAMPLES]
        )
        more = f" and {len(repeated) - EXAMPLES:,} more" if len(repeated) > EXAMPLES else ""
        observed += f" have keys of {where}{more}, such as {list(examples[:3])}"
    expected = f"no key ({', '.join(key)}) may be one of another partition"
    finding = Finding(name, expected, severity, not every, observed, examples)
    return Judged(finding, tuple(every) if severity == QUARANTINE else ())


def _unique_columns(expectation: Any) -> set[str]:
    kind, arguments = question(expectation)
    if arguments.get("row_condition") is not None:
        return set()
    if kind == "expect_column_values_to_be_unique":
        return {arguments["column"]}
    return set(arguments["column_list"]) if kind == "expect_compound_columns_to_be_unique" else set()
