"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported.
Source: https://docs.greatexpectations.io (GX Core 1.x).
"""

import json
import logging
import os
import uuid
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from incumbent.columns import ColumnDifference, column_differences
from incumbent.errors import BadParams
from incumbent.params import DatasetParams
from incumbent.rows import read_partition

EXAMPLES = 5


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True)
class Finding:
    """One expectation on one partition; `examples` are rows that break it, as text by column."""

    partition: str
    expectation: str
    severity: str
    success: bool
    observed: str
    examples: tuple[dict[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.partition}: {self.expectation}: {self.observed}"


@dataclass(frozen=True)
class GateReport:
    rows: int
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        failed = {finding.severity for finding in self.findings if not finding.success}
        if "critical" in failed:
            return Verdict.BLOCK
        return Verdict.WARN if failed else Verdict.PASS

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failed expectations, critical ones first, one sentence each."""
        failed = sorted((f for f in self.findings if not f.success), key=lambda f: f.severity != "critical")
        return tuple(f"{finding.severity}: {finding}" for finding in failed)

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "rows": self.rows,
            "findings": [asdict(f) for f in self.findings],
        }


def load_suites(folder: Path) -> list[dict[str, Any]]:
    """Every expectations/*.json, as GX serialises suites.

    Raises BadParams for a file that is not a valid suite: GX itself would log an unknown expectation and
    go on without it.
    """
    return [_load_suite(path) for path in sorted(folder.glob("*.json"))]


def gate(
    partitions: Sequence[tuple[str, pd.DataFrame]], suites: Sequence[dict[str, Any]], dataset: DatasetParams
) -> GateReport:
    """Check each (name, frame) against every suite and against what params.yaml says of the dataset."""
    context = _context()
    findings: list[Finding] = []
    for name, frame in partitions:
        for suite in [_declared(dataset), *suites]:
            findings += _check(context, name, frame.reset_index(drop=True), suite)  # labels are positions
    return GateReport(sum(len(frame) for _, frame in partitions), tuple(findings))


def gate_files(
    partitions: Sequence[tuple[str, Path]], suites: Sequence[dict[str, Any]], dataset: DatasetParams
) -> GateReport:
    """Check each (name, Parquet file): first its columns by the footer alone, then, if they fit, its rows.

    One partition is in memory at a time. Raises BadData for a file that can't be read.
    """
    findings: list[Finding] = []
    rows = 0
    for name, path in partitions:
        differences = column_differences(path, dataset)
        findings += [_of_columns(name, difference) for difference in differences]
        if all(difference.harmless for difference in differences):
            checked = gate([(name, read_partition(path))], suites, dataset)
            findings += checked.findings
            rows += checked.rows
        else:
            rows += pq.ParquetFile(path).metadata.num_rows
    return GateReport(rows, tuple(findings))


def _of_columns(partition: str, difference: ColumnDifference) -> Finding:
    severity = "warning" if difference.harmless else "critical"
    return Finding(
        partition, f"column '{difference.column}' is as declared", severity, False, difference.text
    )


def _load_suite(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        wanted = [str(expectation["type"]) for expectation in document["expectations"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadParams(f"{path} is not a Great Expectations suite in JSON: {error!r}") from error
    try:
        understood = [expectation.expectation_type for expectation in _suite(document).expectations]
    except Exception as error:
        raise BadParams(f"{path}: {' '.join(str(error).split())}") from error
    unknown = sorted((Counter(wanted) - Counter(understood)).elements())
    if unknown:
        raise BadParams(f"{path}: unknown or invalid expectations {unknown}")
    return {**document, "name": document.get("name", path.stem)}


def _declared(dataset: DatasetParams) -> dict[str, Any]:
    def critical(kind: str, **kwargs: object) -> dict[str, Any]:
        return {"type": kind, "kwargs": kwargs, "severity": "critical"}

    expectations = [
        critical("expect_column_to_exist", column=dataset.target),
        critical("expect_column_values_to_not_be_null", column=dataset.target),
    ]
    if len(dataset.key) == 1:
        expectations.append(critical("expect_column_values_to_be_unique", column=dataset.key[0]))
    elif dataset.key:
        expectations.append(critical("expect_compound_columns_to_be_unique", column_list=dataset.key))
    return {"name": "params.yaml", "expectations": expectations}


def _suite(document: dict[str, Any]) -> Any:
    gx = _great_expectations()
    logger = logging.getLogger("great_expectations.core.expectation_suite")
    logger.disabled = True  # it prints tracebacks for what becomes one sentence here
    try:
        return gx.ExpectationSuite(
            name=document.get("name", "suite"),
            expectations=document["expectations"],
            meta=document.get("meta"),
        )
    finally:
        logger.disabled = False


def _great_expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # on by default; reads it when imported
    import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells of its temporary folders
    return great_expectations


def _context() -> Any:
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context.data_sources.add_pandas("new").add_dataframe_asset("rows")


def _check(asset: Any, name: str, frame: pd.DataFrame, suite: dict[str, Any]) -> list[Finding]:
    batches = uuid.uuid4().hex  # GX refuses a name that it knows; two suites may share theirs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = asset.add_batch_definition_whole_dataframe(batches).get_batch({"dataframe": frame})
        outcome = batch.validate(
            _suite(suite), result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
        )
    return [_finding(name, frame, result.to_json_dict()) for result in outcome.results]


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
