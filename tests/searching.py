"""A small table to search on, and processes that do their share of a study on it."""

import multiprocessing
import multiprocessing.process
import time
from typing import Any

import numpy as np

from incumbent.features.rows import Rows
from incumbent.features.schema import Feature, Schema
from incumbent.learners import Learner, open_learner
from incumbent.params import Params
from incumbent.search import studies, tune
from incumbent.search.studies import StudyRef
from tests.building import toy_params

TRIALS = 12
SCHEMA = Schema(tuple(Feature(name) for name in "abc"), "y", 1)


class Slow:
    """A learner whose folds take a while, so that there is a middle of a trial to be killed in."""

    def __init__(self, learner: Learner, seconds: float) -> None:
        self._learner, self._seconds = learner, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def curve(self, *args: Any) -> Any:
        time.sleep(self._seconds)
        return self._learner.curve(*args)


def with_search(**search: Any) -> Params:
    return toy_params(search={"trials": 8, "folds": 3, **search}, learner={"rounds": 20}, seed=3)


def table() -> Rows:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3)).astype("float32")
    y = (X[:, 0] + rng.normal(size=400) > 0).astype("int8")
    return Rows(X, y, rng.random(400))


def learner(params: Params) -> Learner:
    return open_learner(params, SCHEMA)


def begin_share(place: StudyRef, worker: int) -> multiprocessing.process.BaseProcess:
    """A process that does its share of a study; its death is noticed after five seconds."""
    # A fork of a process that has only imported: quick, and without threads or connections of ours.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "incumbent.learners.lightgbm", "sklearn.model_selection"])
    process = context.Process(target=_share, args=(place, worker))
    process.start()
    return process


def _share(place: StudyRef, worker: int) -> None:
    studies.HEARTBEAT, studies.GRACE = 1, 5
    params = with_search(trials=TRIALS)
    slow: Any = Slow(learner(params), 0.1)
    tune.join(table(), slow, SCHEMA, params, place, worker)
