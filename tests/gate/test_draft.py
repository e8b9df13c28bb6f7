"""A drafted suite passes on the data that it came from, and blocks what is clearly otherwise."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes

from incumbent.gate import GateReport, Verdict
from incumbent.gate.check import gate_files
from incumbent.gate.draft import draft_suite
from incumbent.params import GateParams, Params
from tests.building import toy_params

FRAMES = data_frames(
    [
        column("number", elements=st.one_of(st.none(), st.floats(-1e300, 1e300)), dtype=object),
        column("whole", dtype=np.int64),
        column("text", elements=st.one_of(st.none(), st.sampled_from(["a", "b", "ü 'x'"])), dtype=object),
        column("flag", dtype=bool),
    ],
    index=range_indexes(min_size=1, max_size=30),
)


def checked(frames: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame] = ()) -> GateReport:
    """Draft from some frames; gate the others by it, or the same."""
    with tempfile.TemporaryDirectory() as name:
        folder, params = Path(name), toy_params()
        paths = [_write(folder, frame, f"d{place}") for place, frame in enumerate(frames)]
        suite = draft_suite(paths, params)
        gated = [_write(folder, frame, f"g{place}") for place, frame in enumerate(others)] or paths
        return gate_files([(path.name, path) for path in gated], [suite], params.dataset, GateParams())


# Great Expectations makes shrinking a matter of minutes.
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(FRAMES, min_size=1, max_size=2))
def test_a_draft_passes_on_its_own_data(frames: list[pd.DataFrame]) -> None:
    whole = [frame.assign(number=frame["number"].astype(float), y=1) for frame in frames]
    report = checked(whole)
    assert report.verdict is Verdict.PASS, report.reasons


def month(**changes: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"price": rng.uniform(0, 10, 500), "city": rng.choice(["Bern", "Graz"], 500)})
    return frame.assign(y=rng.integers(0, 2, 500), **changes)


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        pytest.param({}, Verdict.PASS, None, id="as before"),
        pytest.param({"price": 12.0}, Verdict.PASS, None, id="within the slack"),
        pytest.param({"price": 1e6}, Verdict.WARN, "max_to_be_between(column='price'", id="too much"),
        pytest.param({"price": -1.0}, Verdict.WARN, "min_to_be_between(column='price'", id="negative"),
        pytest.param({"city": "Ulm"}, Verdict.WARN, "be_in_set(column='city'", id="another text"),
        pytest.param({"city": None}, Verdict.BLOCK, "not_be_null(column='city'", id="empty"),
    ],
)
def test_what_is_otherwise_is_seen(changes: dict[str, Any], verdict: Verdict, reason: str | None) -> None:
    report = checked([month(), month()], [month(**changes)])
    assert report.verdict is verdict, report.reasons
    assert reason is None or any(reason in each for each in report.reasons)


def test_each_expectation_says_where_it_came_from(tmp_path: Path) -> None:
    params: Params = toy_params(dataset={"drop": ["city"]})
    suite = draft_suite([_write(tmp_path, month(), "2026-01")], params)
    assert all(
        "in 1 partitions, 2026-01 to 2026-01" in each["meta"]["notes"] for each in suite["expectations"]
    )
    assert {each["kwargs"].get("column") for each in suite["expectations"]} == {None, "price"}
    assert all(each["severity"] in ("critical", "warning") for each in suite["expectations"])


@pytest.mark.parametrize(
    ("key", "first", "drafted"),
    [
        pytest.param(["id"], 500, "expect_column_values_to_be_unique", id="one column"),
        pytest.param(["id", "city"], 500, "expect_compound_columns_to_be_unique", id="two columns"),
        pytest.param(["id"], 499, None, id="one key is in both partitions"),
        pytest.param([], 500, None, id="no key"),
    ],
)
def test_a_key_that_is_one_is_drafted(
    key: list[str], first: int, drafted: str | None, tmp_path: Path
) -> None:
    params = toy_params(dataset={"key": key})
    paths = [
        _write(tmp_path, month(id=np.arange(start, start + 500)), f"2026-0{place}")
        for place, start in enumerate((0, first), start=1)
    ]
    found = [each for each in draft_suite(paths, params)["expectations"] if "unique" in each["type"]]
    assert [each["type"] for each in found] == [drafted] * bool(drafted)
    assert all(each["severity"] == "critical" for each in found)


def _write(folder: Path, frame: pd.DataFrame, name: str) -> Path:
    frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder / f"{name}.parquet"
