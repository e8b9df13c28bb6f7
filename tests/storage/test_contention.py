"""Processes promote at once, some are killed, and nothing that was acknowledged is lost."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from incumbent.storage.registry import Registry
from tests.storage.conftest import Publish

PROCESSES, EACH = 8, 3
HERE = Path(__file__).parents[2]

Acknowledged = list[tuple[int, str, str]]


def start(registry: Registry, name: str, count: int) -> subprocess.Popen[str]:
    """A process that promotes `count` versions."""
    address = registry.store.url().rstrip("/")
    command = [sys.executable, "-m", "tests.storage.contender", address, registry.model, name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE, text=True)


def acknowledged_to(processes: list[subprocess.Popen[str]]) -> Acknowledged:
    """What they were told, in the order of the chain; a killed one may have half a last line."""
    lines = [line for process in processes for line in process.communicate()[0].splitlines(keepends=True)]
    return sorted(tuple(json.loads(line)) for line in lines if line.endswith("\n"))


def chain(registry: Registry) -> Acknowledged:
    """What the registry says; `history` has checked that it is unbroken."""
    return [(entry.seq, entry.txid, entry.version) for entry in registry.history()]


def test_eight_processes_at_once_lose_nothing(registry: Registry) -> None:
    processes = [start(registry, f"p{number}", EACH) for number in range(PROCESSES)]
    acknowledged = acknowledged_to(processes)
    assert len(acknowledged) == PROCESSES * EACH
    assert acknowledged == chain(registry)
    assert registry.champion() == registry.history()[-1]
    assert len(list(registry.store.list("flights/log/"))) == PROCESSES * EACH


def test_killed_processes_leave_a_whole_chain(registry: Registry, publish: Publish) -> None:
    processes = [start(registry, f"p{number}", 1000) for number in range(4)]
    for survivors in (3, 2, 1, 0):
        wait_for_entries(registry, 5 * (4 - survivors))
        processes[survivors].kill()
    acknowledged, promoted = acknowledged_to(processes), chain(registry)
    assert set(acknowledged) <= set(promoted)
    assert len(promoted) - len(acknowledged) <= len(processes), "at most the last of each went unheard"
    publish("next")
    after = registry.promote("next", registry.start_run({}), registry.champion(), "")
    assert chain(registry) == [*promoted, (after.seq, after.txid, "next")]


def wait_for_entries(registry: Registry, count: int) -> None:
    """Until the log has so many."""
    deadline = time.monotonic() + 60
    while len(list(registry.store.list("flights/log/"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_runs_that_start_at_once_get_different_numbers(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: registry.start_run({}), range(24)))
    assert sorted(numbers) == list(range(1, 25))
