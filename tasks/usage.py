"""The account of what a run uses, kept in its folder while it works, and its cost when it ends.

A process adds to the account of a run what it has used since it added last: after each step, and with each
heartbeat, so that little is lost of a process that is killed.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psutil

from incumbent.errors import StorageUnavailable
from incumbent.evaluation.cost import Usage, cost_document
from incumbent.machine.resources import resources
from incumbent.storage.registry import costs
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.documents import now
from incumbent.storage.s3.traffic import traffic
from tasks.runs import Run

YOUNG = 60.0
"""Seconds. A process that is so young when a run begins was started for it: its imports are the run's."""

_born = time.monotonic() - (time.time() - psutil.Process().create_time())


class _Meter:
    """Hands out what this process uses piece by piece, each piece once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handed_out: Usage | None = None
        self._begun = False

    def begin(self) -> None:
        """A run begins. When its begin is tried again, this changes nothing."""
        with self._lock:
            if not self._begun:
                used = process_usage()
                young = self._handed_out is None and used.wall_seconds < YOUNG
                self._handed_out, self._begun = Usage() if young else used, True

    def take(self) -> Usage:
        """What was used since the last time."""
        with self._lock:
            used, before = process_usage(), self._handed_out or Usage()
            self._handed_out, self._begun = used, False
            return used.since(before)


_meter = _Meter()
_account = threading.Lock()  # heartbeats add to it as well


def begin_account() -> None:
    """From here on this process works for the run that is added to next."""
    _meter.begin()


def process_usage() -> Usage:
    """Of this process since it began."""
    sent = traffic()
    return Usage(
        resources(),
        time.monotonic() - _born,
        sent.requests,
        sent.retries,
        sent.received_bytes,
        sent.sent_bytes,
    )


def note_usage(run: Run) -> None:
    """Add to the run's account what this process used since the last time."""
    _add(run, _meter.take())


@contextmanager
def worker_metered(registry: Registry, run_seq: int) -> Iterator[None]:
    """Record for a run what this process used until the end of the block, also when it fails; the process
    works for nothing else."""
    begin_account()
    try:
        yield
    finally:
        with suppress(StorageUnavailable):  # what the block raised matters more
            costs.record_worker(registry, run_seq, uuid4().hex, _meter.take().to_json())


@contextmanager
def metered(run: Run) -> Iterator[None]:
    """Add what the process used until the end of the block, also when it fails."""
    try:
        yield
    finally:
        note_usage(run)


def take_over(run: Run, dead: int) -> None:
    """Add what a run used that died before it recorded its cost: this run goes on with its work."""
    if not costs.has_cost(run.registry, dead):
        _add(run, _spent(replace(run, seq=dead)))


def usage_of(run: Run) -> Usage:
    """What the run has used up to now."""
    note_usage(run)
    return _spent(run)


def cost_of(run: Run) -> dict[str, Any]:
    """The figures of cost.json, up to now."""
    return cost_document(usage_of(run), run.params.cost)


def record_cost(run: Run, seq: int, kind: str) -> dict[str, Any]:
    """Write cost.json: the figures with the run, the kind of its decision and the time."""
    document = cost_of(run)
    costs.record_cost(run.registry, seq, {"run": seq, "decision": kind, "at": now(), **document})
    return document


def _add(run: Run, spent: Usage) -> None:
    with _account:
        run.write("usage", _kept(run).plus(spent).to_json())


def _kept(run: Run) -> Usage:
    document = run.read("usage")
    return Usage.from_json(document) if document else Usage()


def _spent(run: Run) -> Usage:
    """The account, and what the workers of its search used meanwhile."""
    total = _kept(run)
    if run.seq is not None and run.params.search.workers > 1:
        for document in costs.workers(run.registry, run.seq):
            total = total.plus(Usage.from_json(document).beside())
    return total
