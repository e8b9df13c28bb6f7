"""The figures of a run of an earlier release, as a tracker shows them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from incumbent.evaluation.cost import Usage, cost_document
from incumbent.evaluation.decide import Evidence
from incumbent.machine.resources import Resources
from incumbent.params import CostParams
from incumbent.tracking.collect import figures, parameters, resources, summary, trials

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
    assert shown["judging/judging_rows"] == evidence.compared.rows
    for each in evidence.slices:
        assert shown[f"slices/{each.column}/{each.value}/rows"] == each.rows


def test_drift_data_and_seconds_arrive(documents: dict[str, Any]) -> None:
    shown = figures(documents, None)
    assert shown["drift/share"] == documents["drift"]["share"]
    for shift in documents["drift"]["features"]:
        assert shown[f"drift/psi/{shift['column']}"] == shift["psi"]
    outcome = documents["outcome"]
    assert shown["data/partitions_added"] == len(outcome["data"]["added"])
    assert {name: shown[f"seconds/{name}"] for name in outcome["timings"]} == outcome["timings"]


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
