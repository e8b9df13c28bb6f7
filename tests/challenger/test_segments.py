"""Segments: a value of a column is served by its own correction where that is shown to be better."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from incumbent.challenger import OUT_OF_SAMPLE, Challenger, make_full, make_update, open_challenger
from incumbent.cli.segments import segments_table
from incumbent.errors import BadData, Tampered
from incumbent.features.out_of_sample import OutOfSample
from incumbent.models.golden import GOLDEN, check_golden
from incumbent.models.model import Model, open_model
from incumbent.models.reference import FILE as REFERENCE
from incumbent.models.segments import FILE, Segments
from incumbent.params import Params
from incumbent.rebuild import Order, rebuild
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import digest_of
from tests.building import changed, parent, toy_params

STUDY = StudyResult({"num_leaves": 4, "learning_rate": 0.3, "min_child_samples": 20}, 10, ())
"""Too few small trees to learn what sets a region apart."""

REGIONS = ["Zürich", "north", "south", "west"]


def table(rows: int, seed: int, name: Callable[[int], object] = REGIONS.__getitem__) -> pd.DataFrame:
    """y leans on a; in the first of four regions on b and c instead."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    region = rng.integers(0, 4, rows)
    lean = np.where(region == 0, 2 * frame["b"] - 2 * frame["c"], 1.5 * frame["a"])
    y = (rng.random(rows) < expit(lean)).astype(int)
    return frame.assign(region=[name(each) for each in region], y=y)


