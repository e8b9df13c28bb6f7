"""A model's turn: one retraining of it at a time, and no version that comes meanwhile is lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect import get_run_logger

from incumbent.errors import IncumbentError
from incumbent.storage.registry.registry import Claim, Claimed, Running
from incumbent.storage.registry.retrainings import Retrainings
from tasks.announcement import Version
from tasks.events import emit
from tasks.heartbeat import Heartbeat
from tasks.runs import LEASE_SECONDS, Run

LOOK = 2.0  # seconds between two looks of a run that waits


@contextmanager
def turn(run: Run, seq: int) -> Iterator[Run | str]:
    """The run, alone with its model until the block ends; or which other run is at work on it.

    A run that an event started leaves its version to the end of the run at work, which announces it again.
    Any other run waits, and goes on from the champion that there is by then. Either the run at work reads
    what was left to it after it gave the model back, or this one sees that the model is free and announces
    the version itself; if both do, it is one event.
    """
    retrainings = Retrainings(run.registry)
    answer = retrainings.begin(seq, LEASE_SECONDS)
    if isinstance(answer, Running) and run.by_event:
        retrainings.put_off(answer.run_seq, Version(run.of_announced.data, run.of_announced.diff).to_json())
        yield _put_off(run, answer)
        if retrainings.at_work(LEASE_SECONDS) != answer.run_seq:
            _announce_left_to(run, retrainings, answer.run_seq)
        return
    waited = isinstance(answer, Running)
    claim = answer.claim if isinstance(answer, Claimed) else _wait(run, seq, retrainings)
    try:
        with Heartbeat(run.registry, claim) as beating:
            champion = run.registry.champion() if waited else None
            yield run.against(champion.version) if champion else run
    finally:
        # What the block raised matters more; a claim that can't be given back expires by itself.
        with suppress(IncumbentError):
            run.registry.release(beating.claim)
            for ended in filter(None, (claim.heir_of, seq)):
                _announce_left_to(run, retrainings, ended)


def _put_off(run: Run, other: Running) -> str:
    return (
        f"run {other.run_seq} is retraining '{run.registry.model}' (last heartbeat {other.heartbeat}); when "
        f"it ends, data version {run.of_announced.data.short}, or a later one, is announced again"
    )


def _wait(run: Run, seq: int, retrainings: Retrainings) -> Claim:
    other = None
    while not isinstance(answer := retrainings.begin(seq, LEASE_SECONDS), Claimed):
        if answer.run_seq != other:
            other = answer.run_seq
            get_run_logger().info("run %d is retraining '%s'; waiting for it", other, run.registry.model)
        time.sleep(LOOK)
    return answer.claim


def _announce_left_to(run: Run, retrainings: Retrainings, ended: int) -> None:
    announced = retrainings.left_to(ended)
    if announced is None:
        return
    name = run.params.dataset.name
    payload = {key: value for key, value in announced.items() if key != "format"}
    once = f"{payload['rev']} after run {ended}"
    emit(run.project, "dataset.version.created", f"incumbent.dataset.{name}", name, once, payload)
