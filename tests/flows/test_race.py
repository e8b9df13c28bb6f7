"""Two runs meet at the registry: the later look decides, and nobody wins against a champion it never met."""

import signal
import threading
from typing import Any

import pytest
from prefect.exceptions import TerminationSignal
from prefect.logging import disable_run_logger

from incumbent.evaluation.decide import Hold
from incumbent.storage.registry.registry import Claimed
from incumbent.storage.registry.retrainings import Retrainings
from tasks.lease import lease
from tasks.promotion import promote
from tasks.runs import LEASE_SECONDS, Run, open_run
from tasks.turn import turn
from tests.flows.conftest import Project, edited
from tests.flows.preparing import prepared


def test_a_lost_race_is_compared_again(inside: Project, arrival: dict[str, Any]) -> None:
    with disable_run_logger():
        in_office = inside.champion()
        rival, run = prepared(inside), prepared(inside)
        met_first = run.read("comparison")["incumbent"]
        office = rival.registry.champion()
        assert rival.seq
        rival.registry.promote(rival.version, rival.seq, office, "the rival was quicker")

        decision = promote.fn(run)

    seen = run.read("comparison")
    assert met_first == in_office
    assert seen["incumbent"] == rival.version
    figures = seen["evidence"]["comparison"]
    assert figures["champion"] != figures["challenger"]
    champion = run.registry.champion()
    assert champion is not None
    won = decision.kind == "promote"
    assert (champion.version, champion.replaced) == (
        (run.version, rival.version) if won else (rival.version, in_office)
    )


def test_an_older_run_never_replaces_a_newer_champion(inside: Project, arrival: dict[str, Any]) -> None:
    with disable_run_logger():
        slow, quick = prepared(inside), prepared(inside)
        assert quick.seq
        quick.registry.promote(quick.version, quick.seq, quick.registry.champion(), "quick")
        decision = promote.fn(slow)
    champion = slow.registry.champion()
    assert champion is not None
    assert champion.version == quick.version
    assert decision.kind != "promote"
    if isinstance(decision, Hold) and "run" in decision.because[0]:
        assert str(slow.seq) in decision.because[0]


def test_a_promotion_whose_answer_was_lost_is_not_held_on_the_second_try(
    inside: Project, arrival: dict[str, Any]
) -> None:
    with disable_run_logger():
        run = prepared(inside)
        assert run.seq
        run.registry.promote(run.version, run.seq, run.registry.champion(), "the answer never came")
        before = run.read("comparison")
        promote.fn(run)
    assert run.read("comparison") == before
    champion = run.registry.champion()
    assert champion is not None
    assert champion.version == run.version


def test_a_run_by_hand_waits_for_the_one_at_work_and_starts_from_its_champion(
    inside: Project, arrival: dict[str, Any]
) -> None:
    with disable_run_logger():
        rival, run = prepared(inside), prepared(inside)
    assert rival.seq
    assert run.seq
    retrainings = Retrainings(run.registry)
    held = retrainings.begin(rival.seq, LEASE_SECONDS)
    assert isinstance(held, Claimed)

    def end() -> None:
        assert rival.seq
        rival.registry.promote(rival.version, rival.seq, rival.registry.champion(), "while the other waited")
        rival.registry.release(held.claim)

    threading.Timer(3, end).start()
    with disable_run_logger(), turn(run, run.seq) as answer:
        assert isinstance(answer, Run)
        assert answer.champion == rival.version
        assert retrainings.at_work(LEASE_SECONDS) == run.seq
    assert retrainings.at_work(LEASE_SECONDS) is None


def stumble() -> None:
    """As Prefect does over a signal between two tasks."""
    try:
        raise TerminationSignal(signal=signal.SIGTERM)
    finally:
        raise ValueError("Task run is not set")


def test_a_signal_that_prefect_stumbles_over_is_still_what_ends_the_run(inside: Project) -> None:
    with edited(inside, seed=77):
        run = open_run(inside.path, "HEAD", "full", "a test", dry=False)
        assert run.params.seed == 77
    assert run.seq
    with disable_run_logger(), pytest.raises(TerminationSignal), lease(run):
        stumble()
    assert isinstance(run.registry.claim(run.work, run.seq, LEASE_SECONDS), Claimed)
