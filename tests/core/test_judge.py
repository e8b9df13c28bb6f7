"""Judging by rows that no model has seen, and looking back at what the champion promised."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from incumbent.challenger import make_full, open_challenger
from incumbent.dataset import Diff
from incumbent.errors import BadData
from incumbent.judge import compare_scores, measure, score_holdout
from incumbent.model import Model
from incumbent.params import Params
from incumbent.split import group_hashes
from incumbent.tune import StudyResult
from tests.core.building import changed

ARRIVAL = Diff(added=("2013-02.parquet",))


def manifest(params: Params, updates: int = 0) -> dict[str, object]:
    """What a champion's manifest says of it, as far as measuring reads it."""
    return {
        "params": params.model_dump(),
        "metrics": {"holdout": {"value": 0.7}},
        "updates": updates,
        "rows_known": 10_000,
    }


def model(path: Path, params: Params, folder: Path, rounds: int) -> Model:
    folder.mkdir()
    made = make_full([path], params, StudyResult({"num_leaves": 15}, rounds, ()), folder)
    return open_challenger(made, params, folder, f"v{rounds}")


@pytest.fixture(scope="module")
def weak(thinned: Sequence[Path], quick_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return model(thinned[0], quick_params, tmp_path_factory.mktemp("weak") / "v", rounds=1)


@pytest.fixture(scope="module")
def strong(thinned: Sequence[Path], quick_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return model(thinned[0], quick_params, tmp_path_factory.mktemp("strong") / "v", rounds=30)


def held_out(paths: Sequence[Path], params: Params) -> pd.DataFrame:
    """The flights of the days whose hash is below the holdout's share, one day after the other."""
    frame = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    days = frame[["date"]].drop_duplicates()
    chosen = days[group_hashes(days, ["date"]) < params.split.holdout]["date"]
    assert 0 < len(chosen) < len(days)
    return frame[frame["date"].isin(chosen)].reset_index(drop=True)


def test_the_holdout_is_scored_and_never_a_training_row(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    scores = score_holdout(weak, strong, thinned, quick_params)
    expected = held_out(thinned, quick_params)
    assert list(scores.columns) == ["y", "champion", "challenger", "group"]
    assert scores["y"].tolist() == expected["late"].astype(int).tolist()
    assert np.array_equal(scores["champion"], weak.predict(expected))
    assert np.array_equal(scores["challenger"], strong.predict(expected))
    assert np.array_equal(scores["group"], group_hashes(expected, ["date"]))
    assert (scores["group"] < quick_params.split.holdout).all()
    assert scores["group"].nunique() == expected["date"].nunique()


def test_what_training_rows_say_does_not_change_the_scores(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[0])
    training = group_hashes(frame, ["date"]) >= quick_params.split.holdout
    frame.assign(late=frame["late"] ^ training, temp=frame["temp"].mask(training)).to_parquet(
        tmp_path / "lied.parquet", index=False
    )
    pd.testing.assert_frame_equal(
        score_holdout(weak, strong, [tmp_path / "lied.parquet"], quick_params),
        score_holdout(weak, strong, thinned[:1], quick_params),
    )


def test_without_a_champion_the_baseline_gives_every_row_the_same(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    scores = score_holdout(None, strong, thinned, quick_params)
    assert scores["champion"].nunique() == 1
    seen = compare_scores(scores, quick_params)
    assert seen.champion.value == 0.5
    assert seen.difference.low > 0.05


def test_the_comparison_counts_rows_and_whole_days(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    seen = compare_scores(score_holdout(weak, strong, thinned, quick_params), quick_params)
    expected = held_out(thinned, quick_params)
    assert (seen.rows, seen.positives) == (len(expected), int(expected["late"].sum()))
    assert seen.groups == expected["date"].nunique()
    assert seen.challenger.value == pytest.approx(roc_auc_score(expected["late"], strong.predict(expected)))


def test_a_partition_without_a_held_out_day_adds_nothing(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[1])
    training = frame[group_hashes(frame, ["date"]) >= quick_params.split.holdout]
    day = tmp_path / "day.parquet"
    training[training["date"] == training["date"].iloc[0]].to_parquet(day, index=False)
    pd.testing.assert_frame_equal(
        score_holdout(weak, strong, [thinned[0], day], quick_params),
        score_holdout(weak, strong, thinned[:1], quick_params),
    )
    with pytest.raises(BadData, match="one class only"):
        compare_scores(score_holdout(weak, strong, [day], quick_params), quick_params)


def test_an_arrival_is_measured_on_all_its_rows(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    february = pd.read_parquet(thinned[1])
    seen, live = measure(strong, manifest(quick_params, updates=2), thinned[1:], ARRIVAL, quick_params)
    assert live is not None
    assert live.value == pytest.approx(roc_auc_score(february["late"], strong.predict(february)))
    assert live.low < live.value < live.high
    assert (seen.champion, seen.new_rows, seen.added, seen.updates) == (strong.version, len(february), 1, 2)
    assert (seen.promised, seen.live, seen.schema_changes) == (0.7, live.value, ())
    assert seen.unseen_share == strong.schema.unseen_share(february)
    assert seen.growth == (len(february) - len(held_out(thinned[1:], quick_params))) / 10_000


def test_nothing_new_is_measured_as_nothing(strong: Model, quick_params: Params) -> None:
    seen, live = measure(strong, manifest(quick_params), [], Diff(), quick_params)
    assert (seen.new_rows, seen.added, seen.unseen_share, seen.live, live) == (0, 0, 0.0, None, None)
    assert seen.growth == 0.0


def test_the_difference_of_the_data_is_passed_on(strong: Model, quick_params: Params) -> None:
    diff = Diff(changed=("a.parquet",), removed=("b.parquet", "c.parquet"))
    seen, _ = measure(strong, manifest(quick_params), [], diff, quick_params)
    assert (seen.changed, seen.removed) == (diff.changed, diff.removed)


def test_parameters_that_shape_a_model_and_changed_are_told(strong: Model, quick_params: Params) -> None:
    before = changed(quick_params, search={"trials": 99}, retrain={"min_rows": 7}, seed=1)
    seen, _ = measure(strong, manifest(before), [], Diff(), quick_params)
    assert seen.params_changes == ("search", "seed")
    same, _ = measure(strong, manifest(quick_params), [], Diff(), quick_params)
    assert same.params_changes == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            lambda frame: frame.drop(columns="carrier"), ("column 'carrier' is gone",), id="a column is gone"
        ),
        pytest.param(lambda frame: frame.assign(seats=1), ("column 'seats' is new",), id="a column is new"),
        pytest.param(
            lambda frame: frame.rename(columns={"temp": "temperature"}),
            ("column 'temperature' is new", "column 'temp' is gone"),
            id="a column is renamed",
        ),
        pytest.param(
            lambda frame: frame.assign(distance="far"),
            ("column 'distance' was a number and now holds ['far'] (str)",),
            id="a number became text",
        ),
    ],
)
def test_a_changed_schema_is_told_and_not_scored(
    strong: Model,
    thinned: Sequence[Path],
    quick_params: Params,
    tmp_path: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    told: tuple[str, ...],
) -> None:
    change(pd.read_parquet(thinned[1])).to_parquet(tmp_path / "changed.parquet", index=False)
    seen, live = measure(
        strong, manifest(quick_params), [tmp_path / "changed.parquet"], ARRIVAL, quick_params
    )
    assert (seen.schema_changes, seen.live, live, seen.unseen_share) == (told, None, None, 0.0)


def test_a_single_class_arrives_without_a_live_score(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    pd.read_parquet(thinned[1]).assign(late=False).to_parquet(tmp_path / "calm.parquet", index=False)
    seen, live = measure(strong, manifest(quick_params), [tmp_path / "calm.parquet"], ARRIVAL, quick_params)
    assert (seen.live, live, seen.schema_changes) == (None, None, ())


def test_unseen_categories_are_a_share_of_all_new_rows(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[0]).head(400)
    frame.to_parquet(tmp_path / "known.parquet", index=False)
    frame.head(100).assign(carrier="XX").to_parquet(tmp_path / "unknown.parquet", index=False)
    before = strong.schema.unseen_share(frame) * 400
    fresh = [tmp_path / "known.parquet", tmp_path / "unknown.parquet"]
    seen, _ = measure(strong, manifest(quick_params), fresh, ARRIVAL, quick_params)
    assert seen.new_rows == 500
    assert seen.unseen_share == pytest.approx((before + 100) / 500)
