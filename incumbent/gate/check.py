"""Check partitions: first their columns, then every suite on their rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from incumbent.columns import ColumnDifference, column_differences, schema_of
from incumbent.gate.gx import expectations_of, judge, question, validate
from incumbent.gate.report import Finding, GateReport
from incumbent.gate.statistics import measure
from incumbent.gate.suites import declared_suite
from incumbent.gate.table import ambiguous
from incumbent.params import DatasetParams
from incumbent.rows import read_partition

EXAMPLES = 5


def gate_files(
    partitions: Sequence[tuple[str, Path]], suites: Sequence[dict[str, Any]], dataset: DatasetParams
) -> GateReport:
    """Check each (name, Parquet file): first its columns by the footer alone, then, if they fit, its rows.

    Every suite is applied, and what params.yaml says of the dataset. Of one partition at a time there are
    only those columns in memory which fail or need pandas.
    Raises BadData for a file that can't be read.
    """
    reports = []
    for name, path in partitions:
        differences = column_differences(path, dataset)
        reports.append(GateReport(0, tuple(_of_columns(name, difference) for difference in differences)))
        if all(difference.harmless for difference in differences):
            reports.append(_check(name, path, [declared_suite(dataset), *suites]))
        reports.append(GateReport(pq.ParquetFile(path).metadata.num_rows, ()))
    return GateReport.together(reports)


def _of_columns(partition: str, difference: ColumnDifference) -> Finding:
    severity = "warning" if difference.harmless else "critical"
    return Finding(
        partition, f"column '{difference.column}' is as declared", severity, False, difference.text
    )


def _check(name: str, path: Path, suites: Sequence[dict[str, Any]]) -> GateReport:
    """By statistics where they tell that all is well, else by GX on the columns that it needs."""
    names = schema_of(path).names
    expectations = [each for suite in suites for each in expectations_of(suite)]
    results = dict(enumerate(judge_by_statistics(path, expectations)))
    left = [place for place, result in results.items() if result is None]
    if left:
        frame = read_partition(path, _needed(names, [question(expectations[place]) for place in left]))
        results |= zip(left, validate(frame, [expectations[place] for place in left], EXAMPLES), strict=True)
    seen = tuple(result for result in results.values() if result)
    return GateReport(0, tuple(_findings(name, path, names, seen)), {name: seen})


def judge_by_statistics(path: Path, expectations: Sequence[Any]) -> list[dict[str, Any] | None]:
    """GX's result for each expectation without a frame; None where GX must see the cells.

    That is: cells that fail, since it names some of them, and whatever pandas may see otherwise than DuckDB.
    """
    measured = measure(path, [question(expectation) for expectation in expectations])
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
    if ambiguous(names):
        return None
    wanted: set[str] = set()
    for _, arguments in questions:
        columns = {arguments[key] for key in ("column", "column_A", "column_B") if key in arguments}
        columns |= set(arguments.get("column_list") or ())
        if not columns or arguments.get("row_condition") is not None:
            return None
        wanted |= columns
    return [name for name in names if name in wanted] or list(names[:1])


def _findings(
    name: str, path: Path, names: Sequence[str], results: Sequence[dict[str, Any]]
) -> list[Finding]:
    examples = [() if result["success"] else _positions(result) for result in results]
    rows = _rows(path, names, sorted({position for each in examples for position in each}))
    return [
        _finding(name, names, result, tuple(rows[position] for position in positions))
        for result, positions in zip(results, examples, strict=True)
    ]


def _positions(result: dict[str, Any]) -> Sequence[int]:
    positions = (result["result"] or {}).get("partial_unexpected_index_list") or []
    return tuple(positions[:EXAMPLES])


def _rows(path: Path, names: Sequence[str], positions: Sequence[int]) -> dict[int, dict[str, str]]:
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
    return Finding(partition, described, config["severity"], success, observed, examples)


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
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
