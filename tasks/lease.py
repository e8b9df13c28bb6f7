"""The claim that keeps other runs from doing the same work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect.exceptions import TerminationSignal

from incumbent.errors import Conflict, IncumbentError, StorageUnavailable
from incumbent.storage.registry.registry import Claim, Claimed, Done, Running
from incumbent.storage.registry.verdicts import no_champion
from tasks.hindsight import close_recall
from tasks.record import close_promotion
from tasks.resume import begin_or_resume
from tasks.runs import LEASE_SECONDS, Run


class Lease:
    """The claim on a run's work, kept alive by a heartbeat until the work ends.

    `taken` says which other run does or did this work; None when it is ours.
    """

    def __init__(self, run: Run, claim: Claim | None, taken: str | None) -> None:
        self._run, self._claim, self.taken = run, claim, taken
        self._stopped = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def _beat(self) -> None:
        while self._claim is not None and not self._stopped.wait(LEASE_SECONDS / 4):
            try:
                self._claim = self._run.registry.renew(self._claim)
            except StorageUnavailable:
                continue  # the next heartbeat may get through; the lease outlasts several
            except Conflict:
                return  # taken over; the fencing token and the compare-and-swap keep this run from promoting

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Mark the work done when the block ends; release it for the next run when it fails."""
        if self._claim is None:
            yield self
            return
        self._beating.start()
        try:
            yield self
        except BaseException as error:
            self._stop()
            # The first error matters; a claim that can't be released expires by itself.
            with suppress(IncumbentError):
                self._run.registry.release(self._claim)
            if signalled := _hidden_signal(error):
                raise signalled from None
            raise
        self._stop()
        self._run.registry.finish(self._claim, {"run": self._run.seq})

    def _stop(self) -> None:
        self._stopped.set()
        self._beating.join()


def _hidden_signal(error: BaseException) -> TerminationSignal | None:
    """The signal that ended the run, where Prefect raised another error because of it.

    A signal that arrives while Prefect prepares a task run makes Prefect raise an error about that task run;
    the flow would then end as failed, with a misleading reason.
    """
    earlier = error.__context__
    while earlier is not None and not isinstance(earlier, TerminationSignal):
        earlier = earlier.__context__
    return earlier


@contextmanager
def lease(run: Run) -> Iterator[Lease]:
    """Claim the run's work for as long as the block lasts; resume where a run that died stopped."""
    if run.seq is None:  # a dry run claims nothing, but ends where a real one would
        answer = run.registry.look_at_claim(run.work, LEASE_SECONDS)
        yield Lease(run, None, _taken(run, answer) if answer else None)
        return
    claimed = run.registry.claim(run.work, run.seq, LEASE_SECONDS)
    claim = claimed.claim if isinstance(claimed, Claimed) else None
    taken = None if isinstance(claimed, Claimed) else _taken(run, claimed)
    with Lease(run, claim, taken).held() as held:
        if claim is not None and claim.heir_of is not None:
            close_recall(run, claim.heir_of)
            held.taken = close_promotion(run, claim.heir_of)
        if claim is not None and held.taken is None:
            begin_or_resume(run, claim.heir_of)
        yield held


def _taken(run: Run, answer: Running | Done) -> str:
    return _decided(run, answer.run_seq) if isinstance(answer, Done) else _running(run, answer)


def _decided(run: Run, by: int) -> str:
    if run.announced is None:
        decided = f"run {by} decided this data version with these parameters"
        return decided if run.champion else f"{decided}; {no_champion(run.registry)}"
    return f"{run.superseded}, which run {by} decided"


def _running(run: Run, other: Running) -> str:
    heartbeat = f"last heartbeat {other.heartbeat}"
    if run.announced is None:
        return f"run {other.run_seq} is working on it ({heartbeat})"
    return f"{run.superseded}, which run {other.run_seq} is working on ({heartbeat})"
