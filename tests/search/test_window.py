"""How much history a full training reads: less after a break, all of it otherwise."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import make_full
from incumbent.features.rows import training_rows
from incumbent.params import Params
from incumbent.rebuild import needed
from incumbent.search.tune import StudyResult
from incumbent.search.window import Window, choose_window
from incumbent.tables.split import group_hashes
from tests.building import changed, toy_params


def partition(folder: Path, number: int, rows: int, *, turned: bool, classes: int = 2) -> Path:
    """y follows a, or after the break its opposite."""
    rng = np.random.default_rng(number)
    a, b = rng.normal(size=(2, rows))
    y = ((-a if turned else a) + 0.5 * rng.normal(size=rows) > 0).astype(int) * (classes - 1)
    path = folder / f"{number:02d}.parquet"
    pd.DataFrame({"a": a, "b": b, "y": y}).to_parquet(path, index=False)
    return path


def history(folder: Path, count: int, broken_at: int, rows: int = 400) -> list[Path]:
    return [partition(folder, number, rows, turned=number >= broken_at) for number in range(count)]


@pytest.fixture
def params() -> Params:
    return toy_params(learner={"rounds": 40})


def test_after_a_break_only_what_came_after_it_is_read(tmp_path: Path, params: Params) -> None:
    paths = history(tmp_path, 12, broken_at=10)
    window = choose_window(paths, params)
    assert window.of(paths) == paths[10:]
    assert "the latest 2 partitions" in window.reason
    assert "of all history 0.0" in window.reason


def test_without_a_break_all_history_is_read(tmp_path: Path, params: Params) -> None:
    paths = history(tmp_path, 12, broken_at=99)
    window = choose_window(paths, params)
    assert window.of(paths) == paths
    assert window.reason.startswith("all history")


def with_days(paths: Sequence[Path]) -> Sequence[Path]:
    """Each partition is a day."""
    for number, path in enumerate(paths):
        day = pd.Timestamp("2026-01-01") + pd.Timedelta(number, "D")
        pd.read_parquet(path).assign(day=day).to_parquet(path, index=False)
    return paths


@pytest.mark.parametrize(
    ("gap", "chosen"),
    [
        pytest.param(0, "the latest 2 partitions: on the latest partition", id="no gap"),
        pytest.param(1, "the latest 2 partitions: on the latest partition", id="a gap in rows"),
        pytest.param("23 hours", "the latest 2 partitions: on the latest partition", id="less than a day"),
        pytest.param(
            "1 day",
            "the latest 3 partitions: on the latest partition a model of the latest 2 partitions before "
            "reached roc_auc 0.1",
            id="the day before the latest",
        ),
        pytest.param(
            "4 weeks",
            "all history: search.gap = '4 weeks' leaves too little of what came before the latest partition",
            id="longer than history",
        ),
    ],
)
def test_labels_that_overlap_with_those_of_the_test_rows_choose_no_window(
    tmp_path: Path, params: Params, gap: int | str, chosen: str
) -> None:
    """Only the day before the latest is like that one; without it every model is wrong."""
    paths = with_days(history(tmp_path, 12, broken_at=10))
    daily = changed(params, dataset={"time": "day"}, search={"gap": gap})
    assert choose_window(paths, daily).reason.startswith(chosen)


def test_rows_without_a_time_test_no_window(tmp_path: Path, params: Params) -> None:
    paths = with_days(history(tmp_path, 12, broken_at=10))
    latest = pd.read_parquet(paths[-1])
    latest.assign(day=latest["day"].mask(latest.index >= 100)).to_parquet(paths[-1], index=False)
    daily = changed(params, dataset={"time": "day"}, search={"gap": "12 hours"})
    assert "on the latest 2 partitions" in choose_window(paths, daily).reason


def test_right_after_a_break_the_old_rows_do_not_outnumber_the_new(tmp_path: Path, params: Params) -> None:
    """Every model of the past is wrong, one of little of it the least."""
    paths = history(tmp_path, 12, broken_at=11)
    assert choose_window(paths, params).partitions == 2


def test_small_partitions_judge_together(tmp_path: Path, params: Params) -> None:
    paths = history(tmp_path, 60, broken_at=40, rows=80)
    window = choose_window(paths, params)
    assert "on the latest 4 partitions" in window.reason
    assert window.partitions is not None
    assert 8 <= window.partitions <= 20


@pytest.mark.parametrize(
    ("count", "rows", "classes", "reason"),
    [
        pytest.param(2, 400, 2, "too short", id="two partitions"),
        pytest.param(4, 40, 2, "200 rows in 5 groups are needed", id="few rows"),
    ],
)
def test_what_can_not_be_judged_is_said(
    tmp_path: Path, params: Params, count: int, rows: int, classes: int, reason: str
) -> None:
    window = choose_window(history(tmp_path, count, 99, rows), params)
    assert window.partitions is None
    assert reason in window.reason


def test_a_latest_partition_of_one_class_does_not_judge_alone(tmp_path: Path, params: Params) -> None:
    paths = [*history(tmp_path, 8, broken_at=4), partition(tmp_path, 8, 400, turned=True, classes=1)]
    assert "on the latest 2 partitions" in choose_window(paths, params).reason


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_the_metric_that_promotes_also_chooses(tmp_path: Path, metric: str) -> None:
    params = toy_params(learner={"rounds": 40}, promotion={"metric": metric})
    paths = history(tmp_path, 12, broken_at=8)
    window = choose_window(paths, params)
    assert window.partitions is not None
    assert window.partitions <= 4
    assert metric in window.reason


def test_where_the_world_turns_slowly_older_rows_count_less(tmp_path: Path, params: Params) -> None:
    """The direction that matters turns a little with every partition: the last is worth most."""
    rng, paths = np.random.default_rng(0), []
    for number in range(17):
        a, b = rng.normal(size=(2, 300))
        angle = number * np.pi / 40
        y = (np.cos(angle) * a + np.sin(angle) * b + 0.5 * rng.normal(size=300) > 0).astype(int)
        paths.append(tmp_path / f"{number:02d}.parquet")
        pd.DataFrame({"a": a, "b": b, "y": y}).to_parquet(paths[-1], index=False)
    window = choose_window(paths, params)
    assert window.half_life is not None or window.partitions is not None
    aged = Window(half_life=2.0)
    _, rows = training_rows(paths, params)
    weights = aged.weighed(rows).weights
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    latest, before = weights[rows.part == 16], weights[rows.part == 14]
    assert latest[0] == pytest.approx(2 * before[0])
    study = StudyResult({"num_leaves": 7}, 20, ())
    for name, chosen in (("aged", aged), ("all", Window())):
        (tmp_path / name).mkdir()
        make_full(paths, params, study, tmp_path / name, chosen, estimate=False)
    assert (tmp_path / "aged" / "model.txt").read_bytes() != (tmp_path / "all" / "model.txt").read_bytes()


@pytest.mark.parametrize(("asked", "read"), [("all", 12), (3, 3), (40, 12)])
def test_a_window_that_is_set_is_kept(tmp_path: Path, params: Params, asked: str | int, read: int) -> None:
    paths = history(tmp_path, 12, broken_at=10, rows=4)
    window = choose_window(paths, changed(params, retrain={"window": asked}))
    assert len(window.of(paths)) == read


def test_groups_that_judge_are_of_the_training_side(tmp_path: Path, params: Params) -> None:
    """A partition is a day here, and some days are held out: five of the others judge."""
    paths = history(tmp_path, 12, broken_at=10)
    for number, path in enumerate(paths):
        pd.read_parquet(path).assign(day=number).to_parquet(path, index=False)
    daily = changed(params, split={"by": ["day"], "holdout": 0.4}, dataset={"drop": ["day"]})
    held_out = [float(hashed) < 0.4 for hashed in group_hashes(pd.DataFrame({"day": range(12)}), ["day"])]
    judging = next(count for count in range(5, 7) if held_out[-count:].count(False) == 5)
    assert f"the latest {judging} partitions" in choose_window(paths, daily).reason


def test_a_rebuild_reads_what_training_read() -> None:
    partitions = {f"{number}.parquet": "md5" for number in range(5)}
    manifest = {"data": {"partitions": partitions}, "window": Window(2, reason="a break").to_json()}
    assert needed(manifest, None) == ["3.parquet", "4.parquet"]
    assert len(needed({"data": {"partitions": partitions}}, None)) == 5


def test_real_months_are_all_read(thinned: Sequence[Path], flights_params: Params) -> None:
    assert choose_window([*thinned, *thinned], flights_params).partitions is None
