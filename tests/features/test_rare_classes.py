"""Classes with fewer rows than there are folds: training goes on, and says which they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from incumbent.challenger import Challenger, make_full, make_update, open_challenger, search
from incumbent.errors import BadData
from incumbent.evaluation.evidence import collect_evidence
from incumbent.evaluation.hindsight import score_arrival
from incumbent.evaluation.measure import measure
from incumbent.features.rows import Rows, training_rows
from incumbent.features.schema import Schema, differences
from incumbent.models.model import Model
from incumbent.params import Params, SearchParams
from incumbent.tables.partitions import Diff
from incumbent.training.folds import folds, scored_folds
from tests.building import parent, toy_params
from tests.judging import judged

REGIONS = {"north": 300, "süd": 200, "west": 100}
TERRITORIES = {"AA": 1, "GU": 3}


def towns(counts: Mapping[str, int], start: int = 0) -> pd.DataFrame:
    """Rows whose place tells their region, as ZIP codes tell their state; `id` counts from `start`."""
    rng = np.random.default_rng(start)
    region = np.repeat(list(counts), list(counts.values()))
    centre = pd.Series(region).map({name: 3.0 * place for place, name in enumerate(counts)}).to_numpy()
    return pd.DataFrame(
        {
            "id": np.arange(start, start + len(region)),
            "lat": centre + rng.normal(size=len(region)),
            "kind": rng.choice(["city", "village"], len(region)),
            "y": region,
        }
    )


def region_params(rare: str = "keep", **sections: Any) -> Params:
    quick = {"learner": {"rounds": 20}, "search": {"trials": 2}, "retrain": {"replay": 100}}
    metric = {"promotion": {"metric": "log_loss", "resamples": 100}}
    dataset = {"drop": ["id"], "rare_classes": rare}
    return toy_params(
        **{"dataset": dataset, "split": {"by": ["id"]}, "task": "multiclass", **quick, **metric, **sections}
    )


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path, index=False)
    return path


def train(path: Path, params: Params, folder: Path) -> tuple[Challenger, Model]:
    """Searched and trained as a run does; what it wrote is read back."""
    folder.mkdir()
    made = make_full([path], params, search([path], params), folder)
    made = Challenger.from_json(json.loads(json.dumps(made.to_json())))
    return made, open_challenger(made, params, folder, "v1")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(towns({**REGIONS, **TERRITORIES}), tmp_path / "2025-01.parquet")


TREATED = {
    "keep": "trained on all the same (dataset.rare_classes = 'keep')",
    "group": "trained on as the class 'other' (dataset.rare_classes = 'group')",
    "drop": "not trained on (dataset.rare_classes = 'drop')",
}


@pytest.mark.parametrize("rare", list(TREATED))
@pytest.mark.parametrize("metric", ["log_loss", "roc_auc_macro", "f1_macro", "average_precision_weighted"])
def test_a_table_with_rare_classes_gives_a_model_that_beats_the_baseline(
    rare: str, metric: str, table: Path, tmp_path: Path
) -> None:
    params = region_params(rare, promotion={"metric": metric, "resamples": 100})
    made, model = train(table, params, tmp_path / "v1")
    [reason] = made.schema.rare.reasons
    assert reason.startswith("fewer training rows than search.folds = 5: ")
    assert reason.endswith(TREATED[rare])
    assert made.cv is not None
    assert np.isfinite(made.cv.folds).all()
    assert len(made.cv.folds) == 5
    assert made.onnx.reason is None
    window = [table]
    evidence = collect_evidence(judged(None, model, window, params, prior=made.prior), params.promotion, 0)
    assert evidence.compared is not None
    assert evidence.compared.gain.low > 0


def test_what_becomes_of_rare_classes_is_what_was_asked_for(table: Path) -> None:
    kept, grouped, dropped = (training_rows([table], region_params(rare)) for rare in TREATED)
    assert set(kept[0].classes) <= {*REGIONS, *TERRITORIES}
    few = sum(kept[0].rare.rows.values())
    assert set(grouped[0].classes) == {*REGIONS, "other"}
    other = grouped[0].classes.index("other")
    assert np.count_nonzero(grouped[1].y == other) == few > 0
    assert set(dropped[0].classes) == set(REGIONS)
    assert len(dropped[1].y) == len(kept[1].y) - few
    scored = Model("v", grouped[0], _Uniform(len(grouped[0].classes))).score(pd.read_parquet(table))
    assert [*scored] == [*(f"score_{name}" for name in grouped[0].classes), "predicted"]


class _Uniform:
    """A model that can't tell classes apart."""

    def __init__(self, classes: int) -> None:
        self._classes = classes

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.full((len(X), self._classes), 1 / self._classes)


