"""Processes promote at once, some are killed, and nothing that was acknowledged is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.client import connect
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET
from tests.storage.calls import Moment, watched
from tests.storage.conftest import Publish

PROCESSES = 32
HERE = Path(__file__).parents[2]

Acknowledged = list[tuple[int, str, str]]


def start(registry: Registry, count: int, *names: str) -> subprocess.Popen[str]:
    """Promote `count` versions under each name, in a process a name."""
    address = registry.store.url().rstrip("/")
    command = [sys.executable, "-m", "tests.storage.contender", address, registry.model, str(count), *names]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE, text=True)


def acknowledged_to(processes: list[subprocess.Popen[str]]) -> Acknowledged:
    """What they were told, in the order of the chain; a killed one may have half a last line."""
    lines = [line for process in processes for line in process.communicate()[0].splitlines(keepends=True)]
    return sorted(tuple(json.loads(line)) for line in lines if line.endswith("\n"))


def chain(registry: Registry) -> Acknowledged:
    """What the registry says; `history` has checked that it is unbroken."""
    return [(entry.seq, entry.txid, entry.version) for entry in registry.history()]


def test_thirty_two_processes_at_once_lose_nothing(registry: Registry) -> None:
    together = start(registry, 1, *(f"p{number}" for number in range(PROCESSES)))
    acknowledged = acknowledged_to([together])
    assert together.returncode == 0
    assert len(acknowledged) == PROCESSES
    assert acknowledged == chain(registry)
    assert registry.champion() == registry.history()[-1]
    entries = [f"flights/log/{seq:012d}.json" for seq in range(1, PROCESSES + 1)]
    assert list(registry.store.list("flights/log/")) == entries


def test_killed_processes_leave_a_whole_chain(registry: Registry, publish: Publish) -> None:
    processes = [start(registry, 1000, f"p{number}") for number in range(4)]
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


def test_kill_9_at_any_call_of_a_run_is_harmless(registry: Registry, tmp_path: Path) -> None:
    unused = connect()
    deaths, status = 0, signal.SIGKILL.value
    while status == signal.SIGKILL:
        moment, version = Moment(deaths // 2 + 1, after=deaths % 2 == 1), f"v{deaths}"
        status = die_in_a_run(
            Registry(Store(BUCKET, registry.store.root, unused), "flights"), tmp_path, version, moment
        )
        deaths += 1
        assert registry.problems() == [], f"after a death at {moment}"
        run(registry, tmp_path, version)
        assert registry.champion().version == version  # type: ignore[union-attr]
        assert len(registry.history()) == deaths
    assert status == 0, "the last one has no such call, and ends well"
    assert deaths > 2 * 15, "so many calls has a run that publishes and promotes"


def run(registry: Registry, folder: Path, version: str) -> None:
    """All that a run does, or did when it is done again."""
    model = folder / f"{version}.txt"
    model.write_text(version)
    run_seq = registry.start_run({})
    registry.publish(version, {"model.txt": model}, {})
    current = registry.champion()
    if current is None or current.version != version:
        registry.promote(version, run_seq, current, "")


def die_in_a_run(registry: Registry, folder: Path, version: str, moment: Moment) -> int:
    """The status of a forked child that kills itself at this moment of its run."""
    child = os.fork()
    if child == 0:
        try:
            with watched(registry.store._s3, moment, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                run(registry, folder, version)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]
