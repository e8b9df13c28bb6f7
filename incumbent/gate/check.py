"""Check partitions: first their columns, then every suite on their rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from incumbent.gate.contradictions import contradictions
from incumbent.gate.gx import Detail, expectations_of, judge, question, sets_aside, validate
from incumbent.gate.report import QUARANTINE, Finding, GateReport
from incumbent.gate.statistics import measure_expectations
from incumbent.gate.suites import declared_suite
from incumbent.params import DatasetParams, GateParams
from incumbent.tables.columns import column_differences
from incumbent.tables.names import look_alikes
from incumbent.tables.parquet import read_partition, schema_of

EXAMPLES = 5


@dataclass(frozen=True)
class Judged:
    """An expectation on a partition; `aside`: the positions of the rows that it sends to quarantine.

    `result` is Great Expectations' own, None where it was not asked.
    """

    finding: Finding
    aside: tuple[int, ...] = ()
    result: dict[str, Any] | None = None

    @property
    def whole(self) -> Finding:
        """What it says of a file from which no row is taken."""
        return replace(self.finding, severity="warning") if self.aside else self.finding


def gate_files(
    partitions: Sequence[tuple[str, Path]],
    suites: Sequence[dict[str, Any]],
    dataset: DatasetParams,
    limits: GateParams,
) -> GateReport:
    """Check each (name, Parquet file): first its columns by the footer alone, then, if they fit, its rows.

    Every suite is applied, and what params.yaml says of the dataset. Of one partition at a time there are
    only those columns in memory which fail or need pandas. The files stay whole: what would set rows aside
    on arrival is a warning, and blocks beyond the limit. Raises BadData for a file that can't be read.
    """
    reports = []
    for name, path in partitions:
        findings, judged = column_findings(name, path, dataset), list[Judged]()
        if fits(findings):
            judged = judge_rows(name, path, suites, dataset)
            findings += [*(each.whole for each in judged), *beyond_limit(name, path, judged, limits)]
            findings += contradictions(name, path, [each.result for each in judged], dataset)
        rows = pq.ParquetFile(path).metadata.num_rows
        reports.append(GateReport(rows, tuple(findings), results_of(name, judged)))
    return GateReport.of(reports)


def results_of(name: str, judged: Sequence[Judged]) -> dict[str, tuple[dict[str, Any], ...]]:
    """Great Expectations' results on a partition, for its report; empty when no row was read."""
    results = tuple(each.result for each in judged if each.result is not None)
    return {name: results} if results else {}


def column_findings(partition: str, path: Path, dataset: DatasetParams) -> list[Finding]:
    """Names that are taken for one another, and what differs from `dataset.columns`, by the footer alone."""
    alike = [
        Finding(
            partition,
            f"column '{other}' must have a name of its own",
            "critical",
            False,
            f"'{one}' and '{other}' differ in case only or look alike; rename one of the two",
        )
        for one, other in look_alikes(schema_of(path).names)
    ]
    return alike + [
        Finding(
            partition,
            f"column '{difference.column}' {'should' if difference.harmless else 'must'} be as declared",
            "warning" if difference.harmless else "critical",
            False,
            difference.text,
        )
        for difference in column_differences(path, dataset)
    ]


def fits(columns: Sequence[Finding]) -> bool:
    """May the rows be read?"""
    return all(finding.severity != "critical" for finding in columns)


def beyond_limit(name: str, path: Path, judged: Sequence[Judged], limits: GateParams) -> list[Finding]:
    """One critical finding if more rows would be set aside than the limit allows."""
    rows, aside = pq.read_metadata(path).num_rows, len({row for each in judged for row in each.aside})
    if aside <= limits.max_quarantined * rows:
        return []
    seen = f"{aside:,} of {rows:,} rows ({aside / rows:.1%}) would be set aside"
    limit = f"gate.max_quarantined = {limits.max_quarantined} must be kept"
    return [Finding(name, limit, "critical", False, seen)]


def judge_rows(
    name: str, path: Path, suites: Sequence[dict[str, Any]], dataset: DatasetParams
) -> list[Judged]:
    """One for each expectation, first those that params.yaml implies.

    By statistics where they tell that all is well, else by GX on the columns that it needs.
    """
    names = schema_of(path).names
    expectations = _expectations(suites, dataset)
    results = dict(enumerate(judge_by_statistics(path, expectations)))
    left = [place for place, result in results.items() if result is None]
    for every_row in (False, True):
        if places := [place for place in left if sets_aside(expectations[place]) is every_row]:
            asked = [expectations[place] for place in places]
            frame = read_partition(path, _needed(names, [question(each) for each in asked]))
            detail: Detail = "COMPLETE" if every_row else "SUMMARY"
            results |= zip(places, validate(frame, asked, EXAMPLES, detail), strict=True)
    return _judged(name, path, names, [result for result in results.values() if result])


