"""What became of each challenger, and what helps while there is no champion."""

import json
from collections.abc import Callable

import pytest

from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.verdicts import last_decision, no_champion, verdicts
from tests.storage.conftest import Publish

REASONS = ("better than the trivial baseline",)


def decided(registry: Registry, publish: Publish, kind: str, strategy: str = "auto", md5: str = "a") -> str:
    """A run on the data of this md5 whose challenger was decided on; returns the version."""
    run, champion = registry.start_run({"strategy": strategy}), registry.champion()
    created = f"2026-11-01T00:00:{run:02d}+00:00"
    publish(f"v{run}", run_seq=run, created=created, data={"md5": md5})
    if kind in ("promote", "provisional"):
        registry.promote(f"v{run}", run, champion, "better", provisional=kind == "provisional")
    elif kind == "pending":
        registry.approvals.ask(f"v{run}", run, champion, REASONS)
    else:
        registry.approvals.expire(run, f"run {run} made a newer challenger, 'v{run}'")
    registry.record(run, "decision.json", json.dumps({"decision": {"kind": kind, "reasons": []}}).encode())
    return f"v{run}"


def verdicts_of(registry: Registry) -> dict[str, str]:
    return verdicts(registry, registry.versions())


def test_each_version_has_the_verdict_that_came_of_it(registry: Registry, publish: Publish) -> None:
    for kind in ("provisional", "promote", "hold", "reject", "pending", "pending"):
        decided(registry, publish, kind)
    publish("imported")
    publish("v7", run_seq=registry.start_run({}))  # that run has not decided yet
    before = {"v1": "provisional", "v2": "promoted", "v3": "held", "v4": "rejected", "v5": "expired"}
    assert verdicts_of(registry) == {**before, "v6": "pending"}
    registry.approvals.refuse("v6", "unfair", "ann")
    assert verdicts_of(registry) == {**before, "v6": "refused"}
    registry.force("v3", "urgent")
    registry.rollback("v1", "v3 was bad")
    assert verdicts_of(registry) == {**before, "v3": "rolled back", "v6": "refused"}
    registry.force("v4", "urgent")
    assert verdicts_of(registry)["v4"] == "forced"


def test_an_approval_is_a_promotion_and_a_lost_wait_has_expired(registry: Registry, publish: Publish) -> None:
    first = decided(registry, publish, "pending")
    registry.approvals.approve(first, "fine", "ann")
    waits = decided(registry, publish, "pending")
    assert verdicts_of(registry) == {first: "promoted", waits: "pending"}
    held = decided(registry, publish, "hold")
    assert verdicts_of(registry) == {first: "promoted", waits: "expired", held: "held"}


def test_the_decision_of_a_winner_that_waited_is_what_a_person_said(
    registry: Registry, publish: Publish
) -> None:
    decided(registry, publish, "pending")
    assert last_decision(registry, 1) == {"kind": "pending", "reasons": []}
    registry.approvals.refuse("v1", "unfair to JFK", "ann")
    assert last_decision(registry, 1) == {"kind": "refused", "reasons": ["unfair to JFK"]}
    decided(registry, publish, "pending")
    registry.approvals.approve("v2", "fine", "ann")
    approved = last_decision(registry, 2)
    assert approved == {"kind": "promote", "reasons": [f"approved: fine; {REASONS[0]}"]}
    registry.force("v1", "urgent")
    assert last_decision(registry, 2) == approved


def test_the_decision_of_a_winner_that_nobody_answered_has_expired(
    registry: Registry, publish: Publish
) -> None:
    decided(registry, publish, "pending")
    decided(registry, publish, "hold")
    assert last_decision(registry, 1) == {
        "kind": "expired",
        "reasons": ["run 2 made a newer challenger, 'v2'"],
    }
    decided(registry, publish, "pending")
    decided(registry, publish, "pending")
    kinds = [(last_decision(registry, run) or {})["kind"] for run in (2, 3, 4)]
    assert kinds == ["hold", "expired", "pending"]
    registry.force("v2", "urgent")
    assert (last_decision(registry, 4) or {})["kind"] == "expired"
    assert last_decision(registry, registry.start_run({})) is None


NONE = "model 'flights' has no champion yet"
FORCE = "'incumbent models promote v1 --force --reason TEXT' makes it champion all the same"
FULL = "'incumbent retrain --strategy full' makes another challenger, which waits for you"
SAME = "so add rows or edit params.yaml, then run 'incumbent retrain'"


def refused(registry: Registry, publish: Publish, strategy: str = "auto") -> None:
    registry.approvals.refuse(decided(registry, publish, "pending", strategy), "unfair", "ann")


def expired(registry: Registry, publish: Publish) -> None:
    decided(registry, publish, "pending")
    registry.approvals.expire(registry.start_run({}), "run 2 made a newer challenger")


@pytest.mark.parametrize(
    ("past", "said"),
    [
        pytest.param(lambda _, __: None, f"{NONE}; train one with 'incumbent retrain'", id="nothing yet"),
        pytest.param(
            lambda registry, publish: decided(registry, publish, "pending"),
            f"{NONE}: 'v1' waits for approval; make it champion with 'incumbent models approve v1 --reason "
            "TEXT'",
            id="pending",
        ),
        pytest.param(refused, f"{NONE}: 'v1' was refused by ann: unfair; {FULL}; {FORCE}", id="refused"),
        pytest.param(
            lambda registry, publish: refused(registry, publish, "full"),
            f"{NONE}: 'v1' was refused by ann: unfair; {FORCE}",
            id="refused after a full run, which the same command would not repeat",
        ),
        pytest.param(expired, f"{NONE}: the approval of 'v1' expired; {FULL}; {FORCE}", id="expired"),
        *(
            pytest.param(
                lambda registry, publish, kind=kind: decided(registry, publish, kind),
                f"{NONE}: 'v1' was {word}, and 'incumbent models show v1' says why; from the same rows and "
                f"parameters comes the same verdict, {SAME}; {FORCE}",
                id=word,
            )
            for kind, word in (("hold", "held"), ("reject", "rejected"))
        ),
    ],
)
def test_without_a_champion_the_error_names_what_helps(
    past: Callable[[Registry, Publish], object], said: str, registry: Registry, publish: Publish
) -> None:
    past(registry, publish)
    assert str(no_champion(registry)) == said


def test_the_newest_challenger_counts(registry: Registry, publish: Publish) -> None:
    refused(registry, publish, "full")
    decided(registry, publish, "hold", md5="b")
    assert "'v2' was held" in str(no_champion(registry))
