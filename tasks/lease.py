"""The claims that keep other runs from doing the same work, or from retraining the same model meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from prefect.exceptions import TerminationSignal

from incumbent.errors import IncumbentError
from incumbent.storage.registry.registry import Claim, Claimed, Done, Running
from incumbent.storage.registry.retrainings import Retrainings
from incumbent.storage.registry.verdicts import no_champion
from tasks.heartbeat import Heartbeat
from tasks.hindsight import close_recall
from tasks.record import close_promotion
from tasks.resume import begin_or_resume
from tasks.runs import LEASE_SECONDS, Run
from tasks.turn import turn
from tasks.usage import note_usage, take_over


@dataclass(frozen=True)
class Lease:
    """The run as it may go on. `taken` says which other run does or did this work, or works on the model;
    None when the work is ours.
    """

    run: Run
    taken: str | None = None


@contextmanager
def lease(run: Run) -> Iterator[Lease]:
    """Claim the model and the run's work while the block lasts; resume where a run that died stopped.

    The work is done when the block ends, and the next run's when it fails.
    """
    if run.seq is None:  # a dry run claims nothing, but ends where a real one would
        yield Lease(run, _taken_now(run))
        return
    # Before the turn: who waits for it would wait for a run that does the same.
    taken = None if run.by_event else _taken_now(run)
    if taken:
        yield Lease(run, taken)
        return
    with turn(run, run.seq) as answer:
        if isinstance(answer, str):
            yield Lease(run, answer)
            return
        with _claimed(answer, run.seq) as held:
            yield held


@contextmanager
def _claimed(run: Run, seq: int) -> Iterator[Lease]:
    answer = run.registry.claim(run.work, seq, LEASE_SECONDS)
    if isinstance(answer, Claimed):
        with _kept_alive(run, answer.claim):
            yield _resumed(run, answer.claim)
    else:
        yield Lease(run, _taken(run, answer))
    if run.inputs and not isinstance(answer, Running):
        Retrainings(run.registry).note_decided(run.inputs, seq)


@contextmanager
def _kept_alive(run: Run, claim: Claim) -> Iterator[None]:
    """Mark the work done when the block ends; release it for the next run when it fails."""
    beating = Heartbeat(run.registry, claim, also=partial(note_usage, run))
    try:
        with beating:
            yield
    except BaseException as error:
        # The first error matters; a claim that can't be released expires by itself.
        with suppress(IncumbentError):
            run.registry.release(beating.claim)
        if signalled := _hidden_signal(error):
            raise signalled from None
        raise
    run.registry.finish(beating.claim, {"run": run.seq})


def _resumed(run: Run, claim: Claim) -> Lease:
    """Close what a dead run left open, and take over its finished steps."""
    taken = None
    if claim.heir_of is not None:
        close_recall(run, claim.heir_of)
        taken = close_promotion(run, claim.heir_of)
    if taken is None:
        begin_or_resume(run, claim.heir_of)
        if claim.heir_of is not None:
            take_over(run, claim.heir_of)
    return Lease(run, taken)


def _hidden_signal(error: BaseException) -> TerminationSignal | None:
    """The signal that ended the run, where Prefect raised another error because of it.

    A signal that arrives while Prefect prepares a task run makes Prefect raise an error about that task run;
    the flow would then end as failed, with a misleading reason.
    """
    earlier = error.__context__
    while earlier is not None and not isinstance(earlier, TerminationSignal):
        earlier = earlier.__context__
    return earlier


def _taken_now(run: Run) -> str | None:
    answer = run.registry.look_at_claim(run.work, LEASE_SECONDS)
    return _taken(run, answer) if answer else None


def _taken(run: Run, answer: Running | Done) -> str:
    return _decided(run, answer.run_seq) if isinstance(answer, Done) else _running(run, answer)


def _decided(run: Run, by: int) -> str:
    if run.announced is None:
        decided = f"run {by} decided this data version with these parameters"
        return (
            f"{decided}{_after_rollback(run)}" if run.champion else f"{decided}; {no_champion(run.registry)}"
        )
    return f"{run.superseded}, which run {by} decided"


def _after_rollback(run: Run) -> str:
    """What helps where the decision may have been against another champion."""
    champion = run.registry.champion()
    if champion is None or champion.op != "rollback" or run.strategy == "full":
        return ""
    return (
        f"; '{champion.version}' is champion by a rollback, and 'incumbent retrain --strategy full' compares "
        "a new challenger with it"
    )


def _running(run: Run, other: Running) -> str:
    heartbeat = f"last heartbeat {other.heartbeat}"
    if run.announced is None:
        return f"run {other.run_seq} is working on it ({heartbeat})"
    return f"{run.superseded}, which run {other.run_seq} is working on ({heartbeat})"
