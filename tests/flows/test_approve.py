"""A winner waits for a person, who sees it in the UI and by an alert, and answers by a form or a command."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from prefect.deployments import run_deployment
from prefect.logging import disable_run_logger

from incumbent.evaluation.decide import Hold
from incumbent.params import load_params
from incumbent.storage.registry.registry import Claimed, Registry, open_registry
from tasks.events import emit
from tasks.promotion import promote
from tests.flows.conftest import Project, edited, within
from tests.flows.preparing import prepared

MODEL = "flights-approved"
ALWAYS: dict[str, Any] = {"dataset": {"name": MODEL}, "promotion": {"approve": "always"}}


@pytest.fixture(scope="module")
def careful(project: Project, arrival: dict[str, Any]) -> Iterator[Project]:
    """The project as another model, whose winners all wait for a person."""
    with edited(project, **ALWAYS), within(project.environment):
        yield project


@pytest.fixture(scope="module")
def waiting(careful: Project) -> dict[str, Any]:
    """The outcome of a run whose challenger would be the first champion."""
    done = careful.run("retrain", "--require-promotion", "--json")
    assert done.code == 3, done.err
    return dict(done.json)


def registry_of(project: Project) -> Registry:
    return open_registry(load_params(project.path), project.path)


def eventually(what: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := what()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return answer


def events(project: Project, name: str) -> list[dict[str, Any]]:
    """The payloads of events of this name about the model; the server shows an event a little later."""
    wanted = {"filter": {"event": {"name": [name]}, "resource": {"id": [f"incumbent.model.{MODEL}"]}}}
    answer = eventually(lambda: project.api("events/filter", wanted)["events"], 20)
    return [event["payload"] for event in answer]


def test_a_winner_waits_and_the_record_says_so(careful: Project, waiting: dict[str, Any]) -> None:
    assert waiting["decision"]["kind"] == "pending"
    assert "promotion.approve is 'always'" in waiting["decision"]["reasons"][-1]
    assert waiting["champion"] is None
    registry = registry_of(careful)
    assert registry.champion() is None
    kept = json.loads(registry.read_record(waiting["run"], "decision.json"))
    assert kept["decision"] == waiting["decision"]
    [event] = events(careful, "model.pending")
    assert (event["run"], event["challenger"]) == (waiting["run"], waiting["challenger"])


def test_the_ui_shows_all_that_a_person_decides_by(careful: Project, waiting: dict[str, Any]) -> None:
    [artifact] = careful.api("artifacts/latest/filter", {"artifacts": {"key": {"any_": ["decision"]}}})
    page, version = artifact["data"], waiting["challenger"]
    assert page.startswith("# Decision: pending")
    assert all(reason in page for reason in waiting["decision"]["reasons"])
    assert f"incumbent models approve {version} --reason TEXT --project {careful.path}" in page
    assert f"incumbent models refuse {version} --reason TEXT --project {careful.path}" in page
    for row in (
        "difference",
        "origin = JFK",
        "calibration error",
        "time to predict a row",
        "size of the model",
    ):
        assert f"| {row} |" in page
    [form] = re.findall(r"\[the form\]\((http\S+)\)", page)
    ui, _, query = form.partition("/run?parameters=")
    deployment = ui.rpartition("/")[2]
    schema = careful.api("deployments/filter", {"deployments": {"id": {"any_": [deployment]}}})
    assert [each["name"] for each in schema] == ["approve"]
    fields = schema[0]["parameter_openapi_schema"]
    assert fields["properties"]["decision"]["enum"] == ["approve", "refuse"]
    assert set(fields["required"]) == {"version", "decision", "reason", "by"}
    assert json.loads(unquote(unquote(query))) == {"project": ".", "version": version}
    assert "[The whole report](" in page
    report = (careful.path / ".incumbent" / "runs" / f"{waiting['run']:012d}" / "report.html").read_text()
    assert f"incumbent models approve {version} --reason TEXT" in report


def test_the_commands_name_what_waits(careful: Project, waiting: dict[str, Any], tmp_path: Any) -> None:
    version = waiting["challenger"]
    approve = f"incumbent models approve {version} --reason TEXT"
    assert approve in careful.run("models", "list").out
    line = rf"^{version} +pending .* [\d,]+ rows of \d+ groups$"
    assert re.search(line, careful.run("models", "list").out, re.MULTILINE)
    assert careful.run("models", "list", "--json").json[0]["verdict"] == "pending"
    assert [each["decision"] for each in careful.run("models", "audit", "--json").json] == ["pending"]
    again = careful.run("retrain", "--json")
    assert again.json["decision"] == {
        "kind": "skip",
        "reasons": [
            f"run {waiting['run']} decided this data version with these parameters; model '{MODEL}' has no "
            f"champion yet: '{version}' waits for approval; make it champion with '{approve}'"
        ],
    }
    assert f"pending  {version} waits" in re.sub(" +", "  ", careful.run("status").out).replace(
        "  waits", " waits"
    )
    assert careful.run("status", "--json").json["pending"] == version
    shown = careful.run("models", "show", version, "--json").json
    assert shown["approval"]["state"] == "pending"
    refused = careful.run("score", careful.months[4], tmp_path / "scores.parquet")
    assert refused.code == 1
    assert refused.err == (
        f"error: model '{MODEL}' has no champion yet: '{version}' waits for approval; make it champion with "
        f"'incumbent models approve {version} --reason TEXT'\n"
    )


def test_an_answer_that_can_not_be_is_one_line(careful: Project, waiting: dict[str, Any]) -> None:
    version = waiting["challenger"]
    for args, code, said in (
        (
            ("approve", "v999", "--reason", "fine"),
            1,
            f"'{MODEL}' has no version 'v999'; '{version}' waits for",
        ),
        (("approve", version, "--reason", " "), 1, "--reason is empty"),
        (("approve", version), 2, "--reason"),
    ):
        done = careful.run("models", *args)
        assert done.code == code
        assert said in done.err
        assert "Traceback" not in done.err
    assert registry_of(careful).champion() is None
    typed = careful.typed("models", "approve", "v999", "--reason", "fine")
    assert typed.err.count("has no version 'v999'") == 1  # Prefect's own lines about the failure are left out


def test_an_alert_tells_people(project: Project, arrival: dict[str, Any]) -> None:
    with within(project.environment):
        emit(
            *(project.path, "model.pending", "incumbent.model.flights", "flights"),
            once="a test",
            payload={"challenger": "v777", "reasons": ["better than v1", "a person decides"]},
        )
    wanted = {"deployments": {"name": {"any_": ["alert"]}}}

    def alerts() -> list[dict[str, Any]]:
        runs = project.api("flow_runs/filter", wanted)
        return [run["parameters"] for run in runs if "v777" in run["parameters"].get("subject", "")]

    [alert] = eventually(alerts)
    assert alert["subject"] == "incumbent: flights: v777 waits for approval"
    assert alert["details"].startswith("better than v1; a person decides. Answer with the deployment approve")
    assert "incumbent models approve v777 --reason TEXT" in alert["details"]


@pytest.fixture(scope="module")
def approved(careful: Project, waiting: dict[str, Any]) -> dict[str, Any]:
    """The champion after somebody sent the form, and a worker did what it says."""
    form = {"version": waiting["challenger"], "decision": "approve", "reason": "looks right", "by": "Ann"}
    run = run_deployment("approve/approve", parameters=form, timeout=120)
    assert run.state is not None
    assert run.state.is_completed(), run.state
    return careful.run("models", "history", "--json").json[-1]


def test_the_form_makes_it_champion_with_who_and_why(
    careful: Project, waiting: dict[str, Any], approved: dict[str, Any]
) -> None:
    assert (approved["version"], approved["op"], approved["by"]) == (waiting["challenger"], "promote", "Ann")
    assert approved["run_seq"] == waiting["run"]
    assert approved["reason"].startswith(f"approved: looks right; {waiting['decision']['reasons'][0]}")
    [event] = events(careful, "model.promoted")
    assert (event["run"], event["data"]) == (waiting["run"], waiting["data"]["name"])
    assert (event["champion"], event["kind"], event["by"]) == (waiting["challenger"], "promote", "Ann")
    assert careful.run("models", "audit", "--json").json[0]["decision"] == "promote"


def test_a_second_approval_agrees_and_announces_nothing_new(
    careful: Project, waiting: dict[str, Any], approved: dict[str, Any]
) -> None:
    done = careful.run("models", "approve", waiting["challenger"], "--reason", "me too")
    assert (done.code, done.out) == (0, f"champion is {waiting['challenger']}, approved by Ann\n")
    late = careful.run("models", "refuse", waiting["challenger"], "--reason", "no")
    assert late.code == 1
    assert f"'{waiting['challenger']}' was approved by Ann" in late.err
    assert len(events(careful, "model.promoted")) == 1
    assert len(careful.run("models", "history", "--json").json) == 1


def test_a_refusal_stays_and_a_newer_challenger_ends_a_wait(
    careful: Project, approved: dict[str, Any]
) -> None:
    with disable_run_logger():
        one, other = prepared(careful), prepared(careful)
    registry, champion = one.registry, one.registry.champion()
    assert one.seq
    assert other.seq
    registry.approvals.ask(one.version, one.seq, champion, ("better",))
    done = careful.run("models", "refuse", one.version, "--reason", "unfair to JFK")
    assert done.code == 0, done.err
    assert done.out.startswith(f"{one.version} is refused by ")
    assert done.out.endswith(f"; champion is {approved['version']}\n")
    [event] = events(careful, "model.refused")
    assert (event["challenger"], event["reasons"]) == (one.version, ["unfair to JFK"])
    assert re.search(rf"^{one.version} +refused ", careful.run("models", "list").out, re.MULTILINE)
    assert "unfair to JFK" in careful.run("models", "show", one.version).out
    told = careful.run("models", "history", "--json").json[-1]
    assert (told["op"], told["version"], told["reason"]) == ("refuse", one.version, "unfair to JFK")
    assert "unfair to JFK" in careful.run("models", "history").out

    registry.approvals.ask(other.version, other.seq, champion, ("better",))
    with disable_run_logger():
        newer = prepared(careful, promotion={"margin": 0.2})
        assert isinstance(promote.fn(newer), Hold)
    late = careful.run("models", "approve", other.version, "--reason", "fine")
    assert late.code == 1
    assert (
        f"the approval of '{other.version}' has expired: run {newer.seq} made a newer challenger" in late.err
    )
    assert "Traceback" not in late.err
    assert careful.run("models", "show", other.version, "--json").json["approval"]["state"] == "expired"
    assert careful.run("models", "verify").code == 0


def test_a_wait_that_was_not_recorded_is_recorded_by_the_next_run(
    careful: Project, approved: dict[str, Any]
) -> None:
    with edited(careful, seed=4):
        with disable_run_logger():
            dead = prepared(careful, seed=4)
        assert dead.seq
        dead.registry.approvals.ask(dead.version, dead.seq, dead.registry.champion(), ("better",))
        again = dead.registry.claim(dead.work, dead.seq, -1)
        assert isinstance(again, Claimed)
        dead.registry.release(again.claim)
        done = careful.run("retrain", "--strategy", "full", "--json")
    assert done.code == 0, done.err
    assert done.json["decision"]["kind"] == "skip"
    assert f"run {dead.seq} let {dead.version} wait for approval" in done.json["decision"]["reasons"][0]
    kept = json.loads(dead.registry.read_record(dead.seq, "decision.json"))
    assert (kept["challenger"], kept["decision"]) == (
        dead.version,
        {"kind": "pending", "reasons": ["better"]},
    )
