"""search.space: the user's ranges and values in place of the usual ones, by every strategy."""

from typing import Any

import pytest

from incumbent.errors import BadParams
from incumbent.params import Params, parse_params
from incumbent.search.studies import study_ref
from incumbent.search.tune import StudyResult, tune
from tests.building import toy_params
from tests.search.test_strategies import STRATEGIES
from tests.searching import SCHEMA, learner, table, with_search

SPACE: dict[str, Any] = {
    "num_leaves": [70, 255],
    "learning_rate": {"low": 0.3, "high": 0.5, "log": True},
    "max_depth": 6,
    "cat_smooth": [1, 100],
    "feature_fraction": 1,
    "extra_trees": True,
}


def study(**search: Any) -> StudyResult:
    params = with_search(**search)
    return tune(table(), learner(params), SCHEMA, params)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_searches_the_users_space_and_keeps_what_it_fixes(strategy: str) -> None:
    grid = {"num_leaves": [100, 200], "cat_smooth": [1, 50, 100]} if strategy == "grid" else {}
    trials = 6 if strategy == "gp" else 8
    result = study(strategy=strategy, grid=grid, trials=trials, space=SPACE)
    tried = [trial.options for trial in result.trials]
    assert all(70 <= each["num_leaves"] <= 255 for each in tried)
    assert all(0.3 <= each["learning_rate"] <= 0.5 and 1 <= each["cat_smooth"] <= 100 for each in tried)
    assert {(each["max_depth"], each["feature_fraction"], each["extra_trees"]) for each in tried} == {
        (6, 1.0, True)
    }
    assert all(20 <= each["min_child_samples"] <= 400 for each in tried), "the rest stays as usual"
    assert len({each["num_leaves"] for each in tried}) > 1


def test_an_empty_space_is_the_usual_one() -> None:
    assert study(trials=3) == study(trials=3, space={})


def test_the_usual_range_by_hand_is_the_usual_one() -> None:
    usual = {"learning_rate": [0.05, 0.2], "num_leaves": {"low": 15, "high": 63, "log": True}}
    assert study(trials=3) == study(trials=3, space=usual)


def test_the_order_of_the_lines_does_not_matter() -> None:
    backwards = dict(reversed(SPACE.items()))
    assert study(trials=3, space=SPACE) == study(trials=3, space=backwards)


@pytest.mark.parametrize(
    ("asked", "log"),
    [
        pytest.param([0.1, 10], True, id="usual scale"),
        pytest.param([0, 10], False, id="from 0 on"),
        pytest.param({"low": 0.1, "high": 10, "log": False}, False, id="as asked"),
    ],
)
def test_a_range_has_the_options_usual_scale_unless_it_names_one(asked: Any, log: bool) -> None:
    params = with_search(space={"lambda_l1": asked})
    assert params.space["lambda_l1"].log is log  # type: ignore[union-attr]


def test_a_space_of_one_point_is_searched_at_that_point() -> None:
    fixed = {
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_child_samples": 20,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.9,
        "lambda_l2": 1.0,
    }
    result = study(trials=2, space=fixed)
    assert result.options == {**fixed, "bagging_freq": 1}


def test_a_network_is_searched_in_the_users_space_too() -> None:
    search = {"trials": 2, "folds": 2, "space": {"width": [8, 16], "depth": 1}}
    tree = {**toy_params().model_dump(), "search": search, "learner": {"name": "torch", "rounds": 2}}
    params = Params.model_validate(tree)
    tried = [trial.options for trial in tune(table(), learner(params), SCHEMA, params).trials]
    assert all(8 <= each["width"] <= 16 and each["depth"] == 1 for each in tried)


def test_another_space_is_another_study_and_a_reason_to_train_in_full(tmp_path: Any) -> None:
    one, other = with_search(), with_search(space={"num_leaves": 31})
    assert one.digest() != other.digest()
    assert study_ref(tmp_path, one, one.digest()) != study_ref(tmp_path, other, other.digest())
    assert other.shaping_changes(one.model_dump(mode="json")) == ("search",)


