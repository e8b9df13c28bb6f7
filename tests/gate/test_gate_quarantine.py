"""Rows that a quarantine expectation refuses are set aside with the reason; the rest is the partition."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from incumbent.errors import BadData, BadParams
from incumbent.gate import Verdict
from incumbent.gate.check import gate_files
from incumbent.gate.sift import FAILED, Sifted, put_back, sift, was_put_back, without_history
from incumbent.gate.suites import load_suites
from incumbent.tables.partitions import digest_of
from tests.building import toy_params

PARAMS = toy_params(dataset={"key": ["id"]}, gate={"max_quarantined": 0.1})
ROWS = 100


def expect(kind: str, quarantine: bool = True, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    meta = {"quarantine": True} if quarantine else {}
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity, "meta": meta}


def suite(*expectations: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "own", "expectations": list(expectations)}]


POSITIVE = expect("column_values_to_be_between", column="price", min_value=0)


def month(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "price": rng.uniform(1, 9, rows),
            "list": 10.0,
            "city": rng.choice(["Bern", "Graz"], rows),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="h"),
            "y": rng.integers(0, 2, rows).astype(float),
        }
    )


def spoiled(**cells: dict[int, Any]) -> pd.DataFrame:
    """A month with some cells changed: column={row: value}."""
    frame = month()
    for column, values in cells.items():
        for row, value in values.items():
            frame.loc[row, column] = value
    return frame


def sifted(frame: pd.DataFrame, folder: Path, *expectations: dict[str, Any]) -> Sifted:
    path = folder / "2026-01.parquet"
    frame.to_parquet(path, index=False)
    return sift(path.name, path, folder, suite(*expectations), PARAMS, without_history)


CASES = [
    pytest.param(POSITIVE, {"price": {3: -1.0, 40: -2.0}}, {3, 40}, id="between"),
    pytest.param(
        expect("column_values_to_be_in_set", column="city", value_set=["Bern", "Graz"]),
        {"city": {7: "Ulm"}},
        {7},
        id="in a set",
    ),
    pytest.param(
        expect("column_values_to_not_be_null", column="city"), {"city": {0: None}}, {0}, id="filled"
    ),
    pytest.param(
        expect("column_values_to_match_regex", column="city", regex="^[BG]"),
        {"city": {9: "?"}},
        {9},
        id="regex",
    ),
    pytest.param(
        expect("column_pair_values_a_to_be_greater_than_b", column_A="list", column_B="price"),
        {"price": {99: 11.0}},
        {99},
        id="a pair",
    ),
    pytest.param(
        expect("compound_columns_to_be_unique", column_list=["city", "at"]),
        {"city": {5: "Ulm", 6: "Ulm"}, "at": {5: pd.Timestamp(0), 6: pd.Timestamp(0)}},
        {5, 6},
        id="twice: all copies",
    ),
    pytest.param(
        expect("column_values_to_be_unique", column="id"), {"id": {5: 8}}, {5, 8}, id="the key, all copies"
    ),
    pytest.param(
        expect("column_values_to_not_be_null", column="y"), {"y": {4: np.nan}}, {4}, id="without a target"
    ),
    pytest.param(
        expect(
            "column_values_to_be_between", column="price", min_value=0,
            row_condition='city == "Ulm"', condition_parser="pandas",
        ),
        {"price": {1: -1.0, 2: -1.0}, "city": {1: "Bern", 2: "Ulm"}},
        {2},
        id="under a condition",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("expectation", "changes", "failing"), CASES)
def test_exactly_the_failing_rows_are_set_aside(
    expectation: dict[str, Any], changes: dict[str, dict[int, Any]], failing: set[int], tmp_path: Path
) -> None:
    frame = spoiled(**changes)
    done = sifted(frame, tmp_path, expectation)
    assert done.report.verdict is Verdict.QUARANTINE, done.report.reasons
    assert done.aside is not None
    aside, rest = pd.read_parquet(done.aside.path), pd.read_parquet(done.partition)
    pd.testing.assert_frame_equal(rest, frame.drop(index=list(failing)).reset_index(drop=True))
    pd.testing.assert_frame_equal(
        aside.drop(columns=FAILED), frame.loc[sorted(failing)].reset_index(drop=True)
    )
    assert aside[FAILED].str.startswith(expectation["type"]).all()
    assert (done.aside.rows, done.report.rows) == (len(failing), ROWS)
    assert done.partition.name == done.aside.path.name == "2026-01.parquet"


def test_a_row_that_fails_twice_is_set_aside_once_with_both_reasons(tmp_path: Path) -> None:
    cheap = expect("column_values_to_be_between", column="price", max_value=50.5)
    named = expect("column_values_to_not_be_null", column="city")
    done = sifted(spoiled(price={1: 1e6}, city={0: None, 1: None}), tmp_path, cheap, named)
    assert done.aside is not None
    told = pd.read_parquet(done.aside.path).set_index("id")[FAILED]
    assert told.to_dict() == {
        0: "expect_column_values_to_not_be_null(column='city')",
        1: "expect_column_values_to_be_between(column='price', max_value=50.5); " + told[0],
    }


def test_a_clean_partition_is_passed_on_as_it_is(tmp_path: Path) -> None:
    done = sifted(month(), tmp_path, POSITIVE)
    assert (done.partition, done.aside) == (tmp_path / "2026-01.parquet", None)
    assert done.report.verdict is Verdict.PASS


def test_more_rows_than_the_limit_block_the_file_with_the_figures(tmp_path: Path) -> None:
    broken = spoiled(price=dict.fromkeys(range(10), -1.0))
    assert sifted(broken, tmp_path, POSITIVE).report.verdict is Verdict.QUARANTINE  # a tenth is the limit
    broken.loc[50, "price"] = -1.0
    done = sifted(broken, tmp_path, POSITIVE)
    assert (done.report.verdict, done.aside) == (Verdict.BLOCK, None)
    assert done.report.reasons[0] == (
        "critical: 2026-01.parquet: gate.max_quarantined = 0.1 must be kept: "
        "11 of 100 rows (11.0%) would be set aside"
    )


def test_other_expectations_judge_what_remains(tmp_path: Path) -> None:
    broken = spoiled(price={1: -1e9})
    lowest = expect("column_min_to_be_between", quarantine=False, column="price", min_value=0)
    assert sifted(broken, tmp_path, POSITIVE, lowest).report.verdict is Verdict.QUARANTINE
    assert sifted(broken, tmp_path, lowest).report.verdict is Verdict.BLOCK
    highest = expect("column_max_to_be_between", quarantine=False, column="price", max_value=1)
    assert sifted(broken, tmp_path, POSITIVE, highest).report.verdict is Verdict.BLOCK


@pytest.mark.parametrize(("severity", "verdict"), [("critical", Verdict.BLOCK), ("warning", Verdict.WARN)])
def test_where_the_rows_cannot_be_told_the_severity_counts(
    severity: str, verdict: Verdict, tmp_path: Path
) -> None:
    absent = expect("column_values_to_not_be_null", severity=severity, column="nowhere")
    done = sifted(month(), tmp_path, absent)
    assert (done.report.verdict, done.aside) == (verdict, None)


def test_a_version_made_by_hand_keeps_its_rows_with_a_warning_and_is_blocked_beyond_the_limit(
    tmp_path: Path,
) -> None:
    path = tmp_path / "2026-01.parquet"
    for bad, verdict in ((3, Verdict.WARN), (30, Verdict.BLOCK)):
        spoiled(price=dict.fromkeys(range(bad), -1.0)).to_parquet(path)
        report = gate_files([(path.name, path)], suite(POSITIVE), PARAMS.dataset, PARAMS.gate)
        assert report.verdict is verdict, report.reasons


def test_a_name_that_quarantine_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=f"'{FAILED}', the name of what quarantine adds; rename it"):
        sifted(spoiled(price={1: -1.0}).assign(**{FAILED: 1}), tmp_path, POSITIVE)


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        pytest.param(
            expect("column_mean_to_be_between", column="price", min_value=0),
            "column_mean_to_be_between has meta.quarantine = True, but does not judge row by row",
            id="a figure of a column",
        ),
        pytest.param(
            expect("column_values_to_be_of_type", column="price", type_="float64"), "row by row", id="a type"
        ),
        pytest.param(expect("table_row_count_to_be_between", min_value=1), "row by row", id="of the table"),
        pytest.param(
            expect("column_values_to_be_between", column="price", min_value=0, mostly=0.9),
            "mostly = 0.9: every failing row is set aside",
            id="mostly",
        ),
        pytest.param({**POSITIVE, "meta": {"quarantine": "yes"}}, "it is true, or left out", id="a word"),
    ],
)
def test_quarantine_is_refused_where_no_row_can_be_set_aside(
    expectation: dict[str, Any], told: str, tmp_path: Path
) -> None:
    (tmp_path / "own.json").write_text(json.dumps(suite(expectation)[0]))
    with pytest.raises(BadParams, match=told):
        load_suites(tmp_path)


# Great Expectations makes shrinking a matter of minutes.
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(bad=st.sets(st.integers(0, 199), max_size=20))
def test_nothing_is_lost_the_same_bytes_come_out_and_all_can_be_put_back(
    bad: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folders = [tmp_path_factory.mktemp("sift") for _ in range(2)]
    frame = month(200).assign(price=lambda f: f["price"].mask(f["id"].isin(bad), -1.0))
    first, second = (sifted(frame, folder, POSITIVE) for folder in folders)
    assert digest_of(first.partition) == digest_of(second.partition)
    if first.aside is None or second.aside is None:
        assert not bad
        return
    assert digest_of(first.aside.path) == digest_of(second.aside.path)
    whole = folders[0] / "whole.parquet"
    put_back(first.partition, first.aside.path, whole)
    pd.testing.assert_frame_equal(
        pd.read_parquet(whole).sort_values("id", ignore_index=True),
        pd.read_parquet(folders[0] / "2026-01.parquet"),
    )
    assert pq.read_schema(whole) == pq.read_schema(folders[0] / "2026-01.parquet")
    assert was_put_back(whole, first.aside.path)
    assert not was_put_back(first.partition, first.aside.path)
