"""What Great Expectations' classes ask of a partition, computed by DuckDB without a frame in memory."""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.gate.plans import PLANS
from incumbent.gate.table import Answers, Arguments, ByValue, Metrics, NeedsPandas, Query, Table


def measure_expectations(path: Path, expectations: Sequence[tuple[str, Arguments]]) -> list[Metrics | None]:
    """For each (type, arguments) the metrics that GX judges by; None where only pandas can tell.

    None also where some cells fail the expectation: only pandas reports which ones.
    """
    import duckdb

    try:
        table = Table(path)
        plans = [_plan(table, kind, arguments) for kind, arguments in expectations]
        answers = _ask(path, table, [plan for plan in plans if plan])
    except (NeedsPandas, duckdb.Error, pa.ArrowException, OSError):
        return [None] * len(expectations)
    return [None if plan is None else _metrics(plan, answers) for plan in plans]


def _plan(table: Table, kind: str, arguments: Arguments) -> Query | None:
    if kind not in PLANS or arguments.get("row_condition") is not None:
        return None
    try:
        return PLANS[kind](table, arguments)
    except (NeedsPandas, KeyError, TypeError):  # the latter for a suite's $PARAMETER in place of a value
        return None


def _metrics(plan: Query, answers: Answers) -> Metrics | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of infinities in a deviation
            return plan.metrics(answers)
    except NeedsPandas:
        return None


def _ask(path: Path, table: Table, plans: Sequence[Query]) -> Answers:
    import duckdb

    columns = table.columns.values()
    cells = f"""
        WITH cells AS NOT MATERIALIZED (
            SELECT {", ".join(column.cells for column in columns)}
            FROM read_parquet(?, hive_partitioning = false) AS file({", ".join(c.sql for c in columns)})
        )
    """  # noqa: S608
    of_rows: dict[str, None] = {"count(*)": None}
    of_values = defaultdict[str, dict[ByValue, None]](dict)
    for each in (ask for plan in plans for ask in plan.asks):
        if isinstance(each, ByValue):
            of_values[each.column][each] = None
        else:
            of_rows[each] = None
    config = {"threads": 1, "memory_limit": "1GB", "autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as database:
        database.execute("SET enable_progress_bar = false")
        # The cells count, not what the file's footer says of them.
        database.execute("SET disabled_optimizers = 'statistics_propagation'")

        def ask(query: str) -> list[Any]:
            return database.execute(f"{cells} {query}", [str(path)]).fetchall()

        [totals] = ask(f"SELECT {', '.join(of_rows)} FROM cells")  # noqa: S608
        answers: dict[Any, Any] = dict(zip(of_rows, totals, strict=True))
        for column, counts in of_values.items():
            values = f"(SELECT {column}, count(*) AS many FROM cells GROUP BY {column})"  # noqa: S608
            [totals] = ask(f"SELECT {', '.join(each.sql for each in counts)} FROM {values}")  # noqa: S608
            answers |= zip(counts, totals, strict=True)
        for different in dict.fromkeys(each for plan in plans for each in plan.different):
            # What ascends, as ids and times do, needs no table of all that was there.
            answers[different] = (
                ask(different.count)[0][0] if ask(different.disorder) else answers[different.among]
            )
    if answers["count(*)"] != pq.read_metadata(path).num_rows:  # a name with * is a pattern to DuckDB
        raise NeedsPandas
    return answers
