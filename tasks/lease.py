"""The claim that makes a run the only one at its work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect.exceptions import TerminationSignal

from incumbent.errors import Conflict, IncumbentError, StorageUnavailable
from incumbent.storage.registry.registry import Claim, Claimed, Done, Running
from tasks.record import close_promotion
from tasks.resume import begin_or_resume
from tasks.runs import LEASE_SECONDS, Run


class Lease:
    """The claim on a run's work, kept alive by a heartbeat until the work ends.

    `taken` says who else does or did this work, or is None when it is ours.
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
                continue  # the next beat may get through; the lease outlasts several
            except Conflict:
                return  # taken over; the fence and the compare-and-swap keep this run from promoting

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Done when the block ends, free again for the next run when it fails."""
        if self._claim is None:
            yield self
            return
        self._beating.start()
        try:
            yield self
        except BaseException as error:
            self._stop()
            # What went wrong is the news; a claim that can't be released expires by itself.
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
    """The signal that ended the run, where Prefect stumbled over it.

    One that comes while Prefect prepares a task run makes it raise of that task run, and the flow would end
    as failed, for a reason that says nothing.
    """
    earlier = error.__context__
    while earlier is not None and not isinstance(earlier, TerminationSignal):
        earlier = earlier.__context__
    return earlier


@contextmanager
def lease(run: Run) -> Iterator[Lease]:
    """Claim the run's work for as long as the block lasts; go on where a run that died at it stopped."""
    if run.seq is None:
        yield Lease(run, None, None)
        return
    answer = run.registry.claim(run.work, run.seq, LEASE_SECONDS)
    if isinstance(answer, Claimed):
        taken, claim = None, answer.claim
    elif isinstance(answer, Done):
        taken, claim = _decided(run, answer.run_seq), None
    else:
        taken, claim = _at_it(run, answer), None
    with Lease(run, claim, taken).held() as held:
        if claim is not None and claim.heir_of is not None:
            held.taken = close_promotion(run, claim.heir_of)
        if claim is not None and held.taken is None:
            begin_or_resume(run, claim.heir_of)
        yield held


def _decided(run: Run, by: int) -> str:
    if run.announced is None:
        return f"run {by} decided this data version with these parameters"
    return f"{run.superseded}, which run {by} decided"


def _at_it(run: Run, other: Running) -> str:
    sign = f"last sign of life {other.heartbeat}"
    if run.announced is None:
        return f"run {other.run_seq} is at it ({sign})"
    return f"{run.superseded}, which run {other.run_seq} is at ({sign})"
