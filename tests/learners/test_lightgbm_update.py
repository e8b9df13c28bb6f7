"""An update looks rows up once for all that need them, and comes to what LightGBM's own calls come to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from incumbent.learners import Batch, Learner
from incumbent.learners import lightgbm_update as limits
from incumbent.params import Task
from tests.building import changed
from tests.learners.test_learners import OPTIONS, Case, make_case

FRESH, REPLAY, HELD = np.arange(600, 1000), np.arange(400), np.arange(1000, 1200)
WEIGHTS = np.linspace(0.5, 2.0, len(FRESH))
MANY = {"num_leaves": 400, "min_child_samples": 1}
TASKS = [
    pytest.param("binary", {}, id="two classes"),
    pytest.param("multiclass", {}, id="three classes"),
    pytest.param("regression", {}, id="numbers"),
    pytest.param("binary", {"linear_tree": True}, id="linear leaves"),
    pytest.param("regression", MANY, id="more leaves than a byte counts"),
    pytest.param("regression", {"boosting": "dart"}, id="dart"),
]


def prepared(task: Task, options: dict[str, Any], folder: Path) -> Case:
    case = make_case("lightgbm", task, None)
    case = replace(case, params=changed(case.params, learner={"options": options}))
    case.fitted(np.arange(600)).save(folder / case.learner.file)
    return case


def batches(case: Case, champion: Path | None = None) -> tuple[Batch, Batch, Batch]:
    """New rows, history and rows to predict; with a champion, looked up in it."""
    made = (
        Batch(case.X[FRESH], case.y[FRESH], WEIGHTS),
        Batch(case.X[REPLAY], case.y[REPLAY]),
        Batch(case.X[HELD], case.y[HELD]),
    )
    if champion is None:
        return made
    fresh, replay, held = (each._replace(leaves=case.learner.look_up(champion, each.X)) for each in made)
    return fresh, replay, held


def by_lightgbm_alone(case: Case, champion: Path) -> str:
    """The model's text by Booster.refit and init_model."""
    learner, old = case.params.learner, lgb.Booster(model_file=champion)
    fresh, replay, _ = batches(case)
    decay = min(learner.refit_decay, 600 / (600 + len(FRESH)))
    refitted = old.refit(fresh.X, fresh.y, weight=fresh.weights, decay_rate=decay, num_threads=1)
    params = learner_params(case.learner)
    weights = np.concatenate([WEIGHTS, np.ones(len(REPLAY))])
    rows = lgb.Dataset(
        np.concatenate([fresh.X, replay.X]),
        np.concatenate([fresh.y, replay.y]),
        weight=weights,
        categorical_feature=[3],
        params=params,
    )
    return lgb.train(params, rows, learner.update_rounds, init_model=refitted).model_to_string()


def learner_params(learner: Learner) -> dict[str, Any]:
    return learner._update(OPTIONS["lightgbm"]).params


@pytest.mark.parametrize(("task", "options"), TASKS)
def test_an_update_has_the_bytes_of_lightgbms_own_calls(
    task: Task, options: dict[str, Any], tmp_path: Path
) -> None:
    case = prepared(task, options, tmp_path)
    champion = tmp_path / case.learner.file
    alone = by_lightgbm_alone(case, champion)
    for looked_up in (None, champion):
        fresh, replay, _ = batches(case, looked_up)
        updated = case.learner.update(champion, fresh, replay, OPTIONS["lightgbm"], 600)
        assert updated.booster.model_to_string() == alone


@pytest.mark.parametrize(("task", "options"), TASKS)
def test_rows_get_the_predictions_of_the_update_that_left_them_out(
    task: Task, options: dict[str, Any], tmp_path: Path
) -> None:
    case = prepared(task, options, tmp_path)
    champion = tmp_path / case.learner.file
    fresh, replay, held = batches(case, champion)
    predicted = case.learner.predict_updated(champion, fresh, replay, OPTIONS["lightgbm"], 600, held)
    updated = case.learner.update(champion, fresh, replay, OPTIONS["lightgbm"], 600)
    assert predicted.shape == updated.predict(held.X).shape
    np.testing.assert_allclose(predicted, updated.predict(held.X), rtol=1e-12)


@pytest.mark.parametrize(("options", "size"), [({}, 1), (MANY, 2)])
def test_a_leaf_takes_a_byte_or_two(options: dict[str, Any], size: int, tmp_path: Path) -> None:
    case = prepared("regression", options, tmp_path)
    leaves = case.learner.look_up(tmp_path / case.learner.file, case.X)
    assert leaves is not None
    assert leaves.itemsize == size


def test_too_many_rows_are_looked_up_by_each_update_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = prepared("binary", {}, tmp_path)
    champion = tmp_path / case.learner.file
    whole = batches(case, champion)
    monkeypatch.setattr(limits, "MOST_CELLS", 1)
    none = batches(case, champion)
    assert all(each.leaves is None for each in none)
    first, again = (
        case.learner.predict_updated(champion, fresh, replay, OPTIONS["lightgbm"], 600, held)
        for fresh, replay, held in (whole, none)
    )
    np.testing.assert_allclose(first, again, rtol=1e-12)
