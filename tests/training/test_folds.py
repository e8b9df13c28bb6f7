"""Folds of single rows; work over the folds can be interrupted."""

import signal
import time
from collections.abc import Iterator
from types import FrameType

import numpy as np
import pytest

from incumbent.errors import BadData
from incumbent.features.rows import Rows
from incumbent.params import SearchParams
from incumbent.search.tune import tune
from incumbent.training.cross_validation import cross_validate
from incumbent.training.folds import Split, folds, over_folds
from tests.searching import SCHEMA, learner, table, with_search


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


def test_leave_one_out_holds_out_each_row_once_and_scores_them_together() -> None:
    params = with_search(scheme="leave-one-out", trials=3)
    few = table().take(np.arange(60))
    result = tune(few, learner(params), SCHEMA, params)
    assert [len(trial.folds) for trial in result.trials] == [1, 1, 1]
    assert 2 <= result.rounds <= 20
    binned = learner(params).bin(few.X, few.y)
    estimate = cross_validate(few, learner(params), binned, result.tuned, SCHEMA, params).estimate
    assert estimate.mean == max(trial.value for trial in result.trials)
    assert (estimate.rows, len(estimate.folds)) == (60, 1)


def test_leave_one_out_tells_what_many_rows_would_cost() -> None:
    rows = Rows(np.zeros((1001, 1), dtype="float32"), np.arange(1001) % 2, np.zeros(1001))
    with pytest.raises(BadData, match=r"1,001 fits a trial and 8,008 in all, about 200 times"):
        folds(rows, SearchParams(scheme="leave-one-out"), 0)


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
