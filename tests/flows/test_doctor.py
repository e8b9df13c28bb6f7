"""incumbent doctor on a whole stack: what Prefect has of the project, and what is missing there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from tests.commands import Done, called, typed
from tests.flows.conftest import Project, editing
from tests.prefect_api import prefect_api

PREFECT = ("Prefect", "pool", "workers", "queue", "deployments", "triggers", "silent runs")

WAITING = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}


def checks(done: Done) -> dict[str, tuple[str, str]]:
    """Check -> state and text."""
    return {check["check"]: (check["state"], check["says"]) for check in done.json["checks"]}


def patched(project: Project, path: str, **changes: Any) -> None:
    with prefect_api(project.environment) as prefect:
        prefect.patch(path, json=changes).raise_for_status()


@contextmanager
def changed(project: Project, path: str, name: str, value: Any, usual: Any) -> Iterator[None]:
    """Something of the server as it should not be, for a while."""
    patched(project, path, **{name: value})
    try:
        yield
    finally:
        patched(project, path, **{name: usual})


def test_a_healthy_stack_has_nothing_that_failed(project: Project) -> None:
    done = project.typed("doctor", "--json")
    assert done.code == 0, done.out
    found = checks(done)
    assert {state for state, _ in found.values()} <= {"ok", "warning"}
    assert [check for check in found if check.startswith(PREFECT) and found[check][0] != "ok"] == []
    assert found["deployments"][1].endswith(" of prefect.yaml, as they are there")
    assert found["alerts"][0] == "warning"
    assert "'prefect block create slack-webhook'" in found["alerts"][1]
    assert project.git("status", "--porcelain") == ""
    assert [key for key in project.listing("") if ".doctor" in key] == []


def test_pools_and_queues_that_are_not_right_are_said_with_the_command(project: Project) -> None:
    usual = project.api("work_pools/cpu/queues/filter", {"work_queues": {"name": {"any_": ["retrain"]}}})
    limit = usual[0]["concurrency_limit"]
    with (
        changed(project, "work_pools/gpu", "is_paused", True, usual=False),
        changed(project, "work_pools/cpu/queues/retrain", "concurrency_limit", None, usual=limit),
    ):
        found = checks(project.run("doctor", "--json"))
    assert found["pool gpu"][0] == "failed"
    assert "'prefect work-pool resume gpu'" in found["pool gpu"][1]
    assert found["queue retrain"][0] == "warning"
    assert (
        "'prefect work-queue set-concurrency-limit retrain 2 --pool cpu' sets one"
        in found["queue retrain"][1]
    )


def test_an_automation_that_is_disabled_is_named(project: Project) -> None:
    automations = {each["name"]: each["id"] for each in project.api("automations/filter", {})}
    named = {"triggers": "on-new-data__automation_1", "silent runs": "incumbent: crash silent runs"}
    for check, name in named.items():
        with changed(project, f"automations/{automations[name]}", "enabled", False, usual=True):
            state, says = checks(project.run("doctor", "--json"))[check]
        assert state != "ok"
        assert "prefect automation resume" in says
        assert name in says


def test_deployments_that_are_not_those_of_prefect_yaml_are_named(project: Project) -> None:
    file = project.path / "prefect.yaml"
    kept = file.read_text()
    try:
        with editing(file) as document:
            document["deployments"][1]["parameters"] = {"started_by": "another schedule"}
            name = document["deployments"][1]["name"]
        state, says = checks(project.run("doctor", "--json"))["deployments"]
        assert state == "warning"
        assert f"retrain/{name} in parameters" in says
        assert "'incumbent up' updates them" in says
        with editing(file) as document:
            document["deployments"][0] |= {"name": "on-the-moon", "work_pool": {"name": "moon"}}
        found = checks(project.run("doctor", "--json"))
        assert found["deployments"] == (
            "failed",
            f"not on the server: retrain/on-the-moon; in {project.path}, 'incumbent up' deploys them",
        )
        assert found["pool moon"] == (
            "failed",
            "there is no work pool 'moon', so nothing of it can run; 'incumbent up' makes it",
        )
    finally:
        file.write_text(kept)


def test_a_schedule_makes_runs(project: Project) -> None:
    [deployment] = project.api("deployments/filter", {"deployments": {"name": {"any_": ["on-decay"]}}})
    ours = {"deployments": {"id": {"any_": [deployment["id"]]}}}
    later = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    schedule = {"active": True, "schedule": {"interval": 864000, "anchor_date": later}}
    file = project.path / "prefect.yaml"
    kept = file.read_text()
    with prefect_api(project.environment) as prefect:
        [made] = prefect.post(f"deployments/{deployment['id']}/schedules", json=[schedule]).json()
        try:
            with editing(file) as document:
                [entry] = [each for each in document["deployments"] if each["name"] == "on-decay"]
                entry["schedules"] = [{"interval": 864000}]
            deadline = time.monotonic() + 60
            while not project.api("flow_runs/count", ours | WAITING) and time.monotonic() < deadline:
                time.sleep(1)
            found = checks(project.run("doctor", "--json"))
            assert found["schedules"] == ("ok", "1, and the server makes their runs")
        finally:
            file.write_text(kept)
            prefect.delete(f"deployments/{deployment['id']}/schedules/{made['id']}").raise_for_status()


def test_another_project_on_the_same_server_is_warned_before_it_deploys(
    project: Project, tmp_path: Path
) -> None:
    table, other = tmp_path / "shop.csv", tmp_path / "shop"
    pd.DataFrame({"x": range(600), "sold": [n % 3 == 0 for n in range(600)]}).to_csv(table, index=False)
    assert typed("init", "--data", table, "--target", "sold", "--project", other).code == 0
    done = called("doctor", "--json", project=other, **project.environment)
    found = checks(done)
    state, says = found["deployments' project"]
    assert (done.code, state) == (1, "failed")
    assert says.startswith("retrain/on-new-data on this server is somebody else's: it runs ")
    assert f"flows.retrain.retrain in {project.path}; deploying here would replace it" in says
    assert found["S3 conditional writes"][0] == "ok"


def test_a_variable_that_leads_away_and_a_wrong_login_are_both_named(project: Project) -> None:
    elsewhere = project.environment["PREFECT_API_URL"].replace("127.0.0.1", "localhost")
    done = project.run("doctor", "--json", PREFECT_API_URL=elsewhere, PREFECT_API_AUTH_STRING="me:mistaken")
    found = checks(done)
    assert (done.code, found["PREFECT_API_URL"][0], found["Prefect"][0]) == (1, "warning", "failed")
    assert "'unset PREFECT_API_URL' leads them back" in found["PREFECT_API_URL"][1]
    assert "refuses the login; set PREFECT_API_AUTH_STRING" in found["Prefect"][1]