def by_region(**sections: object) -> Params:
    wanted = {"split": {"holdout": 0.0}, "segments": {"by": "region", "min_rows": 500}}
    return toy_params(**{**wanted, **sections})


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(table(6000, 0), tmp_path_factory.mktemp("history") / "1.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("version")


@pytest.fixture(scope="module")
def made(history: Path, folder: Path) -> Challenger:
    return make_full([history], by_region(), STUDY, folder)


@pytest.fixture(scope="module")
def model(made: Challenger, folder: Path) -> Model:
    return open_challenger(made, by_region(), folder, "v1")


def test_the_region_with_its_own_behaviour_is_served_by_its_correction(made: Challenger) -> None:
    assert made.segments is not None
    assert {value for value, each in made.segments["tried"].items() if each["serves"]} == {"Zürich"}
    first = made.segments["tried"]["Zürich"]
    assert first["gain"] > 0.04
    assert first["q"] < 0.001
    assert made.segments["rest"] == 6000 - first["rows"]


def test_only_rows_of_that_region_are_predicted_otherwise_and_better(model: Model) -> None:
    new = table(4000, 1)
    alone = replace(model, segments=None)
    mine = (new["region"] == "Zürich").to_numpy()
    assert np.array_equal(model.predict(new)[~mine], alone.predict(new)[~mine])
    y = new["y"].to_numpy()[mine]
    before, after = (np.abs(y - each.predict(new)[mine]).mean() for each in (alone, model))
    assert after < before - 0.03


def test_a_new_or_empty_region_is_served_by_the_model(model: Model) -> None:
    new = table(100, 2).assign(region=["east", None] * 50)
    assert np.array_equal(model.predict(new), replace(model, segments=None).predict(new))
    absent = new.drop(columns="region")
    predicted = model.predict(absent, absent_as_missing=True)
    assert np.array_equal(predicted, replace(model, segments=None).predict(absent, absent_as_missing=True))


def test_the_rows_judge_whoever_would_serve_them(made: Challenger, folder: Path, history: Path) -> None:
    """Out of sample the corrected region is predicted about as well as new rows of it are."""
    frame, new = pd.read_parquet(history), table(4000, 3)
    model = open_challenger(made, by_region(), folder, "v1")
    number, [predicted] = OutOfSample.load(folder / OUT_OF_SAMPLE).in_partition(digest_of(history))
    rows = frame.iloc[number]
    mine, theirs = (each["region"].to_numpy() == "Zürich" for each in (rows, new))
    judged = np.abs(rows["y"].to_numpy() - predicted)[mine].mean()
    truth = np.abs(new["y"].to_numpy() - model.predict(new))[theirs].mean()
    assert judged == pytest.approx(truth, abs=0.02)


def test_the_same_rows_give_the_same_bytes_with_and_without_an_estimate(
    made: Challenger, folder: Path, history: Path, tmp_path: Path
) -> None:
    again = make_full([history], by_region(), STUDY, tmp_path, estimate=False)
    assert set(made.files) - set(again.files) == {OUT_OF_SAMPLE, REFERENCE}
    for name in again.files:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_version_is_made_again_from_its_manifest(
    made: Challenger, folder: Path, history: Path, tmp_path: Path
) -> None:
    manifest = {
        "params": by_region(promotion={"seeds": 2}).model_dump(mode="json"),
        "options": STUDY.options,
        "rounds": STUDY.rounds,
        "files": dict.fromkeys(made.files),
        "schema": made.lineage.document,
        "data": {"partitions": {history.name: digest_of(history)}},
    }
    rebuild(Order(manifest, {history.name: history}, None, tmp_path))
    assert (tmp_path / FILE).read_bytes() == (folder / FILE).read_bytes()


def test_of_many_rows_those_that_a_training_left_out_correct(tmp_path: Path) -> None:
    fewer = {"by": "region", "min_rows": 2000}
    params = by_region(search={"rows": 10_000}, learner={"rounds": 10}, segments=fewer)
    paths = [write(table(10_000, seed), tmp_path / f"{seed}.parquet") for seed in (11, 12)]
    made, again = ((tmp_path / name) for name in ("made", "again"))
    for each in (made, again):
        each.mkdir()
    first = make_full(paths, params, STUDY, made)
    assert first.segments is not None
    assert first.segments["tried"]["Zürich"]["serves"]
    assert sum(each["rows"] for each in first.segments["tried"].values()) == 20_000
    study = replace(STUDY, rounds=first.rounds)  # as a manifest has it
    make_full(paths, params, study, again, estimate=False)
    for name in ("model.txt", FILE):
        assert (made / name).read_bytes() == (again / name).read_bytes(), name


def test_an_update_keeps_the_corrections_and_its_rows_judge_with_them(
    made: Challenger, folder: Path, tmp_path: Path
) -> None:
    params, fresh = by_region(), write(table(1000, 4), tmp_path / "2.parquet")
    out = tmp_path / "out"
    out.mkdir()
    updated = make_update(parent(made, params, folder), [fresh], params, out)
    assert (out / FILE).read_bytes() == (folder / FILE).read_bytes()
    assert updated.segments == made.segments
    number, [predicted] = OutOfSample.load(out / OUT_OF_SAMPLE).in_partition(digest_of(fresh))
    rows = pd.read_parquet(fresh).iloc[number]
    mine = (rows["region"] == "Zürich").to_numpy()
    alone = replace(open_challenger(updated, params, out, "v2"), segments=None)
    wrong = np.abs(rows["y"].to_numpy() - predicted)[mine].mean()
    assert wrong < np.abs(rows["y"].to_numpy() - alone.predict(rows))[mine].mean() - 0.03


def test_no_region_is_corrected_by_luck(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = table(6000, 5, name=lambda each: "one").assign(region=rng.integers(0, 12, 6000).astype(str))
    frame["y"] = (rng.random(6000) < expit(frame["a"])).astype(int)
    params = by_region(segments={"by": "region", "min_rows": 300})
    tried = make_full([write(frame, tmp_path / "1.parquet")], params, STUDY, tmp_path).segments
    assert tried is not None
    assert len(tried["tried"]) == 12
    assert tried["rest"] == 6000


@pytest.mark.parametrize(
    ("name", "first", "same"),
    [
        pytest.param(lambda each: each + 1, "1", lambda column: column.astype(float), id="whole numbers"),
        pytest.param(lambda each: each == 0, "True", lambda column: column.astype(object), id="booleans"),
    ],
)
def test_a_value_is_the_same_segment_whatever_type_the_file_has(
    name: Callable[[int], object], first: str, same: Callable[[pd.Series], pd.Series], tmp_path: Path
) -> None:
    made = make_full([write(table(6000, 6, name), tmp_path / "1.parquet")], by_region(), STUDY, tmp_path)
    model = open_challenger(made, by_region(), tmp_path, "v1")
    assert model.segments is not None
    assert list(model.segments.corrections) == [first]
    new = table(1000, 7, name)
    written_otherwise = new.assign(region=same(new["region"]))
    assert np.array_equal(model.predict(new), model.predict(written_otherwise))


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_have_segments_too(task: str, tmp_path: Path) -> None:
    def of_task(frame: pd.DataFrame) -> pd.DataFrame:
        lean = (frame["b"] - frame["c"]).where(frame["region"] == "Zürich", frame["a"])
        noisy = lean + np.random.default_rng(8).normal(0, 0.5, len(frame))
        y = (
            noisy
            if task == "regression"
            else pd.cut(noisy, [-9, -0.5, 0.5, 9], labels=["low", "mid", "high"])
        )
        return frame.assign(y=y if task == "regression" else y.astype(str))

    metric = "rmse" if task == "regression" else "log_loss"
    params = by_region(task=task, promotion={"metric": metric})
    made = make_full([write(of_task(table(6000, 8)), tmp_path / "1.parquet")], params, STUDY, tmp_path)
    assert made.segments is not None
    assert made.segments["tried"]["Zürich"]["serves"]
    model, new = open_challenger(made, params, tmp_path, "v1"), of_task(table(1000, 9))
    predicted = model.predict(new)
    if task == "multiclass":
        assert predicted.sum(axis=1) == pytest.approx(np.ones(1000))
    mine = new["region"] == "Zürich"
    alone = replace(model, segments=None).predict(new)
    assert not np.allclose(predicted[mine], alone[mine])


def test_a_network_is_corrected_as_trees_are(history: Path, tmp_path: Path) -> None:
    tree = by_region().model_dump() | {"learner": {"name": "torch", "rounds": 2, "device": "cpu"}}
    params = Params.model_validate(tree)
    options = {"rate": 3e-3, "width": 32, "depth": 1, "dropout": 0.0, "decay": 1e-3}
    made = make_full([history], params, StudyResult(options, 2, ()), tmp_path)
    assert made.segments is not None
    assert made.segments["tried"]["Zürich"]["serves"]
    model, new = open_challenger(made, params, tmp_path, "v1"), table(1000, 13)
    mine = new["region"] == "Zürich"
    assert not np.allclose(model.predict(new)[mine], replace(model, segments=None).predict(new)[mine])


def test_a_version_opens_with_its_corrections_and_without_onnx(
    made: Challenger, folder: Path, model: Model
) -> None:
    assert made.onnx.reason == "ONNX would hold the model without its corrections by 'region'"
    manifest = {
        "version": "v1",
        "learner": "lightgbm",
        "schema": made.lineage.document,
        "files": dict.fromkeys(made.files),
    }
    opened, new = open_model(folder, manifest), table(500, 10)
    assert np.array_equal(opened.predict(new), model.predict(new))
    check_golden(opened, pd.read_parquet(folder / GOLDEN))
    assert Challenger.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    "damage", ["{", "{}", '{"tried": {"a": 1}}', '{"by": "x", "corrections": {"a": "?"}}']
)
def test_damaged_segments_are_refused(damage: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(damage)
    with pytest.raises(Tampered, match=r"segments\.json holds no segments"):
        Segments.load(tmp_path / FILE)


def test_measured_numbers_are_no_segments(history: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"segments\.by = 'a' has numbers with fractions, such as "):
        make_full([history], by_region(segments={"by": "a"}), STUDY, tmp_path)


def test_a_column_that_is_no_feature_is_refused(history: Path, tmp_path: Path) -> None:
    params = by_region(segments={"by": "shop"})
    with pytest.raises(BadData, match=r"segments\.by = 'shop' is no feature of the model, which reads"):
        make_full([history], params, STUDY, tmp_path)


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        pytest.param({"dataset": {"drop": ["region"]}}, "'region' must be a feature", id="dropped"),
        pytest.param({"segments": {"by": "y"}}, "'y' must be a feature", id="the target"),
        pytest.param({"bias": {"reweigh": "c"}}, "would undo what bias.reweigh = 'c' does", id="bias"),
    ],
)
def test_params_that_do_not_go_together_are_refused(sections: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        by_region(**sections)


def test_other_segments_are_a_reason_for_a_full_training() -> None:
    params = by_region()
    before = params.model_dump(mode="json")
    assert params.shaping_changes(before) == ()
    assert changed(params, segments={"min_rows": 900}).shaping_changes(before) == ("segments",)
    del before["segments"]  # a version of an earlier release
    assert params.shaping_changes(before) == ("segments",)
    assert changed(params, segments={"by": None, "min_rows": 2000}).shaping_changes(before) == ()


def test_who_serves_what_is_a_table(made: Challenger) -> None:
    assert made.segments is not None
    header, first, *others, last = segments_table(made.segments).splitlines()
    assert header.split() == ["region", "rows", "gain", "q", "served", "by"]
    assert "Zürich" in first + others[0]
    assert sum("the model alone" in line for line in others) == 3
    assert last.startswith("the model alone serves 4,")
    none = segments_table({**made.segments, "tried": {}})
    assert none.startswith("no value of region has segments.min_rows = 500 training rows; the model alone")