def test_a_version_from_before_there_was_a_space_had_the_usual_one() -> None:
    manifest = with_search().model_dump(mode="json")
    del manifest["search"]["space"]
    assert with_search().shaping_changes(manifest) == ()


REFUSED = [
    pytest.param(
        "{leaves: [3, 9]}",
        "search.space names 'leaves': lightgbm can search learning_rate, num_leaves, min_child_samples",
        id="unknown",
    ),
    pytest.param(
        "{min_data_in_leaf: 20}",
        "search.space names 'min_data_in_leaf': it is called min_child_samples here",
        id="another of its names",
    ),
    pytest.param(
        "{num_leaves: [63, 15]}",
        "search.space.num_leaves = [63, 15]: low must be below high; a value alone fixes the option",
        id="backwards",
    ),
    pytest.param(
        "{num_leaves: [1, 15]}",
        "search.space.num_leaves = [1, 15]: it is a whole number from 2 to 131072",
        id="too few",
    ),
    pytest.param(
        "{num_leaves: 31.5}",
        "search.space.num_leaves = 31.5: it is a whole number from 2 to 131072",
        id="half a leaf",
    ),
    pytest.param(
        "{learning_rate: 0}", "search.space.learning_rate = 0: it is a number above 0", id="nothing learned"
    ),
    pytest.param(
        "{feature_fraction: [.5, .inf]}",
        "search.space.feature_fraction = [0.5, inf]: it is a number above 0 to 1",
        id="infinite",
    ),
    pytest.param("{num_leaves: many}", "search.space.num_leaves = 'many': it is a whole number", id="text"),
    pytest.param("{max_depth: [-1, 6]}", "search.space.max_depth", id="a range from no limit"),
    pytest.param("{max_depth: true}", "search.space.max_depth = True: it is a whole number", id="true"),
    pytest.param(
        "{num_leaves: [15, 31, 63]}",
        "search.space.num_leaves = [15, 31, 63]: a range is [low, high], or with its scale "
        "{low: 1, high: 9, log: true}; a list of values belongs into search.grid",
        id="values",
    ),
    pytest.param("{num_leaves: {low: 15}}", "a range is [low, high]", id="no end"),
    pytest.param("{num_leaves: {low: 15, high: 63, step: 2}}", "a range is [low, high]", id="a step"),
    pytest.param(
        "{lambda_l2: {low: 0, high: 9, log: true}}",
        "search.space.lambda_l2 = {'low': 0, 'high': 9, 'log': True}: a logarithmic scale begins above 0",
        id="log of 0",
    ),
    pytest.param(
        "{extra_trees: [0, 1]}",
        "search.space.extra_trees = [0, 1]: it is true or false, not a range",
        id="neither",
    ),
    pytest.param(
        "[num_leaves]", "search.space = ['num_leaves']: Input should be a valid dictionary", id="list"
    ),
]
TABLE = "dataset: {name: toy, target: y}\nregistry: {address: s3://bucket/registry}\n"


@pytest.mark.parametrize(("space", "told"), REFUSED)
def test_a_space_that_does_not_fit_is_refused(space: str, told: str, tmp_path: Any) -> None:
    with pytest.raises(BadParams) as caught:
        parse_params(f"{TABLE}search: {{space: {space}}}", tmp_path / "params.yaml")
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "params.yaml"))


def test_an_option_that_learner_options_fixes_is_refused_by_either_name(tmp_path: Any) -> None:
    options = "learner: {name: lightgbm, options: {reg_alpha: 1}}\n"
    text = f"{TABLE}{options}search: {{space: {{lambda_l1: [1, 2]}}}}"
    with pytest.raises(
        BadParams, match=r"search\.space\.lambda_l1 and learner\.options\.reg_alpha = 1 are the"
    ):
        parse_params(text, tmp_path / "params.yaml")


def test_a_network_refuses_the_options_of_trees(tmp_path: Any) -> None:
    text = f"{TABLE}learner: {{name: torch}}\nsearch: {{space: {{num_leaves: 31}}}}"
    with pytest.raises(
        BadParams, match="names 'num_leaves': torch can search rate, width, depth, dropout, decay"
    ):
        parse_params(text, tmp_path / "params.yaml")
