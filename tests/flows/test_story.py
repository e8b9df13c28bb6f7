"""The main job on a real stack: by hand, by event, blocked, and the same by `dvc repro`."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from incumbent.demo.flights import break_month
from incumbent.errors import BadInput
from incumbent.storage.serving.scoring import predict_file
from tests.flows.conftest import Project, edited, editing, run_dvc

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


def cost_of(project: Project, run: int) -> dict[str, Any]:
    """The run's cost, as `models history --cost` lists it."""
    listed = project.run("models", "history", "--cost", "--json").json["runs"]
    [cost] = [each for each in listed if each["run"] == run]
    return dict(cost)


def test_a_run_records_what_it_cost_with_its_imports_and_its_report(
    project: Project, first: dict[str, Any]
) -> None:
    cost = cost_of(project, first["run"])
    assert cost["decision"] == "promote"
    assert sum(first["timings"].values()) < cost["wall_seconds"] < 600
    assert 2 < cost["cpu_seconds"] < 300
    assert cost["peak_memory_bytes"] > 100_000_000
    assert 20 < cost["s3_requests"] < 500
    assert cost["received_bytes"] > 10_000
    assert cost["sent_bytes"] > 100_000
    page = project.s3.get_object(
        Bucket="incumbent", Key=f"registry/flights/runs/{first['run']:012d}/report.html"
    )
    assert "Up to this report: " in page["Body"].read().decode()


def run_of(project: Project, arrival: dict[str, Any]) -> dict[str, Any]:
    """The flow run that the arrival's event started, as the server has it."""
    runs = project.api("flow_runs/filter", {"flow_runs": {"tags": {"all_": ["event"]}}})
    [run] = [run for run in runs if run["parameters"]["started_by"] == arrival["started_by"]]
    return dict(run)


