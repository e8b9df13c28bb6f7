"""The figures of a run of an earlier release, as a tracker shows them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from incumbent.evaluation.cost import Usage, cost_document
from incumbent.evaluation.decide import Evidence
from incumbent.machine.resources import Resources
from incumbent.params import CostParams, Params
from incumbent.tracking.collect import decisive, figures, parameters, resources, summary, trials
from incumbent.tracking.names import allowed, as_part
from tests.building import changed

RUNS = Path(__file__).parents[1] / "kept" / "8cde439" / "bucket" / "registry" / "flights" / "runs"


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    run = RUNS / "000000000003"
    kept = {
        name: json.loads((run / f"{name}.json").read_text()) for name in ("decision", "drift", "comparison")
    }
    return {**kept, "outcome": {"on_probation": [], "unlabelled": 0, **kept["decision"]}}


def test_the_comparison_arrives_with_its_intervals(documents: dict[str, Any]) -> None:
    evidence = Evidence.from_json(documents["comparison"]["evidence"])
    shown, metric = figures(documents, evidence), documents["outcome"]["metric"]
    assert shown["judging/roc_auc"] == metric["challenger"]["value"]
    assert shown["judging/incumbent_roc_auc"] == metric["champion"]["value"]
    assert [shown["judging/gain_low"], shown["judging/gain_high"]] == metric["ci"]
    assert evidence.compared
    assert shown["judging/rows"] == evidence.compared.rows
    for each in evidence.slices:
        assert shown[f"slices/{each.column}/{each.value}/rows"] == each.rows


def test_the_probability_that_decides_allows_for_the_margin(
    documents: dict[str, Any], flights_params: Params
) -> None:
    evidence = Evidence.from_json(documents["comparison"]["evidence"])
    assert evidence.compared
    margin = evidence.compared.gain.value + 0.001
    policy = changed(flights_params, promotion={"margin": margin}).promotion
    [(name, chance)] = decisive(evidence, policy).items()
    assert name == "judging/probability_better_by_margin"
    assert chance < 0.5 < figures(documents, evidence)["judging/probability_better"]


def test_drift_data_and_seconds_arrive(documents: dict[str, Any]) -> None:
    shown = figures(documents, None)
    assert shown["drift/share"] == documents["drift"]["share"]
    for shift in documents["drift"]["features"]:
        assert shown[f"drift/psi/{shift['column']}"] == shift["psi"]
    outcome = documents["outcome"]
    assert shown["data/partitions_added"] == len(outcome["data"]["added"])
    assert {name: shown[f"seconds/{name}"] for name in outcome["timings"]} == outcome["timings"]


def test_a_columns_name_is_the_same_in_each_run_whatever_its_drift(documents: dict[str, Any]) -> None:
    shifts = [{"column": "visits $", "psi": 0.3}, {"column": "visits %", "psi": 0.1}]
    names: list[dict[float, str]] = []
    for features in (shifts, shifts[::-1]):
        run = {**documents, "drift": {"share": 0.1, "target": None, "features": features}}
        shown = allowed(figures(run, None)).items()
        names.append({value: name for name, value in shown if name.startswith("drift/psi/")})
    assert names[0] == names[1]
    assert len(set(names[0].values())) == 2
    assert all(name.startswith("drift/psi/visits __") for name in names[0].values())


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(("<30", ">30"), id="characters that no tracker takes"),
        pytest.param(("p" * 239, "p" * 238 + "q"), id="long"),
        pytest.param(("a/b", "a_b"), id="a slash"),
        pytest.param(("", "."), id="no name"),
    ],
)
def test_figures_of_different_slices_stay_apart(values: tuple[str, str]) -> None:
    named = {f"slices/{as_part('p' * 239)}/{as_part(value)}/gain_low": 1.0 for value in values}
    names = allowed(named)
    assert len(names) == 2
    assert names == named
    assert all(len(name) < 250 for name in names)


def test_what_is_no_finite_number_is_left_out(documents: dict[str, Any]) -> None:
    broken = {**documents, "drift": {"share": math.nan, "target": None, "features": []}}
    assert "drift/share" not in figures(broken, None)


def test_a_step_that_was_not_reached_leaves_no_figure(documents: dict[str, Any]) -> None:
    assert {name.split("/")[0] for name in figures({"outcome": documents["outcome"]}, None)} == {
        "data",
        "seconds",
    }


def test_what_a_run_cost_has_its_unit_in_the_name_and_nothing_that_is_unknown() -> None:
    usage = Usage(Resources(12.5, 640_000_000), 20.0, 40, 1, 3_000_000, 500_000)
    prices = CostParams(cpu_hour=3600, currency="EUR")
    assert resources(cost_document(usage, prices)) == {
        "system/cpu_seconds": 12.5,
        "system/wall_seconds": 20.0,
        "system/peak_memory_megabytes": 640.0,
        "system/s3_requests": 40.0,
        "system/s3_retries": 1.0,
        "system/received_megabytes": 3.0,
        "system/sent_megabytes": 0.5,
        "system/cost_eur": 12.5,
    }


def test_parameters_have_the_names_of_the_guide() -> None:
    params = {"learner": {"name": "lightgbm", "options": {}}, "seed": 1}
    assert parameters(params) == {"learner.name": "lightgbm", "learner.options": "{}", "seed": "1"}


def test_a_study_of_an_earlier_release_has_no_curves() -> None:
    [trial] = trials({"trials": [{"number": 0, "value": 0.7, "options": {}, "rounds": 9, "pruned": False}]})
    assert (trial.score, trial.curve) == (0.7, ())


def test_the_summary_gives_decision_plan_and_reasons(documents: dict[str, Any]) -> None:
    text, outcome = summary(documents["outcome"], {"The run": "http://x"}), documents["outcome"]
    assert text.startswith(f"**{outcome['decision']['kind']}**")
    assert all(
        f"- {reason}" in text for reason in outcome["decision"]["reasons"] + outcome["plan"]["reasons"]
    )
    assert text.endswith("[The run](http://x)")
