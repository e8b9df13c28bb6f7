"""Runs that stop just before they promote, in this process."""

import itertools
from typing import Any

from prefect import flow

from incumbent.storage.registry.registry import Claimed
from tasks.promotion import compare, register
from tasks.record import record
from tasks.runs import LEASE_SECONDS, Run, open_run
from tasks.training import choose_window, train, tune
from tests.flows.conftest import Project, edited

SEEDS = itertools.count(1000)


def opened(project: Project, about: str, data_rev: str = "HEAD", **changes: Any) -> Run:
    """A run with changed parameters that holds the claim on its work."""
    seed = changes.pop("seed", next(SEEDS))  # other parameters are other work, which nobody has claimed
    with edited(project, seed=seed, **changes):
        run = open_run(project.path, data_rev, "full", about, dry=False)
        assert run.params.seed == seed  # read now, and for good
    assert run.seq
    assert isinstance(run.registry.claim(run.work, run.seq, LEASE_SECONDS), Claimed)
    return run


def recorded(run: Run, kind: str, reason: str) -> dict[str, Any]:
    """The run's decision in the registry, as its flow records it; returns the outcome."""

    @flow(name="a test")
    def closing() -> dict[str, Any]:
        return record(run, kind, (reason,))

    return closing()


def prepared(project: Project, data_rev: str = "HEAD", **changes: Any) -> Run:
    """A run with a registered challenger, about to promote."""
    run = opened(project, "a test", data_rev, **changes)
    run.write("plan", {"kind": "full", "reasons": []})
    for step in (choose_window, tune, train, compare, register):
        step.fn(run)
    return run
