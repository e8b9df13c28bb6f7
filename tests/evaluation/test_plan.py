"""Whether to retrain and how: a table of measurements, the plan, and the figures that it gives."""

import json
from dataclasses import replace

import pytest

from incumbent.evaluation.plan import (
    Full,
    Incremental,
    Measurements,
    Plan,
    Skip,
    Strategy,
    choose,
    plan_from_json,
)
from incumbent.params import RetrainParams

POLICY = RetrainParams(
    min_rows=1000, max_decay=0.03, max_total_drift=1.0, max_unseen=0.05, max_updates=6, max_growth=0.5
)
ARRIVAL = Measurements("v7", new_rows=24_000, added=1, promised=0.72, live=0.71)


def arrival(**others: object) -> Measurements:
    """A month was appended, and all is well but for `others`."""
    return replace(ARRIVAL, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "strategy", "plan"),
    [
        pytest.param(Measurements(None), "auto", Full, id="no champion"),
        pytest.param(Measurements(None, labelled=False), "full", Skip, id="no label at all"),
        pytest.param(Measurements(None), "incremental", Full, id="no champion to update"),
        pytest.param(arrival(), "auto", Incremental, id="rows were appended"),
        pytest.param(arrival(), "incremental", Incremental, id="an update was asked for"),
        pytest.param(arrival(), "full", Full, id="full was asked for"),
        pytest.param(Measurements("v7"), "full", Full, id="full was asked for with nothing new"),
        pytest.param(Measurements("v7"), "auto", Skip, id="nothing new"),
        pytest.param(Measurements("v7"), "incremental", Skip, id="an update with nothing new"),
        pytest.param(
            Measurements("v7", on_probation=("x",)), "auto", Skip, id="nothing new but on probation"
        ),
        pytest.param(arrival(on_probation=("x",)), "auto", Incremental, id="one more on probation"),
        pytest.param(
            Measurements(None, labelled=False, on_probation=("x",)), "auto", Skip, id="all on probation"
        ),
        pytest.param(arrival(news=("x",)), "auto", Full, id="news"),
        pytest.param(arrival(news=("x",)), "incremental", Full, id="news outrank the wish"),
        pytest.param(arrival(news=("x",), new_rows=9), "auto", Full, id="news need no number of rows"),
        pytest.param(arrival(new_rows=999), "auto", Skip, id="too few rows"),
        pytest.param(arrival(new_rows=999), "incremental", Skip, id="too few rows for the update"),
        pytest.param(arrival(new_rows=1000), "auto", Incremental, id="just enough rows"),
        pytest.param(arrival(schema_changes=("column 'x' is new",)), "auto", Full, id="another schema"),
        pytest.param(arrival(schema_changes=("x",)), "incremental", Full, id="schema outranks the wish"),
        pytest.param(arrival(params_changes=("split",)), "auto", Full, id="other parameters"),
        pytest.param(Measurements("v7", params_changes=("seed",)), "auto", Full, id="only other parameters"),
        pytest.param(arrival(changed=("a.parquet",)), "auto", Full, id="history was corrected"),
        pytest.param(Measurements("v7", changed=("a.parquet",)), "auto", Full, id="corrected, nothing new"),
        pytest.param(arrival(removed=("a.parquet",)), "auto", Full, id="history was removed"),
        pytest.param(Measurements("v7", removed=("a.parquet",)), "auto", Full, id="removed, nothing new"),
        pytest.param(arrival(unseen_share=0.051), "auto", Full, id="many unseen categories"),
        pytest.param(arrival(unseen_share=0.05), "auto", Incremental, id="as many unseen as allowed"),
        pytest.param(arrival(unseen_share=1.0), "auto", Full, id="a text became a number"),
        pytest.param(arrival(schema_changes=("column 'x' is gone",)), "auto", Full, id="lost column"),
        pytest.param(arrival(schema_changes=("'x' was a number",)), "auto", Full, id="type change"),
        pytest.param(arrival(schema_changes=("class 'c' is new",)), "auto", Full, id="new class"),
        pytest.param(arrival(drift=0.51, moved=("x",)), "auto", Full, id="drift"),
        pytest.param(arrival(drift=0.5, moved=("x",)), "auto", Incremental, id="as much drift as allowed"),
        pytest.param(arrival(drift=0.3, drift_since_full=0.71), "auto", Full, id="drift in small steps"),
        pytest.param(arrival(drift=0.25, drift_since_full=0.75), "auto", Incremental, id="one step less"),
        pytest.param(arrival(target_moved="PSI 0.30"), "auto", Full, id="the target drifted"),
        pytest.param(arrival(drift=0.9, new_rows=10), "auto", Skip, id="too few rows to tell drift"),
        pytest.param(arrival(live=0.689), "auto", Full, id="decay"),
        pytest.param(arrival(live=0.695), "auto", Incremental, id="a little decay"),
        pytest.param(arrival(live=0.80), "auto", Incremental, id="better than promised"),
        pytest.param(arrival(live=None), "auto", Incremental, id="no live score"),
        pytest.param(arrival(promised=None, live=0.1), "auto", Incremental, id="nothing was promised"),
        pytest.param(arrival(updates=6), "auto", Full, id="the budget of updates is spent"),
        pytest.param(arrival(updates=6), "incremental", Full, id="the budget outranks the wish"),
        pytest.param(arrival(updates=5), "auto", Incremental, id="the last update of the budget"),
        pytest.param(arrival(growth=0.51), "auto", Full, id="the champion has fallen far behind"),
        pytest.param(arrival(growth=0.5), "auto", Incremental, id="as much growth as allowed"),
        pytest.param(arrival(new_rows=10, live=0.6), "auto", Skip, id="too few rows to tell decay"),
    ],
)
def test_measurements_are_answered_by_a_plan(
    seen: Measurements, strategy: Strategy, plan: type[Plan]
) -> None:
    assert type(choose(seen, POLICY, strategy)) is plan


