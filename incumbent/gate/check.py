"""Check partitions: first their columns, then every suite on their rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from incumbent.gate.contradictions import contradictions
from incumbent.gate.gx import Detail, expectations_of, judge, kwargs_of, question, sets_aside, validate
from incumbent.gate.learned_suite import judge_by_history, own_suites
from incumbent.gate.profile import AS_THEY_ARE
from incumbent.gate.report import PROBATION, QUARANTINE, Finding, GateReport
from incumbent.gate.statistics import measure_expectations
from incumbent.gate.suites import declared_suite
from incumbent.params import CleanParams, DatasetParams, GateParams
from incumbent.tables.columns import column_differences
from incumbent.tables.names import look_alikes
from incumbent.tables.parquet import read_partition, schema_of

EXAMPLES = 5
COLUMNS = ("column", "column_A", "column_B", "column_list")


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
        """The finding where no rows are set aside: a warning instead."""
        return replace(self.finding, severity="warning") if self.aside else self.finding


def gate_files(
    partitions: Sequence[tuple[str, Path]],
    suites: Sequence[dict[str, Any]],
    dataset: DatasetParams,
    limits: GateParams,
    judged: Collection[str] = (),
    clean: CleanParams = AS_THEY_ARE,
) -> GateReport:
    """Check each (name, Parquet file): first its columns by the footer alone, then, if they fit, its rows.

    Every suite is applied, and what params.yaml declares of the dataset. In memory are only those columns of
    one partition that fail or need pandas. The files stay whole: an expectation that would set rows aside
    on arrival is a warning, and blocks beyond the limit. judged: those that the history judged when
    they came; of others it judges texts as `clean` has them. Raises BadData for a file that can't be read.
    """
    reports = []
    for name, path in partitions:
        findings, results = column_findings(name, path, dataset), list[Judged]()
        if fits(findings):
            results = judge_rows(name, path, suites, dataset)
            findings += [*(each.whole for each in results), *beyond_limit(name, path, results, limits)]
            findings += contradictions(name, path, [each.result for each in results], dataset)
            if name not in judged:
                findings += judge_by_history(name, path, suites, dataset, clean=clean)
        rows = pq.ParquetFile(path).metadata.num_rows
        reports.append(GateReport(rows, tuple(findings), results_of(name, results)))
    return GateReport.of(reports).treating_suspicions(limits.suspicious)


def results_of(name: str, judged: Sequence[Judged]) -> dict[str, tuple[dict[str, Any], ...]]:
    """Great Expectations' results on a partition, for its report; empty when no row was read."""
    results = tuple(each.result for each in judged if each.result is not None)
    return {name: results} if results else {}


def column_findings(partition: str, path: Path, dataset: DatasetParams) -> list[Finding]:
    """Column names that are confusable, and differences from `dataset.columns`, by the footer alone."""
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
    observed = f"{aside:,} of {rows:,} rows ({aside / rows:.1%}) would be set aside"
    limit = f"gate.max_quarantined = {limits.max_quarantined} must be kept"
    return [Finding(name, limit, "critical", False, observed)]


def judge_rows(
    name: str, path: Path, suites: Sequence[dict[str, Any]], dataset: DatasetParams
) -> list[Judged]:
    """One for each expectation, first those that params.yaml implies.

    By statistics where these show that it passes, else by GX on the columns that it needs.
    """
    names = schema_of(path).names
    expectations = _expectations(own_suites(suites), dataset)
    results = dict(enumerate(judge_by_statistics(path, expectations)))
    left = [number for number, result in results.items() if result is None]
    for every_row in (False, True):
        if numbers := [number for number in left if sets_aside(expectations[number]) is every_row]:
            chosen = [expectations[number] for number in numbers]
            frame = read_partition(path, _needed(names, [question(each) for each in chosen]))
            detail: Detail = "COMPLETE" if every_row else "SUMMARY"
            results |= zip(numbers, validate(frame, chosen, EXAMPLES, detail), strict=True)
    return _judged(name, path, names, [result for result in results.values() if result])


def _expectations(suites: Sequence[dict[str, Any]], dataset: DatasetParams) -> list[Any]:
    """Declared and suites' expectations; a declared one that a suite repeats is left out."""
    own = [each for suite in suites for each in expectations_of(suite)]
    in_suites = [_identity(each) for each in own]
    return [
        each for each in expectations_of(declared_suite(dataset)) if _identity(each) not in in_suites
    ] + own


def _identity(expectation: Any) -> tuple[Any, ...]:
    severity = expectation.severity.value, sets_aside(expectation)
    return expectation.expectation_type, kwargs_of(expectation), severity


def judge_by_statistics(path: Path, expectations: Sequence[Any]) -> list[dict[str, Any] | None]:
    """GX's result for each expectation without a frame; None where GX must see the cells.

    That is: cells that fail, since GX names some of them, and values that pandas may read differently.
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
    """The columns that these expectations read; None for all, where that is unknown."""
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
    """The rows to set aside; empty where unknown, as without the column: then the severity counts."""
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
    success, observed = bool(result["success"]), _observed(kwargs, names, result)
    columns = [str(kwargs[key]) for key in COLUMNS if key in kwargs]
    about = f"{config['type']} of {', '.join(columns)}" if columns else config["type"]
    value = _value(result["result"] or {})
    return Finding(
        partition, described, _severity(result), success, observed, examples, about=about, value=value
    )


def _severity(result: dict[str, Any]) -> str:
    config = result["expectation_config"]
    if _aside(result):
        return QUARANTINE
    return PROBATION if config.get("meta", {}).get("probation") else str(config["severity"])


def _value(details: dict[str, Any]) -> float | None:
    """The share of cells that fail, or the observed value if that is a number."""
    if "unexpected_percent" in details:
        return float(details["unexpected_percent"] or 0.0) / 100
    observed = details.get("observed_value")
    if isinstance(observed, int | float | np.number) and np.isfinite(observed):
        return float(observed)
    return None


def _observed(kwargs: dict[str, Any], names: Sequence[str], result: dict[str, Any]) -> str:
    columns = [kwargs["column"]] if "column" in kwargs else kwargs.get("column_list", [])
    missing = [column for column in columns if column not in names]
    if missing:
        return f"no column {missing}; the file has {sorted(names)}"
    details = result["result"] or {}
    if "unexpected_percent" in details:
        examples = details.get("partial_unexpected_list", [])[:3]
        share = details["unexpected_percent"] or 0.0  # None when every cell is empty
        text = f"{details['unexpected_count']:,} of {details['element_count']:,} rows ({share:.1f} %)"
        return f"{text}, such as {examples}" if details["unexpected_count"] and any(examples) else text
    if "unexpected_count" in details:
        count, examples = details["unexpected_count"], details["partial_unexpected_list"][:3]
        return f"{count:,} other values" + (f", such as {examples}" if count else "")
    if "observed_value" in details:
        return f"observed {_short(details['observed_value'])}"
    if result["success"]:
        return "as expected"
    info = result["exception_info"]  # flat, or one entry per metric that could not be computed
    problems = [info] if "exception_message" in info else info.values()
    return "could not be checked: " + "; ".join(sorted({str(each["exception_message"]) for each in problems}))


def _short(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
