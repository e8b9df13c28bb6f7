"""Work over the folds can be interrupted."""

import signal
import time
from collections.abc import Iterator
from types import FrameType

import numpy as np
import pytest

from incumbent.folds import Split, over_folds


class Terminated(BaseException):
    """What Prefect's handler raises for SIGTERM, in the main thread."""


@pytest.fixture
def alarm() -> Iterator[None]:
    """SIGTERM's kin, in a fifth of a second."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupt_waits_for_no_fold_and_starts_no_other(alarm: None) -> None:
    started: list[int] = []

    def work(split: Split) -> None:
        started.append(len(split[0]))
        time.sleep(2)

    splits = [(np.arange(number), np.arange(1)) for number in range(50)]
    begun = time.monotonic()
    with pytest.raises(Terminated):
        over_folds(work, splits)
    assert time.monotonic() - begun < 1
    running = len(started)
    time.sleep(2.5)
    assert len(started) == running < 50
