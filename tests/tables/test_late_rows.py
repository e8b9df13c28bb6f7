"""Rows that come late join their month: corrected in place, or at its end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.convert import to_parquet
from incumbent.tables.late_rows import append_rows


def appended(folder: Path, before: pd.DataFrame, late: pd.DataFrame, *key: str) -> pa.Table:
    before.to_parquet(folder / "2025-01.parquet", index=False)
    late.to_parquet(folder / "late.parquet", index=False)
    append_rows(folder / "2025-01.parquet", folder / "late.parquet", folder / "out.parquet", list(key))
    return pq.read_table(folder / "out.parquet")


def test_a_known_key_is_corrected_in_place_and_a_new_one_comes_last(tmp_path: Path) -> None:
    before = pd.DataFrame({"k": [3, 1, 2], "x": ["c", "a", "b"]})
    table = appended(tmp_path, before, pd.DataFrame({"k": [9, 1], "x": ["new", "A"]}), "k")
    assert table.to_pydict() == {"k": [3, 1, 2, 9], "x": ["c", "A", "b", "new"]}


def test_rows_that_are_there_already_change_no_byte(tmp_path: Path) -> None:
    before = pd.DataFrame({"k": [3, 1, 2], "x": ["c", "a", "b"], "n": [1, 2, 3]})
    appended(tmp_path, before, before.tail(2).astype({"n": "float64", "x": "category"}), "k")
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "2025-01.parquet").read_bytes()


def test_late_rows_of_one_key_all_stay_for_the_gate_to_see(tmp_path: Path) -> None:
    late = pd.DataFrame({"k": [1, 1, 7, 7], "x": [10, 11, 70, 71]})
    table = appended(tmp_path, pd.DataFrame({"k": [1], "x": [0]}), late, "k")
    assert sorted(table["k"].to_pylist()) == [1, 1, 7, 7]


def test_a_key_of_several_columns_and_rows_without_a_key(tmp_path: Path) -> None:
    before = pd.DataFrame({"a": [1, 1], "b": ["x", "y"], "v": [1, 2]})
    late = pd.DataFrame({"a": [1, None], "b": ["y", None], "v": [3, 4]})
    table = appended(tmp_path, before, late, "a", "b")
    assert table["v"].to_pylist() == [1, 3, 4]


def test_columns_and_types_of_both_are_kept(tmp_path: Path) -> None:
    before = pd.DataFrame({"k": [1], "old": ["a"], "n": [1]})
    table = appended(tmp_path, before, pd.DataFrame({"k": [2], "n": [2.5], "new": [True]}), "k")
    assert table.to_pylist() == [
        {"k": 1, "old": "a", "n": 1.0, "new": None},
        {"k": 2, "old": None, "n": 2.5, "new": True},
    ]


def test_times_with_an_offset_join_those_with_a_zone(tmp_path: Path) -> None:
    times = pd.date_range("2025-01-01", periods=2, freq="h", tz="Europe/Berlin")
    pd.DataFrame({"k": [1, 2], "t": times}).to_parquet(tmp_path / "old.parquet", index=False)
    (tmp_path / "late.csv").write_text("k,t\n3,2025-01-01T02:00:00+01:00\n")
    to_parquet(tmp_path / "late.csv", tmp_path / "late.parquet", DatasetParams(name="d", target="y"))
    append_rows(tmp_path / "old.parquet", tmp_path / "late.parquet", tmp_path / "out.parquet", ["k"])
    joined = pd.read_parquet(tmp_path / "out.parquet")["t"]
    assert joined.tolist() == pd.date_range(times[0], periods=3, freq="h").tolist()


@pytest.mark.parametrize(
    ("late", "message"),
    [
        pytest.param(
            {"k": [1], "t": ["soon"]}, "late.parquet can't be added to the rows of 2025-01", id="text"
        ),
        pytest.param(
            {"k": [1], "t": pd.to_datetime(["2025-01-01"]).tz_localize("UTC")},
            "'t' has a time zone in one of them only",
            id="zone",
        ),
    ],
)
def test_types_that_have_no_value_in_common_are_refused(
    tmp_path: Path, late: dict[str, object], message: str
) -> None:
    before = pd.DataFrame({"k": [1], "t": pd.to_datetime(["2025-01-01"])})
    with pytest.raises(BadData, match=message):
        appended(tmp_path, before, pd.DataFrame(late), "k")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 20), unique=True), st.lists(st.integers(0, 20), unique=True, min_size=1))
def test_nothing_is_lost_doubled_or_out_of_date(
    tmp_path_factory: pytest.TempPathFactory, old: list[int], new: list[int]
) -> None:
    before = pd.DataFrame({"k": np.array(old, dtype="int64"), "x": "old"}).astype({"x": "str"})
    folder = tmp_path_factory.mktemp("late")
    table = appended(folder, before, pd.DataFrame({"k": new, "x": "new"}), "k").to_pydict()
    assert dict(zip(table["k"], table["x"], strict=True)) == dict.fromkeys(old, "old") | dict.fromkeys(
        new, "new"
    )
    assert len(table["k"]) == len({*old, *new})
