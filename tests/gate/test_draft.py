"""A drafted suite passes on its own data, blocks doubled keys, and leaves the rest to history."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadData
from incumbent.gate import GateReport, Verdict
from incumbent.gate.draft import draft_suite
from incumbent.gate.learned import learned_from
from incumbent.gate.learned_suite import to_suite
from incumbent.gate.profile import profile
from incumbent.gate.version import gate_version
from tests.building import toy_params

MONTHS = [f"2026-0{month}" for month in range(1, 7)]


def month(start: int = 0, rows: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(start)
    frame = pd.DataFrame({"id": np.arange(start, start + rows), "price": rng.uniform(0, 10, rows)})
    return frame.assign(city=rng.choice(["Bern", "Graz"], rows), y=rng.integers(0, 2, rows))


def written(folder: Path, frame: pd.DataFrame, name: str) -> Path:
    frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder / f"{name}.parquet"


def drafted(folder: Path, new: pd.DataFrame | None, key: list[str], *, learn: bool = False) -> GateReport:
    """Draft from six months, and learn; gate another by it, or the same."""
    params = toy_params(dataset={"key": key})
    paths = [written(folder, month(500 * place), name) for place, name in enumerate(MONTHS)]
    suites = [draft_suite(paths, params)]
    if learn:
        past = {path.name: profile(path, params.dataset, params.task) for path in paths}
        suites.append(to_suite("toy", learned_from(past, params.gate.false_alarms, 12), params.task))
    gated = paths if new is None else [written(folder, new, "2026-07")]
    return gate_version([(path.name, path) for path in gated], suites, params)


@pytest.mark.parametrize("learn", [False, True])
def test_a_draft_passes_on_its_own_data(tmp_path: Path, learn: bool) -> None:
    report = drafted(tmp_path, None, ["id"], learn=learn)
    assert report.verdict is Verdict.PASS, report.reasons


def test_a_key_that_comes_twice_blocks_and_no_rows_are_refused(tmp_path: Path) -> None:
    report = drafted(tmp_path, month(9000).assign(id=np.arange(500) // 2), ["id"])
    assert report.verdict is Verdict.BLOCK
    assert any("expect_column_values_to_be_unique(column='id')" in each for each in report.reasons)
    with pytest.raises(BadData, match="has columns but no rows"):
        drafted(tmp_path, month(9000).head(0), ["id"])


@pytest.mark.parametrize(
    ("new", "verdict", "reason"),
    [
        pytest.param(month(9000), Verdict.PASS, None, id="as before"),
        pytest.param(month(9000, rows=40), Verdict.PROBATION, "the number of rows", id="few rows"),
        pytest.param(month(9000).assign(price=12.0), Verdict.BLOCK, "'price' must vary", id="a constant"),
        pytest.param(month(9000).assign(city="Ulm"), Verdict.BLOCK, "'city' must vary", id="one text"),
        pytest.param(month(9000).assign(city=None), Verdict.BLOCK, "'city' must hold values", id="empty"),
    ],
)
def test_all_else_is_left_to_what_was_learned(
    tmp_path: Path, new: pd.DataFrame, verdict: Verdict, reason: str | None
) -> None:
    report = drafted(tmp_path, new, ["id"], learn=True)
    assert report.verdict is verdict, report.reasons
    assert reason is None or any(reason in each for each in report.reasons)
    if reason:
        assert drafted(tmp_path, new, ["id"]).verdict is not verdict


def test_each_expectation_says_where_it_came_from(tmp_path: Path) -> None:
    suite = draft_suite([written(tmp_path, month(), "2026-01")], toy_params(dataset={"key": ["id"]}))
    rows, key = (each["meta"]["notes"] for each in suite["expectations"])
    assert "rows" in rows
    assert "no key twice in 1 partition, 2026-01;" in key


@pytest.mark.parametrize(
    ("key", "first", "kind"),
    [
        pytest.param(["id"], 500, "expect_column_values_to_be_unique", id="one column"),
        pytest.param(["id", "city"], 500, "expect_compound_columns_to_be_unique", id="two columns"),
        pytest.param(["id"], 499, None, id="one key is in both partitions"),
        pytest.param([], 500, None, id="no key"),
    ],
)
def test_a_key_that_is_one_is_drafted(key: list[str], first: int, kind: str | None, tmp_path: Path) -> None:
    params = toy_params(dataset={"key": key})
    paths = [
        written(tmp_path, month().assign(id=np.arange(start, start + 500)), f"2026-0{place}")
        for place, start in enumerate((0, first), start=1)
    ]
    unique: list[dict[str, Any]] = [
        each for each in draft_suite(paths, params)["expectations"] if "unique" in each["type"]
    ]
    assert [each["type"] for each in unique] == [kind] * bool(kind)
    assert all(each["severity"] == "critical" for each in unique)
