"""Looking at new rows before anything trains on them: what the plan needs, and the champion's live score."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from incumbent.compare import Interval
from incumbent.evaluation.drift import Drift
from incumbent.evaluation.measure import measure
from incumbent.evaluation.plan import Measurements, Skip, choose
from incumbent.models.model import Model
from incumbent.params import Params
from incumbent.tables.partitions import Diff
from tests.building import changed
from tests.judging import held_out

ARRIVAL = Diff(added=("2013-02.parquet",))


def manifest(params: Params, updates: int = 0) -> dict[str, object]:
    """What a champion's manifest says of it, as far as measuring reads it."""
    return {
        "params": params.model_dump(mode="json"),
        "metrics": {"holdout": {"value": 0.7}},
        "updates": updates,
        "rows_known": 10_000,
    }


def look(
    champion: Model, known: dict[str, object], fresh: Sequence[Path], diff: Diff, params: Params
) -> tuple[Measurements, Interval | None, Drift | None]:
    """Measured against a sample of the flights of the first of the new files, so that nothing drifts."""
    sample = pd.read_parquet(fresh[0]).head(2000) if fresh else pd.DataFrame()
    seen = measure(champion, known, sample, fresh, diff, params)
    return seen.rules, seen.live, seen.drift


def test_an_arrival_is_measured_on_all_its_rows(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    february = pd.read_parquet(thinned[1])
    seen, live, _ = look(strong, manifest(quick_params, updates=2), thinned[1:], ARRIVAL, quick_params)
    assert live is not None
    assert live.value == pytest.approx(roc_auc_score(february["late"], strong.predict(february)))
    assert live.low < live.value < live.high
    assert (seen.champion, seen.new_rows, seen.added, seen.updates) == (strong.version, len(february), 1, 2)
    assert (seen.promised, seen.live, seen.schema_changes) == (0.7, live.value, ())
    assert seen.unseen_share == strong.schema.unseen_share(february)
    assert seen.growth == (len(february) - len(held_out(thinned[1:], quick_params))) / 10_000


def test_parameters_of_an_older_incumbent_are_compared_key_by_key(
    strong: Model, quick_params: Params
) -> None:
    known = manifest(quick_params)
    older = {name: value for name, value in known["params"].items() if name != "split"}  # type: ignore[attr-defined]
    seen, *_ = look(strong, {**known, "params": {**older, "sampler": 1}}, [], Diff(), quick_params)
    assert seen.params_changes == ("split",)


def test_a_champion_that_was_never_judged_has_promised_nothing(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    unjudged = {**manifest(quick_params), "metrics": {"holdout": None}}
    seen, live, _ = look(strong, unjudged, thinned[1:], ARRIVAL, quick_params)
    assert seen.promised is None
    assert live is not None


def test_nothing_new_is_measured_as_nothing(strong: Model, quick_params: Params) -> None:
    seen, live, _ = look(strong, manifest(quick_params), [], Diff(), quick_params)
    assert (seen.new_rows, seen.added, seen.unseen_share, seen.live, live) == (0, 0, 0.0, None, None)
    assert seen.growth == 0.0


def test_the_difference_of_the_data_is_passed_on(strong: Model, quick_params: Params) -> None:
    diff = Diff(changed=("a.parquet",), removed=("b.parquet", "c.parquet"))
    seen, *_ = look(strong, manifest(quick_params), [], diff, quick_params)
    assert (seen.changed, seen.removed) == (diff.changed, diff.removed)


def test_parameters_that_shape_a_model_and_changed_are_told(strong: Model, quick_params: Params) -> None:
    before = changed(quick_params, search={"trials": 99}, retrain={"min_rows": 7}, seed=1)
    seen, *_ = look(strong, manifest(before), [], Diff(), quick_params)
    assert seen.params_changes == ("search", "seed")
    other = changed(quick_params, promotion={"metric": "log_loss", "margin": 0.1})
    assert look(strong, manifest(other), [], Diff(), quick_params)[0].params_changes == ("promotion.metric",)
    same, *_ = look(strong, manifest(quick_params), [], Diff(), quick_params)
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
    seen, live, _ = look(
        strong, manifest(quick_params), [tmp_path / "changed.parquet"], ARRIVAL, quick_params
    )
    assert (seen.schema_changes, seen.live, live, seen.unseen_share) == (told, None, None, 0.0)


def test_a_text_that_became_a_number_has_no_category_that_is_known(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[1])
    frame.assign(carrier=range(len(frame))).to_parquet(tmp_path / "codes.parquet", index=False)
    seen, *_ = look(strong, manifest(quick_params), [tmp_path / "codes.parquet"], ARRIVAL, quick_params)
    assert seen.unseen_share == 1.0


def test_drift_is_measured_against_the_sample(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    before, now = (pd.read_parquet(path) for path in thinned)
    seen = measure(strong, manifest(quick_params), before, thinned[1:], ARRIVAL, quick_params)
    assert seen.drift is not None
    assert seen.drift.now == len(now)
    assert seen.rules.drift == pytest.approx(sum(shift.importance for shift in seen.drift.moved))
    assert "month" in {shift.column for shift in seen.drift.moved}
    assert seen.rules.target_moved is None
    now.assign(late=now.index % 2 == 0).to_parquet(tmp_path / "worse.parquet", index=False)
    worse = measure(
        strong, manifest(quick_params), before, [tmp_path / "worse.parquet"], ARRIVAL, quick_params
    )
    assert worse.rules.target_moved is not None


def test_without_a_sample_there_is_no_drift_to_measure(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    sample = pd.read_parquet(thinned[0]).head(0)
    seen = measure(strong, manifest(quick_params), sample, thinned[1:], ARRIVAL, quick_params)
    assert (seen.drift, seen.rules.drift, seen.rules.moved) == (None, 0.0, ())


def test_a_single_class_arrives_without_a_live_score(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    pd.read_parquet(thinned[1]).assign(late=False).to_parquet(tmp_path / "calm.parquet", index=False)
    seen, live, _ = look(strong, manifest(quick_params), [tmp_path / "calm.parquet"], ARRIVAL, quick_params)
    assert (seen.live, live, seen.schema_changes) == (None, None, ())


def test_unseen_categories_are_a_share_of_all_new_rows(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[0]).head(400)
    frame.to_parquet(tmp_path / "known.parquet", index=False)
    frame.head(100).assign(carrier="XX").to_parquet(tmp_path / "unknown.parquet", index=False)
    before = strong.schema.unseen_share(frame) * 400
    fresh = [tmp_path / "known.parquet", tmp_path / "unknown.parquet"]
    seen, *_ = look(strong, manifest(quick_params), fresh, ARRIVAL, quick_params)
    assert seen.new_rows == 500
    assert seen.unseen_share == pytest.approx((before + 100) / 500)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_only_rows_with_a_label_count_as_new(
    strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path, share: float
) -> None:
    february = pd.read_parquet(thinned[1])
    empty = np.arange(len(february)) < share * len(february)
    path = tmp_path / thinned[1].name
    february.assign(late=february["late"].astype(object).mask(empty, None)).to_parquet(path, index=False)
    known = pd.read_parquet(thinned[0]).head(2000)
    seen = measure(strong, manifest(quick_params), known, [path], ARRIVAL, quick_params)
    rules, labelled = seen.rules, february[~empty]
    assert (rules.new_rows, rules.added, rules.schema_changes) == (len(labelled), 1, ())
    held = held_out([path], quick_params)["late"].notna().sum()
    assert rules.growth == (len(labelled) - held) / 10_000
    assert seen.drift is not None
    assert seen.drift.now == len(february)
    if share == 1.0:
        assert (seen.live, seen.drift.target) == (None, None)
        assert choose(rules, quick_params.retrain) == Skip(
            ("0 new rows with a label are fewer than retrain.min_rows = 1,000",)
        )
    else:
        assert seen.live is not None
        assert seen.live.value == pytest.approx(roc_auc_score(labelled["late"], strong.predict(labelled)))
