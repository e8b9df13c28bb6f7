"""Workers and the S3 server are killed, and every twentieth request fails: nothing is lost, nothing twice."""

import json
import os
import random
import signal
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from incumbent.errors import Conflict, StaleRun, StorageUnavailable
from incumbent.local import processes
from incumbent.local import s3 as local_s3
from incumbent.local.stack import SETTLING
from incumbent.local.state import Stack, make_private_dirs
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.storage.s3.address import ensure_bucket
from incumbent.storage.s3.client import Connection, connect
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET
from tests.effort import DEEP
from tests.storage.faulty_proxy import Faults, faulty_proxy

SEEDS = range(20 if DEEP else 1)
PROMOTIONS, KILLS = (50, 3) if DEEP else (10, 2)  # a seed
RESTARTS = 10 if DEEP else 0
WORKERS = 4

T = TypeVar("T")


@dataclass
class Server:
    """An S3 server of this test's own."""

    stack: Stack

    def start(self) -> None:
        """Until compare-and-swap is safe."""
        processes.start(self.stack, local_s3.prepare(self.stack))
        ensure_bucket(BUCKET, self.environment)
        clients = connect(self.environment)
        again(lambda: Store(BUCKET, "settling", clients).put("now", b""))
        time.sleep(SETTLING)

    def kill(self) -> None:
        """As a power cut would."""
        process = processes.running(self.stack, local_s3.NAME)
        assert process is not None
        process.kill()
        with suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
        process.wait()

    @property
    def environment(self) -> dict[str, str]:
        return local_s3.client_settings(self.stack)


@dataclass
class Totals:
    promotions: int = 0
    unheard: int = 0
    kills: int = 0
    restarts: int = 0
    violations: list[str] = field(default_factory=list)


@pytest.fixture
def server(s3: object, tmp_path: Path) -> Iterator[Server]:
    """Beside the session's, whose fixture keeps the developer's own account away."""
    stack = Stack(tmp_path)
    make_private_dirs(stack)
    started = Server(stack)
    started.start()
    try:
        yield started
    finally:
        processes.stop(stack, local_s3.NAME, grace=2.0)
        local_s3.remove_sockets(stack)


@pytest.mark.timeout(1800)
def test_chaos_loses_nothing(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    totals, began = Totals(), time.monotonic()
    with faulty_proxy(server.environment["AWS_ENDPOINT_URL"]) as faults:
        through = {**server.environment, "AWS_ENDPOINT_URL": faults.endpoint}
        for seed in SEEDS:
            faults.chance = random.Random(seed)
            restart = seed * RESTARTS // len(SEEDS) != (seed + 1) * RESTARTS // len(SEEDS)
            one_seed(seed, restart, server, faults, connect(through), tmp_path / f"{seed}.txt", totals)
    with capsys.disabled():
        print(
            f"\nchaos: {len(SEEDS)} seeds, {totals.promotions} promotions ({totals.unheard} unheard by a "
            f"killed worker), {totals.kills} workers and {totals.restarts} times the server killed, "
            f"{faults.drawn.total()} faults {dict(sorted(faults.drawn.items()))}, "
            f"{len(totals.violations)} violations, {time.monotonic() - began:.0f} s"
        )
    assert totals.violations == []
    assert totals.promotions >= PROMOTIONS * len(SEEDS)
    assert totals.restarts == RESTARTS


def one_seed(
    seed: int, restart: bool, server: Server, faults: Faults, unused: Connection, heard: Path, totals: Totals
) -> None:
    """Workers on one registry until it has seen enough promotions."""
    heard.touch()
    root, chance = f"chaos/{uuid.uuid4().hex}", random.Random(seed)
    shaky = Registry(Store(BUCKET, root, unused), "m")
    names = iter(f"w{number}" for number in range(1000))
    workers = [fork(shaky, next(names), heard) for _ in range(WORKERS)]
    kills = sorted(chance.sample(range(1, PROMOTIONS), KILLS))
    restarts = [chance.randrange(1, PROMOTIONS)] if restart else []
    killed = 0
    while (done := len(heard.read_bytes().splitlines())) < PROMOTIONS:
        if kills and done >= kills[0]:
            kills.pop(0)
            kill(workers.pop(chance.randrange(WORKERS)), heard)
            workers.append(fork(shaky, next(names), heard))
            killed += 1
        if restarts and done >= restarts[0]:
            restarts.pop()
            faults.closed = True
            server.kill()
            server.start()
            faults.closed = False
            totals.restarts += 1
        time.sleep(chance.uniform(0.005, 0.05))
    for pid in workers:
        kill(pid, heard)
    totals.kills += killed + WORKERS
    judge(Registry(Store(BUCKET, root, connect(server.environment)), "m"), heard, killed + WORKERS, totals)


def judge(registry: Registry, heard: Path, killed: int, totals: Totals) -> None:
    """What the workers were told against what the registry says."""
    told = {tuple(json.loads(line)) for line in heard.read_text().splitlines()}
    history = registry.history()
    chain = {(entry.seq, entry.txid, entry.version) for entry in history}
    versions = Counter(entry.version for entry in history)
    totals.violations += [f"lost: {entry}" for entry in sorted(told - chain)]
    totals.violations += [f"twice: {version}" for version, count in versions.items() if count > 1]
    totals.violations += registry.problems()
    unheard = len(chain - told)
    if unheard > killed:
        totals.violations.append(f"{unheard} promotions that nobody made, {killed} workers killed")
    totals.promotions += len(history)
    totals.unheard += unheard


def fork(registry: Registry, name: str, heard: Path) -> int:
    """A worker that promotes until it is killed; its clients never sent anything before."""
    child = os.fork()
    if child == 0:
        try:
            work(registry, name, heard)
        except BaseException:
            heard.with_suffix(".error").write_text(traceback.format_exc())
            raise
        finally:
            os._exit(1)
    return child


def kill(pid: int, heard: Path) -> None:
    """Reap it too; a worker that ended by itself is a failure."""
    os.kill(pid, signal.SIGKILL)
    if not os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
        pytest.fail(f"a worker ended by itself:\n{heard.with_suffix('.error').read_text()}")


def work(registry: Registry, name: str, heard: Path) -> None:
    """Publish and promote, one version after the other."""
    told = os.open(heard, os.O_WRONLY | os.O_APPEND)
    model = heard.with_name(f"{heard.stem}-{name}.txt")
    model.write_text(name)
    for number in range(1000):
        version = f"{name}-{number}"
        again(lambda version=version: registry.publish(version, {"model.txt": model}, {}))  # type: ignore[misc]
        won = again(lambda version=version: promote(registry, version))  # type: ignore[misc]
        os.write(told, f"{json.dumps([won.seq, won.txid, won.version])}\n".encode())


def promote(registry: Registry, version: str) -> Champion:
    """A run by the rules; after an outage it first looks whether it was done."""
    while True:
        run_seq, current = registry.start_run({}), registry.champion()
        done = [entry for entry in registry.history() if entry.version == version]
        if done:
            return done[0]
        with suppress(Conflict, StaleRun):
            return registry.promote(version, run_seq, current, "")


def again(call: Callable[[], T]) -> T:
    """Until S3 is there."""
    while True:
        try:
            return call()
        except StorageUnavailable:
            time.sleep(0.1)