def shown(project: Project, arrival: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the UI shows of that run, by key."""
    only = {"flow_runs": {"id": {"any_": [run_of(project, arrival)["id"]]}}}
    return {artifact["key"]: artifact for artifact in project.api("artifacts/filter", only)}


def test_the_event_starts_a_run_on_a_worker(project: Project, arrival: dict[str, Any]) -> None:
    assert arrival["started_by"].startswith("event ")
    assert arrival["data"]["added"] == ["2013-02.parquet"]
    assert arrival["decision"]["kind"] in {"promote", "hold", "reject"}
    run = run_of(project, arrival)
    assert run["name"].startswith(arrival["data"]["name"])
    assert run["work_pool_name"] == "cpu"
    assert {"model:flights", f"decision:{arrival['decision']['kind']}"} <= set(run["tags"])


def test_the_ui_shows_gate_plan_training_and_decision(project: Project, arrival: dict[str, Any]) -> None:
    by_event = shown(project, arrival)
    assert {"gate", "gate-expectations", "plan", "decision"} <= set(by_event)
    assert all(artifact["description"] for artifact in by_event.values())
    assert "data:image/png;base64," in by_event["decision"]["data"]
    of_all = {each["key"]: each["data"] for each in project.api("artifacts/latest/filter", {})}
    assert {"tuning", "cross-validation"} <= set(of_all)  # an update has none
    assert "data:image/png;base64," in of_all["cross-validation"]


def test_the_ui_links_the_report(project: Project, arrival: dict[str, Any]) -> None:
    by_key = shown(project, arrival)
    [link] = re.findall(r"\]\((http[^)]+)\)", by_key["decision"]["data"])
    page = httpx.get(link)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "Comparison on rows" in page.text
    assert "](http" not in by_key["gate"]["data"], "Data Docs are of what failed"


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
    drawn = {"project.json", "versions", "champion.json", "log", "runs", "claims", "decided.json", "scores"}
    approvals = {"pending.json", "refusals"}
    by_other_tests = approvals | {".selftest", "quarantine", "predictions", "labels", "monitor"}
    assert drawn <= tops <= drawn | by_other_tests


def test_the_same_version_again_is_a_recorded_skip(project: Project, arrival: dict[str, Any]) -> None:
    office = project.champion()
    again = project.run("retrain", "--json").json
    assert again["decision"]["kind"] == "skip"
    cost, of_training = cost_of(project, again["run"]), cost_of(project, arrival["run"])
    assert cost["decision"] == "skip"
    assert 0 < cost["s3_requests"] < of_training["s3_requests"], "looking in vain costs something, and less"
    assert of_training["cpu_seconds"] > 2, "in a process of its own, the imports are the run's"
    assert f"run {arrival['run']}" in again["decision"]["reasons"][0]
    assert f"registry/flights/runs/{again['run']:012d}/decision.json" in project.listing()
    assert again["champion"] == office == project.champion()


def test_a_dry_run_leaves_no_trace(project: Project, arrival: dict[str, Any]) -> None:
    before = project.listing()
    dry = project.run("retrain", "--dry-run", "--strategy", "full", "--json").json
    assert (dry["run"], dry["decision"]["kind"], dry["plan"]["kind"]) == (None, "dry-run", "full")
    decided = project.run("retrain", "--dry-run")
    assert "dry run on " in decided.out
    assert f"run {arrival['run']} decided this data version" in decided.out  # as a real run would say
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
    with edited(project, seed=1):  # other work than any run has decided
        full = project.run("retrain", "--strategy", "full", "--json").json
        manifest = project.run("models", "show", full["challenger"], "--json").json
        run_dvc(project.path, {}, "pull", "--quiet", "data.dvc")  # nobody told DVC of the stack but `up`
        run_dvc(project.path, {}, "repro", "--quiet")
        project.git("add", "--all")
        project.git("commit", "--quiet", "--message", "What DVC ran")
        shown = json.loads(run_dvc(project.path, {}, "exp", "show", "--json"))
        run_dvc(project.path, {}, "plots", "show")
    judged = json.loads((project.path / "pipeline" / "compare.json").read_text())["comparison"]["challenger"]
    kept = [each["data"]["metrics"]["pipeline/compare.json"]["data"] for each in shown]
    assert [each["comparison"]["challenger"] for each in kept] == [judged, judged]  # the work tree's, HEAD's
    plots = project.path / "dvc_plots"
    assert '"number": 1, "value": ' in (plots / "index.html").read_text()
    shutil.rmtree(plots)
    model = (project.path / "pipeline" / "model" / "model.txt").read_bytes()
    assert hashlib.sha256(model).hexdigest() == manifest["files"]["model.txt"]["sha256"]
    project.git("reset", "--quiet", "--hard", "HEAD~1")


def test_a_pipeline_that_lists_the_trees_file_still_runs(project: Project, first: dict[str, Any]) -> None:
    path = project.path / "dvc.yaml"
    text = path.read_text()
    text = text.replace("outs: [pipeline/train.json, pipeline/model]", "outs: [pipeline/train.json, OLD]")
    text = text.replace("pipeline/train.json, pipeline/model]", "pipeline/train.json, pipeline/model.txt]")
    path.write_text(text.replace("OLD]", "pipeline/model.txt, pipeline/replay.parquet]"))
    run_dvc(project.path, {}, "pull", "--quiet", "data.dvc")
    run_dvc(project.path, {}, "repro", "--quiet")
    assert (project.path / "pipeline" / "model.txt").is_file()
    project.git("reset", "--quiet", "--hard")


def test_dvc_repro_fits_a_network_too(project: Project, first: dict[str, Any]) -> None:
    network = {"name": "torch", "rounds": 1, "members": 2, "batch": 4096}
    with editing(project.path / "params.yaml") as params:
        params["learner"] = network
        params["search"] |= {"trials": 1, "folds": 2}
    run_dvc(project.path, {}, "pull", "--quiet", "data.dvc")
    run_dvc(project.path, {}, "repro", "--quiet")
    assert (project.path / "pipeline" / "model" / "model.safetensors").is_file()
    assert not (project.path / "pipeline" / "model" / "model.txt").exists()
    project.git("reset", "--quiet", "--hard")


def test_a_shell_made_for_other_programs_does_not_mislead_a_command(
    project: Project, first: dict[str, Any], tmp_path: Path
) -> None:
    project.git("init", "--quiet", str(tmp_path / "other"))
    elsewhere = {
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9"),
        **{"AWS_PROFILE": "nosuch", "AWS_CA_BUNDLE": "/nosuch", "AWS_USE_FIPS_ENDPOINT": "true"},
        **{"GIT_DIR": str(tmp_path / "other" / ".git"), "GIT_INDEX_FILE": str(tmp_path / "index")},
    }
    up = project.typed("up", **elsewhere)
    assert up.code == 0, up.err
    looked = project.typed("retrain", "--dry-run", "--json", **elsewhere)
    assert looked.code == 0, looked.err
    assert looked.json["champion"] == project.champion()


def test_up_works_with_its_own_stack_whatever_s3_the_shell_names(project: Project) -> None:
    theirs = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "AKIASOMEBODYELSE"}
    up = project.run("up", **theirs)
    assert up.code == 0, up.err
    assert "AWS_ENDPOINT_URL is http://127.0.0.1:9: the other commands go there" in up.err
    assert "'unset AWS_ENDPOINT_URL' leads them here" in up.err


def test_env_leads_a_shell_to_the_stack(project: Project) -> None:
    exports = project.run("env", AWS_PROFILE="nosuch").out
    ask = exports + 'echo "$AWS_ENDPOINT_URL $PREFECT_API_URL ${AWS_PROFILE-none}"'
    shell = subprocess.run(
        ["sh", "-c", ask], env={"AWS_PROFILE": "nosuch"}, capture_output=True, text=True, check=True
    )
    wanted = project.environment
    assert shell.stdout.split() == [wanted["AWS_ENDPOINT_URL"], wanted["PREFECT_API_URL"], "none"]
    lines = project.run("env", "--format", "dotenv").out.splitlines()
    assert f"AWS_ENDPOINT_URL={wanted['AWS_ENDPOINT_URL']}" in lines
    assert project.run("env", "--json").json == wanted


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
    assert "distance" in done.json["decision"]["reasons"][0]
    assert "observed 'str'" in done.json["decision"]["reasons"][0]
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


def test_score_reads_and_writes_every_format(
    inside: Project, arrival: dict[str, Any], tmp_path: Path
) -> None:
    month = pd.read_parquet(inside.months[4]).dropna().head(300)
    month.to_parquet(tmp_path / "rows.parquet", index=False)
    month.to_csv(tmp_path / "rows.csv.gz", index=False)
    month.to_json(
        tmp_path / "rows.jsonl", orient="records", lines=True, date_format="iso", double_precision=15
    )
    for source, target in (
        ("rows.parquet", "of-parquet.parquet"),
        ("rows.csv.gz", "of-csv.jsonl.gz"),
        ("rows.jsonl", "of-jsonl.csv"),
    ):
        assert predict_file(inside.path, tmp_path / source, tmp_path / target)["rows"] == 300
    expected = pd.read_parquet(tmp_path / "of-parquet.parquet")
    for written in (
        pd.read_json(tmp_path / "of-csv.jsonl.gz", lines=True, precise_float=True),
        pd.read_csv(tmp_path / "of-jsonl.csv", float_precision="round_trip"),
    ):
        assert list(written.columns) == list(expected.columns)
        assert written["score"].tolist() == expected["score"].tolist()
        assert written["flight"].tolist() == expected["flight"].tolist()
        times = [pd.to_datetime(each["time_hour"], utc=True).tolist() for each in (written, expected)]
        assert times[0] == times[1]
    with pytest.raises(BadInput, match=r"out\.xlsx is of no known format"):
        predict_file(inside.path, tmp_path / "rows.parquet", tmp_path / "out.xlsx")


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
