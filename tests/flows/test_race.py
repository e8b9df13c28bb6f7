"""Two runs meet at the registry: the later look decides, and nobody wins against a champion it never met."""

from typing import Any

from prefect.logging import disable_run_logger

from incumbent.decide import Hold
from tasks.promotion import compare, promote, register
from tasks.runs import Run, open_run
from tasks.training import train, tune
from tests.flows.conftest import Project


def test_a_lost_race_is_compared_again(inside: Project, arrival: dict[str, Any]) -> None:
    with disable_run_logger():
        in_office = inside.champion()
        rival, run = prepared(inside, seed=1), prepared(inside, seed=2)
        met_first = run.read("comparison")["incumbent"]
        office = rival.registry.champion()
        assert rival.seq
        rival.registry.promote(rival.version, rival.seq, office, "the rival was quicker")

        decision = promote.fn(run)

    seen = run.read("comparison")
    assert met_first == in_office
    assert seen["incumbent"] == rival.version
    assert seen["figures"]["champion"] != seen["figures"]["challenger"]
    champion = run.registry.champion()
    assert champion is not None
    won = decision.kind == "promote"
    assert (champion.version, champion.replaced) == (
        (run.version, rival.version) if won else (rival.version, in_office)
    )


def test_an_older_run_never_replaces_a_newer_champion(inside: Project, arrival: dict[str, Any]) -> None:
    with disable_run_logger():
        slow, quick = prepared(inside, seed=3), prepared(inside, seed=4)
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
        run = prepared(inside, seed=5)
        assert run.seq
        run.registry.promote(run.version, run.seq, run.registry.champion(), "the answer never came")
        before = run.read("comparison")
        promote.fn(run)
    assert run.read("comparison") == before
    champion = run.registry.champion()
    assert champion is not None
    assert champion.version == run.version


def prepared(project: Project, seed: int) -> Run:
    """A run with a registered challenger, about to promote."""
    run = open_run(project.path, "HEAD", "full", f"test with seed {seed}", dry=False)
    run.__dict__["params"] = run.params.model_copy(update={"seed": seed})
    run.write("plan", {"kind": "full", "reasons": []})
    for step in (tune, train, compare, register):
        step.fn(run)
    return run