def test_a_class_without_training_rows_is_left_out_of_the_comparison_or_is_other(
    table: Path, tmp_path: Path
) -> None:
    window = [write(towns({**REGIONS, "PW": 30}, 1000), tmp_path / "w")]
    excluded = {}
    for rare in TREATED:
        made, model = train(table, region_params(rare), tmp_path / rare)
        holdout = judged(None, model, window, region_params(rare), prior=made.prior)
        excluded[rare] = holdout.excluded
        assert len(holdout.y) == len(holdout.challenger)
    assert excluded["group"] == 0
    assert excluded["keep"] == excluded["drop"] > 0


def test_a_champion_that_tells_more_classes_apart_is_compared_by_their_sum(
    table: Path, tmp_path: Path
) -> None:
    (_, champion), (_, challenger) = (
        train(table, region_params(rare), tmp_path / rare) for rare in ("keep", "group")
    )
    window = [table]
    holdout = judged(champion, challenger, window, region_params("group"))
    assert holdout.champion.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("rare", ["group", "drop"])
def test_an_arrival_with_few_rows_of_a_rare_class_updates_the_champion(
    rare: str, table: Path, tmp_path: Path
) -> None:
    params = region_params(rare)
    made, model = train(table, params, tmp_path / "v1")
    arrival = write(towns({"north": 60, "süd": 50, "west": 40, "PW": 1}, 1000), tmp_path / "2025-02.parquet")
    seen = _look(model, params, arrival, tmp_path / "v1")
    assert seen.rules.schema_changes == ()
    assert seen.live is not None
    (tmp_path / "v2").mkdir()
    updated = make_update(parent(made, params, tmp_path / "v1"), [arrival], params, tmp_path / "v2")
    assert updated.schema == made.schema
    frame = pd.read_parquet(arrival)
    assert score_arrival(model, {"previous": model}, frame, np.arange(len(frame)), params.promotion, 0)


def test_a_class_that_is_rare_no_more_is_a_reason_to_train_in_full(table: Path, tmp_path: Path) -> None:
    dataset = region_params("drop").dataset
    schema, _ = training_rows([table], region_params("drop"))
    assert differences(schema, towns({**REGIONS, "PW": 5}), dataset) == ["class 'PW' is new"]
    assert differences(schema, towns({**REGIONS, "PW": 4}), dataset) == []
    known = schema.rare.rows["GU"]
    assert differences(schema, towns({**REGIONS, "GU": 5 - known}), dataset) == ["class 'GU' is new"]
    kept, _ = training_rows([table], region_params("keep"))
    assert differences(kept, towns({**REGIONS, "PW": 1}), dataset) == ["class 'PW' is new"]


def _look(model: Model, params: Params, arrival: Path, folder: Path) -> Any:
    manifest = {
        "params": params.model_dump(mode="json"),
        "metrics": {"holdout": {"value": 0.5}},
        "updates": 0,
        "rows_known": 500,
    }
    sample = pd.read_parquet(folder / "replay.parquet")
    return measure(model, manifest, sample, [arrival], Diff(added=(arrival.name,)), params)


@pytest.mark.parametrize("scheme", ["stratified", "stratified-group", "k-fold", "time-series"])
@pytest.mark.parametrize("method", [None, "weights", "over", "under", "smote"])
def test_each_scheme_and_balance_trains_on_a_class_with_one_row(
    scheme: str, method: str | None, tmp_path: Path
) -> None:
    frame = towns({"north": 60, "süd": 40, "AA": 1}).sample(frac=1, random_state=1)
    path = write(frame, tmp_path / "2025-01.parquet")
    balance = {"method": method, "calibrate": "sigmoid"}
    params = region_params(search={"trials": 1, "scheme": scheme, "folds": 3}, imbalance=balance)
    made, model = train(path, params, tmp_path / "v1")
    assert np.isfinite(model.score(frame.drop(columns="y")).iloc[:, :-1].to_numpy()).all()
    assert made.cv is not None
    assert np.isfinite(made.cv.mean)


LEARNERS: list[dict[str, Any]] = [
    {"name": "lightgbm", "rounds": 20},
    {"name": "torch", "rounds": 1, "members": 1},
]


