"""A first suite of expectations, drafted from data that a person considers good.

Every limit has slack, and a note with the observed values. Bounds are of the smallest and the greatest value,
not of every cell: Great Expectations judges those many times faster.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from incumbent.params import Params
from incumbent.tables.columns import Kind, columns_of
from incumbent.tables.names import require_distinct
from incumbent.tables.parquet import schema_of

MAX_SET = 20  # more different texts are no fixed set
SLACK = 0.25  # of the range, beyond both ends
ROWS_FACTOR = 5


def draft_suite(paths: Sequence[Path], params: Params) -> dict[str, Any]:
    """A suite as GX serialises it, which all of these Parquet partitions pass. Reads all rows, in one pass.

    critical: columns that were never or seldom empty, and rows at all. warning: ranges of numbers, sets of
    texts, the number of rows. What params.yaml declares is checked without a suite,
    and columns that it drops are left alone. Raises BadData for names that DuckDB does not distinguish.
    """
    for path in paths:
        require_distinct(schema_of(path).names, path.name)
    skipped = {params.dataset.target, *params.dataset.drop}
    kinds = {name: kind for name, kind in _common(paths).items() if name not in skipped}
    partitions = [_measure(path, kinds) for path in paths]
    scope = f"in {len(paths)} partitions, {paths[0].stem} to {paths[-1].stem}"
    expectations = [_row_count([rows for rows, _ in partitions], scope)]
    expectations += _unique_key(paths, params.dataset.key, scope)
    for name in kinds:
        expectations += _of_column(name, [(rows, columns[name]) for rows, columns in partitions], scope)
    return {
        "name": params.dataset.name,
        "expectations": expectations,
        "meta": {"notes": f"drafted by incumbent from what it saw {scope}; it is yours to edit"},
    }


def _common(paths: Sequence[Path]) -> dict[str, Kind | None]:
    """The columns that all partitions have, and their kind; None where it is not one."""
    held = [columns_of(path) for path in paths]
    of_all = {name: {columns[name] for columns in held if columns.get(name)} for name in held[-1]}
    return {
        name: kinds.pop() if len(kinds) == 1 else None
        for name, kinds in of_all.items()
        if all(name in columns for columns in held)
    }


def _measure(path: Path, kinds: Mapping[str, Kind | None]) -> tuple[int, dict[str, dict[str, Any]]]:
    """Rows, and of each column: cells that are `filled`, `low` and `high` of numbers, some `texts`."""
    import duckdb

    with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
        database.execute("SET enable_progress_bar = false")
        file = database.read_parquet(str(path))
        wanted = {name: _statistics(name, kind) for name, kind in kinds.items() if name in file.columns}
        cells = [expression for each in wanted.values() for expression in each.values()]
        [(rows, *values)] = file.aggregate(", ".join(["count(*)", *cells])).fetchall()
    rest = iter(values)
    columns = {name: {what: next(rest) for what in each} for name, each in wanted.items()}
    return rows, {name: columns.get(name, {"filled": 0}) for name in kinds}


def _statistics(name: str, kind: Kind | None) -> dict[str, str]:
    column = '"' + name.replace('"', '""') + '"'
    if kind == "number":
        number = f"CAST({column} AS DOUBLE)"
        return {
            "filled": f"count({column}) FILTER (NOT isnan({number}))",
            "low": f"min({number}) FILTER (isfinite({number}))",
            "high": f"max({number}) FILTER (isfinite({number}))",
        }
    if kind == "text":
        return {"filled": f"count({column})", "texts": f"list(DISTINCT {column})[:{MAX_SET + 2}]"}
    return {"filled": f"count({column})"}


def _of_column(
    name: str, partitions: Sequence[tuple[int, dict[str, Any]]], scope: str
) -> Iterator[dict[str, Any]]:
    worst = max(1 - statistics["filled"] / rows for rows, statistics in partitions)
    filled = math.floor((1 - worst - max(0.01, worst / 2)) * 1000) / 1000
    if filled > 0:
        yield _expectation(
            "expect_column_values_to_not_be_null", "critical", f"{worst:.1%} empty at most {scope}",
            column=name, mostly=filled,
        )  # fmt: skip
    lows = [statistics["low"] for _, statistics in partitions if statistics.get("low") is not None]
    highs = [statistics["high"] for _, statistics in partitions if statistics.get("high") is not None]
    if len(lows) == len(partitions):  # the least of no values is none, which fails
        low, high = min(lows), max(highs)
        slack = SLACK * (high - low) or abs(high) or 1.0
        note = f"{low:g} to {high:g} {scope}"
        least = 0.0 if low >= 0 else low - slack
        yield _expectation("expect_column_min_to_be_between", "warning", note, column=name, min_value=least)
        yield _expectation(
            "expect_column_max_to_be_between", "warning", note, column=name, max_value=high + slack
        )
    texts = {
        text for _, statistics in partitions for text in statistics.get("texts") or () if text is not None
    }
    if 0 < len(texts) <= MAX_SET:
        yield _expectation(
            "expect_column_values_to_be_in_set", "warning", f"{len(texts)} different texts {scope}",
            column=name, value_set=sorted(texts), mostly=0.99,
        )  # fmt: skip


def _row_count(rows: Sequence[int], scope: str) -> dict[str, Any]:
    return _expectation(
        "expect_table_row_count_to_be_between", "warning", f"{min(rows):,} to {max(rows):,} rows {scope}",
        min_value=max(1, min(rows) // ROWS_FACTOR), max_value=max(rows) * ROWS_FACTOR,
    )  # fmt: skip


def _unique_key(paths: Sequence[Path], key: Sequence[str], scope: str) -> Iterator[dict[str, Any]]:
    """Also across partitions; nothing if it is not, as then it is none."""
    import duckdb

    if not key:
        return
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in key)
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
        database.execute("SET enable_progress_bar = false")
        rows = database.read_parquet([str(path) for path in paths], union_by_name=True)
        [(repeated,)] = rows.aggregate(f"count(*) - count(DISTINCT ({columns}))").fetchall()
    if repeated:
        return
    note = f"no key twice {scope}; on arrival also none of another partition"
    if len(key) == 1:
        yield _expectation("expect_column_values_to_be_unique", "critical", note, column=key[0])
    else:
        yield _expectation("expect_compound_columns_to_be_unique", "critical", note, column_list=list(key))


def _expectation(kind: str, severity: str, note: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"notes": note}}
