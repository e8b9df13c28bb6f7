"""A gate that passes does without Great Expectations, and says what Great Expectations would have said."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.gate.check import EXAMPLES, judge_rows
from incumbent.gate.gx import data_docs, judge, question, suite_of
from incumbent.gate.plain import KINDS, plain
from incumbent.gate.statistics import measure_expectations
from incumbent.params import DatasetParams

ROOT = Path(__file__).parents[2]
TABLE = pd.DataFrame(
    {
        "id": np.arange(50),
        "day": [f"2024-01-{day % 28 + 1:02d}" for day in range(50)],
        "code": ["abc", "xyz"] * 25,
        "price": [*np.linspace(0.5, 99.5, 49), np.nan],
        "little": np.arange(50, dtype=np.int32),
        "late": [True, False] * 25,
        "größe": np.linspace(-1, 1, 50, dtype=np.float32),
    }
)


def expectation(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity, "meta": {"notes": "a note"}}


PASSING = [
    expectation("table_row_count_to_be_between", min_value=1),
    expectation("table_row_count_to_be_between", max_value=50, severity="warning"),
    expectation("table_columns_to_match_set", column_set=[*reversed(TABLE.columns)], exact_match=True),
    expectation("column_to_exist", column="größe"),
    expectation("column_values_to_not_be_null", column="code"),
    expectation("column_values_to_not_be_null", column="price", mostly=0.9, severity="warning"),
    expectation("column_values_to_be_unique", column="id"),
    expectation("compound_columns_to_be_unique", column_list=["id", "code"]),
    expectation("column_values_to_be_in_set", column="code", value_set=["abc", "xyz", "not there"]),
    expectation("column_value_lengths_to_equal", column="code", value=3),
    expectation("column_values_to_be_between", column="price", min_value=0, max_value=100),
    expectation("column_values_to_be_between", column="id", min_value=0),
    expectation("column_min_to_be_between", column="id", min_value=0, max_value=5, severity="info"),
    expectation("column_max_to_be_between", column="price", max_value=100),
    expectation("column_mean_to_be_between", column="price", min_value=10, max_value=90.5),
    expectation("column_mean_to_be_between", column="late", min_value=0, max_value=1),
    expectation("column_values_to_be_of_type", column="code", type_="str"),
    expectation("column_values_to_be_of_type", column="late", type_="bool"),
    expectation("column_values_to_be_in_type_list", column="little", type_list=["int64", "int32"]),
    expectation("column_values_to_be_in_type_list", column="größe", type_list=["float32", "float64"]),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    TABLE.to_parquet(tmp_path / "rows.parquet", index=False)
    return tmp_path / "rows.parquet"


def judged_alone(file: Path, document: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a plain expectation where Great Expectations is not asked."""
    known = plain({"expectations": [document]})
    assert known is not None
    [metrics] = measure_expectations(file, [question(known[0])])
    return metrics and known[0].passed(metrics)


def judged_by_gx(file: Path, document: dict[str, Any]) -> dict[str, Any]:
    [own] = suite_of({"expectations": [document]}).expectations
    [metrics] = measure_expectations(file, [question(own)])
    assert metrics is not None
    result = judge(own, metrics, EXAMPLES)
    assert result is not None
    return result


@pytest.mark.parametrize("document", PASSING, ids=lambda each: f"{each['type']} {each['kwargs']}"[7:70])
def test_what_passes_has_great_expectations_own_result(file: Path, document: dict[str, Any]) -> None:
    alone, own = judged_alone(file, document), judged_by_gx(file, document)
    assert alone == own
    assert json.dumps(alone, sort_keys=True) == json.dumps(own, sort_keys=True)


def test_all_kinds_are_tried() -> None:
    assert {each["type"] for each in PASSING} == set(KINDS)


@pytest.mark.parametrize(
    "document",
    [
        expectation("table_row_count_to_be_between", min_value=51),
        expectation("table_columns_to_match_set", column_set=["id", "code"]),
        expectation("column_to_exist", column="gone"),
        expectation("column_values_to_not_be_null", column="price"),
        expectation("column_values_to_not_be_null", column="price", mostly=0.99),
        expectation("column_values_to_be_unique", column="code"),
        expectation("compound_columns_to_be_unique", column_list=["code", "late"]),
        expectation("column_values_to_be_in_set", column="code", value_set=["abc", "x"]),
        expectation("column_value_lengths_to_equal", column="code", value=2),
        expectation("column_values_to_be_between", column="price", min_value=1),
        expectation("column_max_to_be_between", column="price", max_value=99),
        expectation("column_values_to_be_of_type", column="code", type_="int64"),
        expectation("column_values_to_be_in_type_list", column="late", type_list=["int64", "int32"]),
    ],
    ids=lambda each: each["type"],
)
def test_what_fails_is_reported_by_great_expectations(file: Path, document: dict[str, Any]) -> None:
    assert judged_alone(file, document) is None
    dataset = DatasetParams(name="toy", target="late")
    found = judge_rows("rows.parquet", file, [{"name": "own", "expectations": [document]}], dataset)
    assert [each.finding.success for each in found] == [True, False]


@pytest.mark.parametrize(
    "document",
    [
        expectation("column_values_to_be_unique", column="code", mostly=0.9),
        expectation("column_values_to_not_be_null", column="code", mostly=2),
        expectation("column_values_to_be_between", column="price", min_value=5, max_value=1),
        expectation("column_values_to_be_between", column="price"),
        expectation("column_values_to_be_between", column="day", min_value="2024-01-01"),
        expectation("table_row_count_to_be_between"),
        expectation("table_row_count_to_be_between", min_value=True),
        expectation("column_values_to_be_in_set", column="code", value_set=[1, 2]),
        expectation("column_to_exist"),
        expectation("column_median_to_be_between", column="price", min_value=1),
        {**expectation("column_to_exist", column="id"), "severity": "fatal"},
        {**expectation("column_to_exist", column="id"), "notes": "of its own"},
        {**expectation("column_values_to_not_be_null", column="id"), "meta": {"quarantine": True}},
        {**expectation("column_values_to_not_be_null", column="id"), "meta": {"probation": True}},
    ],
    ids=lambda each: f"{each['type']} {each['kwargs']}"[7:70],
)
def test_what_is_not_plain_is_great_expectations_to_read(document: dict[str, Any]) -> None:
    assert plain({"expectations": [PASSING[0], document]}) is None


def test_data_docs_show_what_passed_beside_what_failed(file: Path) -> None:
    failing = expectation("column_values_to_be_in_set", column="code", value_set=["abc", "x"])
    suite = {"name": "own", "expectations": [*PASSING, failing]}
    judged = judge_rows("rows.parquet", file, [suite], DatasetParams(name="toy", target="late"))
    page = data_docs("rows, run 7", [each.result for each in judged if each.result])
    assert "Validation" in page
    assert "größe" in page
    assert "xyz" in page


def test_a_gate_that_passes_does_not_import_great_expectations(file: Path) -> None:
    code = f"""
import json, sys
from pathlib import Path
from incumbent.gate.check import judge_rows
from incumbent.params import DatasetParams
suite = {{"name": "own", "expectations": json.loads({json.dumps(json.dumps(PASSING))})}}
judged = judge_rows("rows.parquet", Path({str(file)!r}), [suite], DatasetParams(name="toy", target="late"))
assert all(each.finding.success for each in judged)
assert "great_expectations" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