@pytest.mark.parametrize("metric", ["roc_auc_macro", "roc_auc_weighted"])
@pytest.mark.parametrize("learner", LEARNERS)
def test_a_fold_without_a_class_is_ranked_by_the_others(
    learner: dict[str, Any], metric: str, table: Path
) -> None:
    quick = {"trials": 1, "folds": 4}
    tree = region_params(promotion={"metric": metric, "resamples": 100}, search=quick).model_dump()
    params = Params.model_validate({**tree, "learner": learner})
    study = search([table], params)
    assert all(0 < fold <= 1 for trial in study.trials for fold in trial.folds)


@pytest.mark.parametrize("positives", [1, 2, 4])
@pytest.mark.parametrize("scheme", ["stratified", "leave-one-out"])
@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "f1"])
def test_fewer_positives_than_folds_train(positives: int, scheme: str, metric: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(120, dtype=int)
    y[:positives] = 1
    frame = pd.DataFrame({"x": rng.normal(size=120) + 3 * y, "y": y})
    path = write(frame, tmp_path / "2025-01.parquet")
    params = toy_params(
        search={"trials": 1, "scheme": scheme},
        learner={"rounds": 10},
        split={"holdout": 0.01},
        promotion={"metric": metric},
        decision={"false_negative": 5.0},
    )
    made, _ = train(path, params, tmp_path / "v1")
    assert made.schema.rare.rows == {"1": positives}
    assert made.cv is not None
    assert np.isfinite(made.cv.mean)


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_regression_with_one_extreme_value_trains(metric: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.zeros(100)})
    frame.loc[50, "y"] = 1e9
    path = write(frame, tmp_path / "2025-01.parquet")
    params = toy_params(task="regression", promotion={"metric": metric}, search={"trials": 1})
    made, _ = train(path, params, tmp_path / "v1")
    assert made.cv is not None
    assert np.isfinite(made.cv.mean)


def test_a_class_with_as_many_rows_as_folds_is_in_each_of_them() -> None:
    y = np.repeat([0, 1, 2, 3], [50, 5, 3, 1]).astype("int32")
    rows = Rows(np.zeros((len(y), 1), dtype="float32"), y, np.arange(len(y)) / len(y))
    splits = folds(rows, SearchParams(folds=5), 0)
    per_fold = np.array([np.bincount(y[held], minlength=4) for _, held in splits])
    assert per_fold[:, 1].tolist() == [1] * 5
    assert per_fold.max(axis=0).tolist()[2:] == [1, 1]
    assert scored_folds(y, splits, toy_params()) == [0, 1, 2, 3, 4]


def test_where_all_classes_are_rare_folds_are_drawn_at_random() -> None:
    y = np.repeat(np.arange(10), 3).astype("int32")
    rows = Rows(np.zeros((30, 1), dtype="float32"), y, np.arange(30) / 30)
    splits = folds(rows, SearchParams(folds=5), 0)
    assert sorted(np.concatenate([held for _, held in splits])) == list(range(30))


def test_treatments_that_leave_nothing_to_tell_apart_are_refused(tmp_path: Path) -> None:
    path = write(towns({"north": 100, "AA": 3}), tmp_path / "2025-01.parquet")
    with pytest.raises(BadData, match=r"'drop' leaves a single class, as AA \(\d\) have fewer training rows"):
        training_rows([path], region_params("drop"))
    with pytest.raises(ValidationError, match="is for more than two classes, and the task is binary"):
        toy_params(dataset={"rare_classes": "group"})


def test_many_rare_classes_are_named_in_one_sentence(tmp_path: Path) -> None:
    path = write(towns({"north": 100, **{f"c{n:02d}": 2 for n in range(40)}}), tmp_path / "2025-01.parquet")
    schema, _ = training_rows([path], region_params(split={"by": ["id"], "holdout": 0.01}))
    [reason] = schema.rare.reasons
    assert "c00 (2), c01 (2)" in reason
    assert " classes more; trained on all the same" in reason


def test_versions_from_before_rare_classes_load_and_need_no_new_training(table: Path) -> None:
    params = region_params()
    schema, _ = training_rows([table], params)
    before = schema.to_json()
    del before["rare"]
    assert Schema.from_json(before).classes == schema.classes
    manifest = params.model_dump(mode="json")
    del manifest["dataset"]["rare_classes"]
    assert params.shaping_changes(manifest) == ()
    assert region_params("drop").shaping_changes(manifest) == ("dataset",)
