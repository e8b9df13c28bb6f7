"""Trials that go wrong are told, by real trainings, and a usual search says nothing."""

from dataclasses import replace
from typing import Any

import pytest

from incumbent.errors import NotFinite
from incumbent.features.rows import Rows
from incumbent.features.schema import Feature, Schema
from incumbent.learners import open_learner
from incumbent.params import Params
from incumbent.search.anomalies import trial_anomalies
from incumbent.search.tune import StudyResult, TrialResult, tune
from tests.building import changed, toy_params
from tests.searching import SCHEMA, table, with_search

LIKE = {"num_leaves": 31, "learning_rate": 0.1}


def torch_params(space: dict[str, Any], **learner: Any) -> Params:
    base = toy_params(search={"trials": 2, "folds": 3}).model_dump()
    params = Params.model_validate({**base, "learner": {"name": "torch"}})
    quick = {"rounds": 5, "patience": 5, "batch": 64, **learner}
    return changed(params, learner=quick, search={"space": space})


def study(params: Params, rows: Rows | None = None, schema: Schema = SCHEMA) -> StudyResult:
    return tune(rows or table(), open_learner(params, schema), schema, params)


def kinds(params: Params, result: StudyResult) -> set[str]:
    return {each.kind for each in trial_anomalies(result.trials, params.fold_metric)}


def trial(
    number: int, seconds: float, options: dict[str, Any] | None = None, rounds: int = 100
) -> TrialResult:
    curve = ((rounds, 0.7),)
    return TrialResult(number, 0.7, options or LIKE, (0.7, 0.7), rounds, False, 0, curve, seconds)


@pytest.mark.parametrize("space", [{}, {"rate": 0.03}, {"rate": 0.1, "depth": 1}], ids=str)
def test_a_usual_network_has_no_anomaly_even_where_its_rate_is_high(space: dict[str, Any]) -> None:
    params = torch_params(space)
    assert kinds(params, study(params)) == set()


def test_a_usual_search_of_trees_has_no_anomaly() -> None:
    params = with_search(trials=8)
    assert kinds(params, study(params)) == set()


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_rate_at_which_a_networks_loss_grows_is_told(metric: str) -> None:
    params = changed(torch_params({"rate": 1.0, "depth": 3}), promotion={"metric": metric})
    result = study(params)
    assert kinds(params, result) == {"diverging_loss"}
    [first, *_] = trial_anomalies(result.trials, metric)
    assert first.what.startswith("trial 0: the loss grew to ")
    assert "rate = 1," in first.what
    assert "smaller rates in search.space" in first.what
    assert first.value is not None
    assert first.value > 10


def test_trees_whose_error_explodes_are_told() -> None:
    space = {"learning_rate": 1e30}
    params = with_search(trials=3, space=space)
    params = changed(params, task="regression", promotion={"metric": "rmse"})
    rows = table()
    rows = Rows(rows.X, rows.X[:, 0].astype("float64"), rows.group)
    schema = Schema(tuple(Feature(name) for name in "abc"), "y", 1, task="regression")
    assert kinds(params, study(params, rows, schema)) == {"diverging_loss"}


def test_a_network_that_predicts_nan_ends_the_search_with_its_options_and_the_way_out() -> None:
    params = torch_params({"rate": 1.0, "decay": 1e30})
    with pytest.raises(NotFinite) as ended:
        study(params)
    said = str(ended.value)
    assert said.startswith("trial 0 of the search diverged: ")
    assert "predictions are NaN or infinite, with rate = 1," in said
    assert said.endswith("give search.space in params.yaml a range of smaller rates")


def test_what_was_measured_of_a_trial_is_no_part_of_the_studys_document() -> None:
    result = study(with_search(trials=3))
    assert all(each.seconds and each.seconds > 0 for each in result.trials)
    again = StudyResult.from_json(result.to_json())
    assert again == result
    assert [each.seconds for each in again.trials] == [None] * 3
    slower = [replace(each, seconds=99.0) for each in result.trials]
    assert replace(result, trials=tuple(slower)).to_json() == result.to_json()


def test_a_trial_ten_times_slower_than_its_like_is_told() -> None:
    trials = [trial(number, 2.0) for number in range(5)] + [trial(5, 30.0)]
    [anomaly] = trial_anomalies(trials, "roc_auc")
    assert anomaly.kind == "slow_trial"
    assert anomaly.what.startswith(
        "trial 5 took 30 s, 15 times as long for a round as the median of 6 trials, with num_leaves = 31"
    )


@pytest.mark.parametrize(
    "slowest",
    [
        pytest.param(trial(5, 18.0), id="nine times"),
        pytest.param(trial(5, 30.0, rounds=1000), id="more rounds"),
        pytest.param(trial(5, 30.0, {**LIKE, "num_leaves": 1024}), id="a much larger model"),
    ],
)
def test_a_trial_that_had_more_to_do_is_not(slowest: TrialResult) -> None:
    assert trial_anomalies([*(trial(number, 2.0) for number in range(5)), slowest], "roc_auc") == []


def test_milliseconds_and_few_trials_tell_nothing() -> None:
    assert trial_anomalies([*(trial(number, 0.02) for number in range(5)), trial(5, 0.9)], "roc_auc") == []
    assert trial_anomalies([trial(0, 2.0), trial(1, 2.0), trial(2, 90.0)], "roc_auc") == []
    assert trial_anomalies([replace(trial(n, 1.0), seconds=None) for n in range(6)], "roc_auc") == []
