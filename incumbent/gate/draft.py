"""The first suite of a project's own: what nobody doubts. All else the gate learns (learned.py)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from incumbent.gate.wording import count
from incumbent.params import Params
from incumbent.tables.names import require_distinct
from incumbent.tables.parquet import schema_of


def draft_suite(paths: Sequence[Path], params: Params) -> dict[str, Any]:
    """A suite as GX serialises it, which all of these Parquet partitions pass; every expectation is critical.

    There are rows, and no key of dataset.key comes twice, if none does in these. What params.yaml declares is
    checked without a suite. Raises BadData for names that DuckDB does not distinguish.
    """
    for path in paths:
        require_distinct(schema_of(path).names, path.name)
    ends = " to ".join(dict.fromkeys((paths[0].stem, paths[-1].stem)))
    scope = f"in {count(len(paths), 'partition')}, {ends}"
    rows = _expectation("expect_table_row_count_to_be_between", "a partition has rows", min_value=1)
    return {
        "name": params.dataset.name,
        "expectations": [rows, *_unique_key(paths, params.dataset.key, scope)],
        "meta": {"notes": "drafted by incumbent; it is yours to edit, and stands above what the gate learns"},
    }


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
        yield _expectation("expect_column_values_to_be_unique", note, column=key[0])
    else:
        yield _expectation("expect_compound_columns_to_be_unique", note, column_list=list(key))


def _expectation(kind: str, note: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": "critical", "meta": {"notes": note}}
