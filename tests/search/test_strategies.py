"""Every search strategy on one small table: what is tried, how often, and when it stops."""

import math
from typing import Any

import pytest

from incumbent.errors import BadParams
from incumbent.features.rows import Rows
from incumbent.search.tune import StudyResult, tune
from tests.searching import SCHEMA, learner, table, with_search

STRATEGIES = ["grid", "random", "tpe", "gp", "cmaes", "genetic"]
GRID = {"num_leaves": [15, 31], "learning_rate": [0.05, 0.1, 0.2]}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return table()


def study(rows: Rows, **search: Any) -> StudyResult:
    params = with_search(**search)
    return tune(rows, learner(params), SCHEMA, params)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_spends_its_trials_on_different_options_and_repeats_itself(
    rows: Rows, strategy: str
) -> None:
    grid = GRID if strategy == "grid" else {}
    trials = 6 if strategy == "gp" else 8  # a second each
    once, twice = (study(rows, strategy=strategy, grid=grid, trials=trials) for _ in range(2))
    assert once == twice
    assert len({tuple(trial.options.values()) for trial in once.trials}) >= 4
    tried = [(trial.options["num_leaves"], trial.options["learning_rate"]) for trial in once.trials]
    # A genetic search inherits single options from its parents: it repeats them, not the whole.
    assert strategy == "genetic" or len(set(tried)) >= 4
    assert all(15 <= leaves <= 63 and 0.05 <= rate <= 0.2 for leaves, rate in tried)
    assert once.options in [trial.options for trial in once.trials if not trial.pruned]


def test_a_grid_tries_each_combination_once_and_leaves_the_rest_in_the_middle(rows: Rows) -> None:
    trials = study(rows, strategy="grid", grid=GRID).trials
    tried = [(trial.options["num_leaves"], trial.options["learning_rate"]) for trial in trials]
    assert sorted(tried) == sorted((leaves, rate) for leaves in (15, 31) for rate in (0.05, 0.1, 0.2))
    middle = {"feature_fraction": 0.55, "lambda_l2": math.sqrt(1e-3 * 100)}
    assert all({name: trial.options[name] for name in middle} == pytest.approx(middle) for trial in trials)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        pytest.param({}, "search.grid names nothing; .*'num_leaves'", id="empty"),
        pytest.param({"leaves": [3]}, r"search.grid names \['leaves'\]", id="unknown option"),
        pytest.param(
            {"num_leaves": [15, 900]},
            r"search.grid.num_leaves has \[900\], outside of \[15, 63\]",
            id="out of range",
        ),
        pytest.param(
            {"num_leaves": [15, 20.5]},
            r"search.grid.num_leaves has \[20.5\], outside of \[15, 63\]",
            id="half a leaf",
        ),
        pytest.param(
            {"num_leaves": [15, 20, 31], "learning_rate": [0.1, 0.15, 0.2]},
            "9 combinations, more than",
            id="too many",
        ),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(rows: Rows, grid: dict[str, list[float]], message: str) -> None:
    with pytest.raises(BadParams, match=message):
        study(rows, strategy="grid", grid=grid)


def test_a_search_stops_when_the_best_stays_the_best(rows: Rows) -> None:
    long = study(rows, strategy="random", trials=40)
    short = study(rows, strategy="random", trials=40, stall=4)
    best = max(range(len(short.trials)), key=lambda number: short.trials[number].value)
    assert len(short.trials) == best + 5 < len(long.trials) == 40
    assert short.trials == long.trials[: len(short.trials)]


def test_no_trial_begins_after_the_timeout(rows: Rows) -> None:
    assert 1 <= len(study(rows, strategy="random", trials=5_000, timeout=0.5).trials) < 5_000
