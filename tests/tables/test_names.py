"""Columns whose names are taken for one another: refused wherever a file comes in, with both named."""

from pathlib import Path

import pandas as pd
import pytest

from incumbent.errors import BadData
from incumbent.gate import Verdict
from incumbent.gate.check import gate_files
from incumbent.gate.draft import draft_suite
from incumbent.params import DatasetParams, Params
from incumbent.tables.convert import to_parquet
from tests.building import changed

TOY = DatasetParams(name="toy", target="y")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("x1", "X1", id="case"),
        pytest.param("größe", "GRÖSSE", id="case beyond ASCII"),
        pytest.param("é", "e\u0301", id="one letter in two codes"),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz", "jsonl", "jsonl.gz"])
def test_names_that_differ_in_case_only_are_refused_with_both_named(
    tmp_path: Path, one: str, other: str, ending: str
) -> None:
    frame = pd.DataFrame({one: [1, 2], "y": [0, 1], other: [3, 4]})
    file = tmp_path / f"new.{ending}"
    if ending == "parquet":
        frame.to_parquet(file)
    elif ending.startswith("csv"):
        frame.to_csv(file, index=False)
    else:
        frame.to_json(file, orient="records", lines=True, force_ascii=False)
    with pytest.raises(BadData, match="rename one of the two") as refused:
        to_parquet(file, tmp_path / "made.parquet", TOY)
    assert repr(one) in str(refused.value)
    assert repr(other) in str(refused.value)
    assert not (tmp_path / "made.parquet").exists()


def test_rows_of_json_lines_may_not_differ_in_the_case_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text('{"x1": 1, "y": 0}\n{"X1": 2, "y": 1}\n')
    with pytest.raises(BadData, match="'X1' and 'x1'"):
        to_parquet(tmp_path / "new.jsonl", tmp_path / "made.parquet", TOY)


def test_a_name_that_ends_like_a_renamed_one_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text('{"x": 1, "X_1": 2, "y": 0}\n{"x": 1, "X_1": 3, "y": 1}\n')
    to_parquet(tmp_path / "new.jsonl", tmp_path / "made.parquet", TOY)
    assert list(pd.read_parquet(tmp_path / "made.parquet")) == ["x", "X_1", "y"]


def test_the_gate_judges_no_column_in_the_place_of_another(tmp_path: Path, quick_params: Params) -> None:
    path = tmp_path / "2025-01.parquet"
    pd.DataFrame({"x1": [1.0, 2.0], "X1": [99_999.0, 99_999.0], "y": [0, 1]}).to_parquet(path)
    below = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "X1", "max_value": 200}}
    suite = {"name": "toy", "expectations": [{**below, "severity": "critical"}]}
    params = changed(quick_params, dataset=TOY.model_dump())
    report = gate_files([(path.name, path)], [suite], params.dataset, params.gate)
    assert report.verdict is Verdict.BLOCK
    [reason] = report.reasons
    assert "'x1' and 'X1'" in reason
    with pytest.raises(BadData, match="'x1' and 'X1'"):
        draft_suite([path], params)
