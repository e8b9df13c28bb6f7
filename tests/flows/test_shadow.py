"""The challenger that was held last: scored on what arrives, it takes office by itself when it is better."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

import tasks.hindsight
from incumbent.demo.flights import WEATHER
from incumbent.errors import Conflict
from tasks.hindsight import audit, close_recall
from tasks.runs import Run
from tests.flows.conftest import Project, edited
from tests.flows.preparing import opened, prepared, recorded
from tests.flows.test_hindsight import KNOWN

# It knows the day of the week, and nothing else.
POOR = {
    "dataset": {"drop": [*(name for name in KNOWN if name != "weekday"), "distance", *WEATHER]},
    "clean": {"impossible": {}},
}
SCORE = "registry/flights/scores/2013-02.parquet.json"


@pytest.fixture
def poor(inside: Project, first: dict[str, Any], arrival: dict[str, Any]) -> Iterator[str]:
    """A champion that knows hardly anything."""
    with disable_run_logger():
        run, before = prepared(inside, data_rev=first["data"]["rev"], **POOR), inside.champion()
        run.registry.force(run.version, "to see whether the shadow replaces it")
        yield run.version
        if inside.champion() != before:
            run.registry.force(before, "the test is over")


@pytest.fixture
def shadow(inside: Project, first: dict[str, Any], poor: str) -> Run:
    """The run whose challenger learned from January and was held."""
    run = prepared(inside, data_rev=first["data"]["rev"])
    recorded(run, "hold", "not shown to be better")
    return run


def later(project: Project, **promotion: Any) -> Run:
    """A run on all data, for which February is new: nobody has scored it."""
    project.s3.delete_object(Bucket="incumbent", Key=SCORE)
    return opened(project, "look back", promotion={"margin": 0.0, **promotion})


def promotions(
    project: Project, shadow: str, seconds: float = 30, event: str = "model.promoted"
) -> list[dict[str, Any]]:
    """The events that tell that this shadow became champion; the server shows an event a little later."""
    wanted = {"filter": {"event": {"name": [event]}}, "limit": 50}
    deadline = time.monotonic() + seconds
    while True:
        payloads = [event["payload"] for event in project.api("events/filter", wanted)["events"]]
        of = "champion" if event == "model.promoted" else "challenger"
        about = [each for each in payloads if (each[of], each.get("role")) == (shadow, "shadow")]
        if about or time.monotonic() > deadline:
            return about
        time.sleep(0.5)


def test_a_better_shadow_takes_office_without_a_training(inside: Project, poor: str, shadow: Run) -> None:
    run = audit.fn(later(inside))
    entry = run.registry.history()[-1]
    assert (entry.op, entry.version, entry.replaced) == ("promote", shadow.version, poor)
    assert entry.run_seq == shadow.seq
    assert run.champion == inside.champion() == shadow.version
    assert entry.reason.startswith(
        f"in hindsight: {shadow.version} (shadow) did better than champion {poor}: roc_auc gain +0."
    )
    assert "over 1 arrival, each bound with 80% confidence over all looks" in entry.reason
    (event,) = promotions(inside, shadow.version)
    assert event["kind"] == "promote"
    assert event["reasons"] == run.read("hindsight")["reasons"]
    outcome = recorded(run, "skip", "nothing new")
    assert outcome["hindsight"]["takes_office"] is True
    assert outcome["champion"] == shadow.version
    assert outcome["decision"]["reasons"][1].startswith(
        f"before that, {shadow.version} took office in hindsight: {shadow.version} (shadow) did better"
    )
    report = run.registry.read_record(run.seq or 0, "report.html").decode()
    assert f"In hindsight: {shadow.version} (shadow) did better than champion {poor}" in report


def test_by_a_month_on_probation_it_does_not_though_it_is_scored(
    inside: Project, poor: str, shadow: Run
) -> None:
    run = later(inside)
    suspended = run.after_gate((), (), ["2013-02.parquet"])
    assert audit.fn(suspended).champion == inside.champion() == poor
    [score] = run.registry.scores(["2013-02.parquet"])
    assert {each["role"]: each["version"] for each in score["rivals"]}["shadow"] == shadow.version
    assert score["md5"] == run.data.digests["2013-02.parquet"]


def test_a_score_of_other_bytes_does_not_count(inside: Project, poor: str, shadow: Run) -> None:
    run = later(inside)
    audit.fn(run.after_gate((), (), ["2013-02.parquet"]))
    [score] = run.registry.scores(["2013-02.parquet"])
    stale = {**score, "md5": "of the file before", "rivals": []}
    run.registry.put_score("2013-02.parquet", stale)
    assert audit.fn(run).champion == shadow.version
    assert run.registry.scores(["2013-02.parquet"]) == [score]


def test_a_run_that_trains_nothing_lets_it_take_office_and_says_so(
    inside: Project, poor: str, shadow: Run
) -> None:
    inside.s3.delete_object(Bucket="incumbent", Key=SCORE)
    # As params.yaml was for the shadow, so that they ask for no full training.
    with edited(inside, seed=shadow.params.seed, retrain={"min_rows": 10**6}):
        done = inside.run("retrain")
    assert done.code == 0, done.err
    assert inside.champion() == shadow.version
    assert ": skip" in done.out
    words = " ".join(done.out.split())
    assert f"in hindsight {shadow.version} (shadow) did better than champion {poor}" in words
    assert f"champion {shadow.version}" in words


def test_a_better_shadow_waits_for_a_person_and_takes_office_when_approved(
    inside: Project, poor: str, shadow: Run
) -> None:
    run = audit.fn(later(inside, approve="always"))
    assert inside.champion() == poor == run.champion
    request = run.registry.approvals.waiting()
    assert request is not None
    assert (request.version, request.run_seq, request.since) == (shadow.version, shadow.seq, run.seq)
    assert request.reasons[-1] == "a person decides, as promotion.approve is 'always'"
    (event,) = promotions(inside, shadow.version, event="model.pending")
    assert (event["champion"], event["kind"], event["run"]) == (poor, "pending", run.seq)
    recorded(run, "skip", "nothing new")
    approve = f"incumbent models approve {shadow.version} --reason TEXT"
    assert approve in run.registry.read_record(run.seq or 0, "report.html").decode()
    [artifact] = inside.api("artifacts/latest/filter", {"artifacts": {"key": {"any_": ["decision"]}}})
    assert f"**{shadow.version} waits for a person.**" in artifact["data"]
    done = inside.run("models", "approve", shadow.version, "--reason", "long enough")
    assert done.code == 0, done.err
    assert inside.champion() == shadow.version
    entry = run.registry.history()[-1]
    assert (entry.op, entry.run_seq) == ("promote", shadow.seq)
    assert entry.reason.startswith(f"approved: long enough; {shadow.version} (shadow) did better")


def test_a_shadow_that_a_person_refused_stays_out(inside: Project, poor: str, shadow: Run) -> None:
    audit.fn(later(inside, approve="always"))
    shadow.registry.approvals.refuse(shadow.version, "unfair to JFK", "ann")
    run = audit.fn(opened(inside, "looks again", promotion={"margin": 0.0, "approve": "always"}))
    assert inside.champion() == poor == run.champion
    assert run.registry.approvals.waiting() is None
    hindsight = run.read("hindsight")
    assert (hindsight["takes_office"], hindsight["asks"]) == (False, False)
    assert hindsight["reasons"][-1] == (
        f"{shadow.version} (shadow) did not take office: it was refused by ann: unfair to JFK"
    )


def test_shadow_and_predecessor_are_marked_and_score_by_their_alias(
    inside: Project, first: dict[str, Any], poor: str, shadow: Run
) -> None:
    listed = {each["version"]: each for each in inside.run("models", "list", "--json").json}
    assert [name for name, each in listed.items() if each["champion"]] == [poor]
    assert [name for name, each in listed.items() if each["shadow"]] == [shadow.version]
    shown = inside.run("models", "list").out
    assert f"{poor} *" in shown
    assert f"{shadow.version} +" in shown
    assert "+ shadow" in shown
    assert inside.run("models", "show", shadow.version, "--json").json["role"] == "shadow"
    before = shadow.registry.predecessor(shadow.registry.history()[-1])
    for alias, version in {"champion": poor, "challenger": shadow.version, "previous": before}.items():
        out = inside.path.parent / f"{alias}.csv"
        scored = inside.run("score", inside.months[3], out, "--alias", alias, "--json")
        assert scored.code == 0, scored.err
        assert scored.json["version"] == version
    both = inside.run("score", inside.months[3], out, "--alias", "previous", "--version", poor)
    assert both.code == 2
    assert f"'previous' names another model than --version {poor}" in " ".join(both.err.split())


def test_a_rejected_challenger_is_no_shadow(inside: Project, first: dict[str, Any], poor: str) -> None:
    rejected = prepared(inside, data_rev=first["data"]["rev"])
    recorded(rejected, "reject", "worse where origin = JFK")
    run = audit.fn(later(inside))
    assert inside.champion() == poor == run.champion
    score = json.loads(inside.s3.get_object(Bucket="incumbent", Key=SCORE)["Body"].read())
    assert "shadow" not in [each["role"] for each in score["rivals"]]
    missing = inside.run("score", inside.months[3], inside.path.parent / "no.csv", "--alias", "challenger")
    assert missing.code == 1
    assert f"its champion '{poor}' held no challenger since it became champion" in missing.err


def test_a_guardrail_that_was_not_measured_keeps_a_better_shadow_out(
    inside: Project, poor: str, shadow: Run
) -> None:
    run = audit.fn(later(inside, fairness={"column": "origin", "max_parity_difference": 0.5}))
    assert inside.champion() == poor == run.champion
    hindsight = run.read("hindsight")
    assert hindsight["takes_office"] is False
    assert hindsight["reasons"][-1] == (
        f"{shadow.version} stays out of office: promotion.fairness.max_parity_difference is set, but the "
        "difference in selection rate between values of 'origin' was not measured"
    )


def test_a_shadow_with_a_broken_file_stays_out(
    inside: Project, poor: str, shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = later(inside)
    (key,) = [key for key in inside.listing() if key.endswith(f"/{shadow.version}/model.onnx")]

    def breaking(*_: Any) -> None:
        inside.s3.put_object(Bucket="incumbent", Key=key, Body=b"broken")

    monkeypatch.setattr(run.registry, "check_claim", breaking)
    run = audit.fn(run)
    assert inside.champion() == poor == run.champion
    assert f"{shadow.version} (shadow) did not take office" in run.read("hindsight")["reasons"][-1]
    assert run.read("hindsight")["takes_office"] is False


def dying(project: Project, monkeypatch: pytest.MonkeyPatch, **promotion: Any) -> Run:
    """A run that made the shadow champion, and died before it could tell."""
    run, emit = later(project, **promotion), tasks.hindsight.emit

    def cut_off(path: Path, event: str, *args: Any, **about: Any) -> None:
        if event == "model.promoted":
            raise KeyboardInterrupt
        emit(path, event, *args, **about)

    with monkeypatch.context() as patch:
        patch.setattr(tasks.hindsight, "emit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            audit.fn(run)
    return run


def test_a_task_that_is_tried_again_tells_the_promotion_and_goes_on_from_it(
    inside: Project, shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = dying(inside, monkeypatch)
    assert inside.champion() == shadow.version
    again = audit.fn(run)
    assert again.champion == shadow.version
    assert len(run.registry.history()) == len(again.registry.history())
    assert len(promotions(inside, shadow.version)) == 1


def test_the_heir_of_a_run_that_died_tells_the_promotion(
    inside: Project, shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = dying(inside, monkeypatch)
    heir = opened(inside, "takes over")
    assert heir.champion == shadow.version
    for _ in range(2):  # the heir may die, too
        close_recall(replace(heir), dead.seq or 0)
    assert len(promotions(inside, shadow.version)) == 1


def test_an_arrival_scored_by_two_runs_counts_once(inside: Project, poor: str, shadow: Run) -> None:
    fair = {"column": "origin", "max_parity_difference": 0.5}
    one = later(inside, fairness=fair)
    two = opened(inside, "looks, too", promotion={"margin": 0.0, "fairness": fair})
    audit.fn(one)
    body = inside.s3.get_object(Bucket="incumbent", Key=SCORE)["Body"].read()
    audit.fn(two)
    assert inside.s3.get_object(Bucket="incumbent", Key=SCORE)["Body"].read() == body
    [claim, *_] = two.read("hindsight")["reasons"]
    assert "over 1 arrival," in claim, claim


def test_of_two_runs_at_once_one_moves_the_champion_and_both_go_on_from_it(
    inside: Project, poor: str, shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = later(inside), opened(inside, "faster")
    check = slow.registry.check_claim

    def overtaken(*args: Any) -> None:
        audit.fn(fast)
        check(*args)

    monkeypatch.setattr(slow.registry, "check_claim", overtaken)
    entries = len(slow.registry.history())
    assert audit.fn(slow).champion == shadow.version
    assert len(slow.registry.history()) == entries + 1
    assert len(promotions(inside, shadow.version)) == 1


def test_a_champion_that_a_person_moved_meanwhile_stays(
    inside: Project, first: dict[str, Any], poor: str, shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = later(inside)
    check = run.registry.check_claim

    def person(*args: Any) -> None:
        run.registry.force(first["champion"], "a person knows better")
        check(*args)

    monkeypatch.setattr(run.registry, "check_claim", person)
    assert audit.fn(run).champion == inside.champion() == first["champion"]
    hindsight = run.read("hindsight")
    assert hindsight["takes_office"] is False
    assert f"{shadow.version} (shadow) did not take office" in hindsight["reasons"][-1]


def test_a_shadow_that_was_rolled_back_does_not_come_again(inside: Project, poor: str, shadow: Run) -> None:
    run = audit.fn(later(inside))
    run.registry.rollback(None, "a person knows better")
    assert inside.champion() == poor
    again = audit.fn(opened(inside, "looks again"))
    assert again.champion == inside.champion() == poor


def test_a_run_whose_work_was_taken_over_moves_no_champion(inside: Project, poor: str, shadow: Run) -> None:
    run = later(inside)
    taker = run.registry.start_run({"about": "takes over"})
    run.registry.claim(run.work, taker, lease_seconds=0)
    with pytest.raises(Conflict):
        audit.fn(run)
    assert inside.champion() == poor