def _expectations(suites: Sequence[dict[str, Any]], dataset: DatasetParams) -> list[Any]:
    """Each once: what a suite says in the same words is not said again."""
    own = [each for suite in suites for each in expectations_of(suite)]
    said = [_words(each) for each in own]
    return [each for each in expectations_of(declared_suite(dataset)) if _words(each) not in said] + own


def _words(expectation: Any) -> tuple[Any, ...]:
    severity = expectation.severity, sets_aside(expectation)
    return expectation.expectation_type, expectation.configuration.to_json_dict()["kwargs"], severity


def judge_by_statistics(path: Path, expectations: Sequence[Any]) -> list[dict[str, Any] | None]:
    """GX's result for each expectation without a frame; None where GX must see the cells.

    That is: cells that fail, since it names some of them, and whatever pandas may see otherwise than DuckDB.
    """
    measured = measure_expectations(path, [question(expectation) for expectation in expectations])
    results = [
        None if metrics is None else judge(expectation, metrics, EXAMPLES)
        for expectation, metrics in zip(expectations, measured, strict=True)
    ]
    return [result if result and (result["success"] or _of_table(result)) else None for result in results]


def _of_table(result: dict[str, Any]) -> bool:
    kind = result["expectation_config"]["type"]
    return kind.startswith("expect_table_") or kind == "expect_column_to_exist"


def _needed(names: Sequence[str], questions: Sequence[tuple[str, dict[str, Any]]]) -> list[str] | None:
    """The columns that these expectations look at; None for all, where that can't be told."""
    wanted: set[str] = set()
    for _, arguments in questions:
        columns = {arguments[key] for key in ("column", "column_A", "column_B") if key in arguments}
        columns |= set(arguments.get("column_list") or ())
        if not columns or arguments.get("row_condition") is not None:
            return None
        wanted |= columns
    return [name for name in names if name in wanted] or list(names[:1])


def _judged(name: str, path: Path, names: Sequence[str], results: Sequence[dict[str, Any]]) -> list[Judged]:
    examples = [() if result["success"] else _positions(result) for result in results]
    rows = some_rows(path, names, sorted({position for each in examples for position in each}))
    return [
        Judged(
            _finding(name, names, result, tuple(rows[position] for position in positions)),
            _aside(result),
            result,
        )
        for result, positions in zip(results, examples, strict=True)
    ]


def _aside(result: dict[str, Any]) -> tuple[int, ...]:
    """None where the rows can't be told, as without the column: then the severity counts."""
    if result["success"] or not result["expectation_config"].get("meta", {}).get("quarantine"):
        return ()
    return tuple((result["result"] or {}).get("unexpected_index_list") or ())


def _positions(result: dict[str, Any]) -> Sequence[int]:
    positions = (result["result"] or {}).get("partial_unexpected_index_list") or []
    return tuple(positions[:EXAMPLES])


def some_rows(path: Path, names: Sequence[str], positions: Sequence[int]) -> dict[int, dict[str, str]]:
    """Some rows as text, read column by column."""
    rows: dict[int, dict[str, str]] = {position: {} for position in positions}
    if positions:
        for name in names:
            cells = read_partition(path, [name])[name]
            for position in positions:
                rows[position][name] = str(cells.iat[position])
    return rows


def _finding(
    partition: str, names: Sequence[str], result: dict[str, Any], examples: tuple[dict[str, str], ...]
) -> Finding:
    config = result["expectation_config"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    described = f"{config['type']}({', '.join(f'{k}={_short(v)}' for k, v in kwargs.items())})"
    severity = QUARANTINE if _aside(result) else config["severity"]
    success, observed = bool(result["success"]), _observed(kwargs, names, result)
    return Finding(partition, described, severity, success, observed, examples)


def _observed(kwargs: dict[str, Any], names: Sequence[str], result: dict[str, Any]) -> str:
    columns = [kwargs["column"]] if "column" in kwargs else kwargs.get("column_list", [])
    missing = [column for column in columns if column not in names]
    if missing:
        return f"no column {missing}; the file has {sorted(names)}"
    seen = result["result"] or {}
    if "unexpected_percent" in seen:
        examples = seen.get("partial_unexpected_list", [])[:3]
        share = seen["unexpected_percent"] or 0.0  # None when every cell is empty
        text = f"{seen['unexpected_count']:,} of {seen['element_count']:,} rows ({share:.1f} %)"
        return f"{text}, such as {examples}" if seen["unexpected_count"] and any(examples) else text
    if "unexpected_count" in seen:
        count, examples = seen["unexpected_count"], seen["partial_unexpected_list"][:3]
        return f"{count:,} other values" + (f", such as {examples}" if count else "")
    if "observed_value" in seen:
        return f"observed {_short(seen['observed_value'])}"
    info = result["exception_info"]  # flat, or one entry per metric that could not be computed
    problems = [info] if "exception_message" in info else info.values()
    return "could not be checked: " + "; ".join(sorted({str(each["exception_message"]) for each in problems}))


def _short(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
