"""The main job on a real stack: by hand, by event, blocked, and the same by `dvc repro`."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from incumbent.demo.flights import break_month
from tests.flows.conftest import Project, run_dvc

DOCUMENT = {"run", "data", "verdict", "plan", "challenger", "metric", "decision", "champion", "timings"}


def test_retrain_prints_the_documented_document(first: dict[str, Any]) -> None:
    assert set(first) >= DOCUMENT
    assert set(first["data"]) >= {"rev", "md5", "added", "changed", "removed"}
    assert first["data"]["added"] == ["2013-01.parquet"]
    assert set(first["metric"]) >= {"name", "champion", "challenger", "difference", "ci"}
    assert (first["plan"]["kind"], first["plan"]["reasons"]) == ("full", ["no champion yet"])
    assert first["plan"]["window"]["partitions"] is None
    assert set(first["timings"]) >= {"gate", "make_plan", "tune", "train", "compare", "register", "promote"}


def test_the_first_challenger_must_beat_the_trivial_baseline(first: dict[str, Any]) -> None:
    assert first["metric"]["champion"]["value"] == 0.5
    assert first["metric"]["ci"][0] > 0
    assert (first["decision"]["kind"], first["champion"]) == ("promote", first["challenger"])


def test_the_event_starts_a_run_on_a_worker(project: Project, arrival: dict[str, Any]) -> None:
    assert arrival["started_by"].startswith("event ")
    assert arrival["data"]["added"] == ["2013-02.parquet"]
    assert arrival["decision"]["kind"] in {"promote", "hold", "reject"}
    runs = project.api("flow_runs/filter", {"flow_runs": {"tags": {"all_": ["event"]}}})
    (run,) = [run for run in runs if run["name"].startswith(arrival["data"]["name"])]
    assert run["work_pool_name"] == "cpu"
    assert {"model:flights", f"decision:{arrival['decision']['kind']}"} <= set(run["tags"])


def test_the_ui_shows_gate_plan_training_and_decision(project: Project, arrival: dict[str, Any]) -> None:
    assert arrival["run"]
    artifacts = project.api("artifacts/latest/filter", {})
    shown = {artifact["key"]: artifact["data"] for artifact in artifacts}
    assert {"gate", "gate-expectations", "plan", "tuning", "cross-validation", "decision"} <= set(shown)
    assert "data:image/png;base64," in shown["decision"]
    assert "data:image/png;base64," in shown["cross-validation"]


def test_the_ui_links_data_docs_and_the_report(project: Project, arrival: dict[str, Any]) -> None:
    assert arrival["run"]
    shown = {each["key"]: each["data"] for each in project.api("artifacts/latest/filter", {})}
    for key, text in (("gate", "Validation"), ("decision", "Comparison on rows")):
        [link] = re.findall(r"\]\((http[^)]+)\)", shown[key])
        page = httpx.get(link)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert text in page.text


def test_an_appended_month_updates_the_champion_instead_of_starting_over(arrival: dict[str, Any]) -> None:
    assert arrival["plan"]["kind"] == "incremental"
    assert "tune" not in arrival["timings"]


def test_the_registry_looks_as_the_design_draws_it(project: Project, arrival: dict[str, Any]) -> None:
    keys = set(project.listing("registry/flights/"))
    number = arrival["run"]
    for name in ("start.json", "gate.json", "plan.json", "decision.json", "report.html"):
        assert f"registry/flights/runs/{number:012d}/{name}" in keys
    for name in ("manifest.json", "model.txt", "metrics.json"):
        assert f"registry/flights/versions/{arrival['challenger']}/{name}" in keys
    assert "registry/flights/champion.json" in keys
    assert "registry/flights/log/000000000001.json" in keys
    assert "registry/flights/scores/2013-02.parquet.json" in keys
    tops = {key.removeprefix("registry/flights/").split("/")[0] for key in keys}
    drawn = {"versions", "champion.json", "log", "runs", "claims", "scores"}
    by_other_tests = {".selftest", "quarantine", "predictions", "labels", "monitor"}
    assert drawn <= tops <= drawn | by_other_tests


def test_the_same_version_again_is_a_recorded_skip(project: Project, arrival: dict[str, Any]) -> None:
    office = project.champion()
    again = project.run("retrain", "--json").json
    assert again["decision"]["kind"] == "skip"
    assert f"run {arrival['run']}" in again["decision"]["reasons"][0]
    assert f"registry/flights/runs/{again['run']:012d}/decision.json" in project.listing()
    assert again["champion"] == office == project.champion()


def test_a_dry_run_leaves_no_trace(project: Project, arrival: dict[str, Any]) -> None:
    before = project.listing()
    dry = project.run("retrain", "--dry-run", "--strategy", "full", "--json").json
    assert (dry["run"], dry["decision"]["kind"], dry["plan"]["kind"]) == (None, "dry-run", "full")
    assert project.listing() == before


def test_the_updates_since_the_last_full_training_are_shown(
    project: Project, first: dict[str, Any], arrival: dict[str, Any]
) -> None:
    manifest = project.run("models", "show", arrival["challenger"], "--json").json
    update, full = manifest["lineage"]
    assert [update["version"], full["version"]] == [arrival["challenger"], first["champion"]]
    assert [update["kind"], full["kind"]] == ["incremental", "full"]
    assert update["rounds"] > full["rounds"]
    assert 0 <= update["drift"] <= 1
    assert manifest["drift_since_full"] == update["drift"]
    shown = project.run("models", "show", arrival["challenger"]).out
    assert f"{full['version']}  " in shown[shown.index("lineage") :]


def test_dvc_repro_and_a_full_run_give_the_same_bytes(project: Project, arrival: dict[str, Any]) -> None:
    full = project.run("retrain", "--strategy", "full", "--json").json
    manifest = project.run("models", "show", full["challenger"], "--json").json
    run_dvc(project.path, project.environment, "pull", "--quiet", "data.dvc")
    run_dvc(project.path, project.environment, "repro", "--quiet")
    model = (project.path / "pipeline" / "model.txt").read_bytes()
    assert hashlib.sha256(model).hexdigest() == manifest["files"]["model.txt"]["sha256"]
    project.git("reset", "--quiet", "--hard")


def test_a_broken_month_is_turned_away_at_the_door(
    project: Project, arrival: dict[str, Any], tmp_path: Path
) -> None:
    broken = tmp_path / "2013-03.parquet"
    break_month(project.months[3], broken)
    before = project.trace()
    done = project.run("ingest", broken, "--json")
    assert done.code == 3
    assert done.json["decision"]["kind"] == "block"
    assert "40.0 %" in done.json["decision"]["reasons"][0]
    assert "distance" in done.json["decision"]["reasons"][0]
    assert project.trace() == before
    assert not (project.path / "data" / "2013-03.parquet").exists()
    assert_reason_is_shown(project, done.json["run"], "distance")


def test_a_broken_version_that_a_person_pushed_is_blocked_before_training(
    project: Project, arrival: dict[str, Any], tmp_path: Path
) -> None:
    broken = tmp_path / "2013-03.parquet"
    frame = pd.read_parquet(project.months[3])
    frame.assign(distance=frame["distance"].astype("str") + " mi").to_parquet(broken)
    branch = project.branch_with("wrong-type", broken)
    before = project.trace()
    done = project.run("retrain", "--data-rev", branch, "--require-promotion", "--json")
    assert done.code == 3
    assert (done.json["verdict"], done.json["decision"]["kind"]) == ("block", "block")
    assert (done.json["plan"], done.json["challenger"]) == (None, None)
    assert project.trace() == before
    assert_reason_is_shown(project, done.json["run"], "distance")


def test_score_writes_the_champions_predictions(
    project: Project, arrival: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    done = project.run("score", project.months[4], out, "--json")
    assert done.code == 0, done.err
    scores = pd.read_parquet(out)
    assert len(scores) == done.json["rows"] == len(pd.read_parquet(project.months[4]))
    assert list(scores.columns) == ["time_hour", "carrier", "flight", "score", "version"]
    assert scores["score"].between(0, 1).all()
    assert scores["score"].nunique() > 100


def test_pull_brings_verified_files(project: Project, first: dict[str, Any], tmp_path: Path) -> None:
    done = project.run("models", "pull", first["challenger"], "--to", tmp_path / "model", "--json")
    for name, known in done.json["files"].items():
        assert hashlib.sha256((tmp_path / "model" / name).read_bytes()).hexdigest() == known["sha256"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["models", "list"], id="list"),
        pytest.param(["models", "show", "champion"], id="show"),
        pytest.param(["models", "history"], id="history"),
        pytest.param(["status"], id="status"),
    ],
)
def test_looking_works_for_people_and_for_programs(
    project: Project, first: dict[str, Any], command: list[str]
) -> None:
    assert first["challenger"]
    assert project.champion() in project.run(*command).out
    assert project.champion() in json.dumps(project.run(*command, "--json").json)


def assert_reason_is_shown(project: Project, run: int, reason: str) -> None:
    """In the UI's newest gate artifact, and in the run's JSON in the registry."""
    (gate,) = project.api("artifacts/latest/filter", {"artifacts": {"key": {"any_": ["gate"]}}})
    assert "# Gate: block" in gate["data"]
    assert reason in gate["data"]
    assert f"registry/flights/runs/{run:012d}/gate.json" in project.listing()
    kept = json.loads((project.path / ".incumbent" / "runs" / f"{run:012d}" / "gate.json").read_text())
    failed = [finding for finding in kept["findings"] if not finding["success"]]
    assert any(reason in finding["expectation"] for finding in failed)