@pytest.mark.parametrize(
    ("seen", "strategy", "reasons"),
    [
        pytest.param(Measurements(None), "auto", ["no champion yet"], id="first model"),
        pytest.param(arrival(), "full", ["asked for with --strategy full"], id="full on demand"),
        pytest.param(Measurements("v7"), "auto", ["nothing new since champion v7"], id="nothing new"),
        pytest.param(
            arrival(new_rows=999),
            "auto",
            ["999 new rows with a label are fewer than retrain.min_rows = 1,000"],
            id="too few rows",
        ),
        pytest.param(
            arrival(), "auto", ["24,000 rows were appended and nothing else changed"], id="incremental"
        ),
        pytest.param(
            arrival(),
            "incremental",
            ["asked for with --strategy incremental, and 24,000 rows were appended and nothing else changed"],
            id="incremental on demand",
        ),
        pytest.param(
            arrival(
                schema_changes=("column 'x' is new", "column 'z' is gone"),
                params_changes=("search", "seed"),
                changed=("a.parquet", "b.parquet"),
                removed=("c.parquet",),
                unseen_share=0.0678,
                live=0.65,
                updates=7,
                growth=0.618,
            ),
            "auto",
            [
                "schema: column 'x' is new",
                "schema: column 'z' is gone",
                "params.yaml changed since the champion: search, seed",
                "history was corrected: a.parquet, b.parquet",
                "history was removed: c.parquet",
            ],
            id="every reason against the champion",
        ),
        pytest.param(
            arrival(
                unseen_share=0.068,
                promised=0.72,
                live=0.65,
                updates=7,
                growth=0.618,
                drift=0.62,
                moved=("temp PSI 1.23", "dewp PSI 0.40"),
                target_moved="PSI 0.31 above 0.25",
            ),
            "auto",
            [
                "6.8% of the new rows hold a category never seen, more than retrain.max_unseen = 5.0%",
                "drift: the target moved, PSI 0.31 above 0.25",
                "drift: 62% of the champion's gain rests on columns that moved (temp PSI 1.23, dewp PSI "
                "0.40), more than retrain.max_drift = 50%",
                "decay: the champion promised roc_auc 0.7200 and reached 0.6500 on the new rows, "
                "worse by more than retrain.max_decay = 0.03",
                "7 updates since the last full training: the budget is spent",
                "the data grew by 62% since champion v7, more than retrain.max_growth = 50%",
            ],
            id="every reason against an update",
        ),
        pytest.param(
            arrival(drift=0.4, drift_since_full=0.81),
            "auto",
            [
                "drift: 121% of the gain in all since the last full training, more than "
                "retrain.max_total_drift = 100%"
            ],
            id="drift that added up",
        ),
    ],
)
def test_a_plan_gives_every_rule_that_spoke_for_it(
    seen: Measurements, strategy: Strategy, reasons: list[str]
) -> None:
    assert list(choose(seen, POLICY, strategy).because) == reasons


def test_a_plan_is_written_as_its_kind_and_reasons() -> None:
    assert choose(Measurements(None), POLICY).to_json() == {"kind": "full", "reasons": ["no champion yet"]}
    assert (Skip(()).kind, Incremental(()).kind) == ("skip", "incremental")


@pytest.mark.parametrize("kind", [Skip, Incremental, Full])
def test_a_plan_is_read_back_as_it_was_kept(kind: type[Plan]) -> None:
    plan = kind(("one reason", "another"))
    read = plan_from_json(json.loads(json.dumps(plan.to_json())))
    assert (type(read), read) == (kind, plan)


def test_a_skip_for_probation_says_who_is_on_it_and_a_full_training_for_news_says_what_they_are() -> None:
    why = ("2026-05.parquet is on probation: …",)
    assert choose(Measurements("v7", on_probation=why), POLICY).because == why
    assert choose(Measurements(None, labelled=False, on_probation=why), POLICY).because == why
    assert choose(arrival(news=("prices rose",)), POLICY).because == ("news: prices rose",)
