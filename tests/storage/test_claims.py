"""One run at a time does a piece of work."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from incumbent.errors import BadParams, Conflict, Tampered
from incumbent.storage.registry.registry import Claimed, Done, Registry, Running

WORK = "3fa71d32"


def take(registry: Registry, run_seq: int = 1, lease_seconds: float = 60) -> Claimed:
    """Claim, which must succeed."""
    taken = registry.claim(WORK, run_seq, lease_seconds)
    assert isinstance(taken, Claimed)
    return taken


def test_the_first_gets_the_work_and_the_second_sees_it(registry: Registry) -> None:
    mine = take(registry).claim
    assert registry.claim(WORK, 2, 60) == Running(mine.owner, 1, mine.heartbeat)
    assert isinstance(registry.claim("other-work", 2, 60), Claimed)


def test_finished_work_tells_its_outcome(registry: Registry) -> None:
    mine = take(registry).claim
    registry.finish(mine, {"decision": "hold"})
    assert registry.claim(WORK, 2, 0) == Done(1, {"decision": "hold"})
    with pytest.raises(Conflict):
        registry.renew(mine)


def test_a_look_tells_what_a_claim_would_answer_and_takes_nothing(registry: Registry) -> None:
    assert registry.look_at_claim(WORK, 60) is None
    mine = take(registry).claim
    assert registry.look_at_claim(WORK, 60) == registry.claim(WORK, 2, 60)
    time.sleep(0.1)
    assert registry.look_at_claim(WORK, 0.05) is None  # abandoned: a claim would get it
    registry.finish(mine, {"decision": "hold"})
    assert registry.look_at_claim(WORK, 0) == Done(1, {"decision": "hold"})


def test_a_dead_runs_work_is_taken_over(registry: Registry) -> None:
    dead = take(registry, run_seq=1).claim
    time.sleep(0.2)
    heir = take(registry, run_seq=2, lease_seconds=0.1).claim
    assert (heir.run_seq, heir.owner == dead.owner) == (2, False)
    for late in (
        lambda: registry.renew(dead),
        lambda: registry.finish(dead, {}),
        lambda: registry.release(dead),
    ):
        with pytest.raises(Conflict, match="was taken over by another run; stop this one"):
            late()
    assert registry.claim(WORK, 3, 60) == Running(heir.owner, 2, heir.heartbeat)


def test_a_heartbeat_keeps_the_work(registry: Registry) -> None:
    mine = take(registry).claim
    time.sleep(0.5)
    beating = registry.renew(mine)
    assert registry.claim(WORK, 2, 0.4) == Running(mine.owner, 1, beating.heartbeat)
    with pytest.raises(Conflict):
        registry.renew(mine)
    registry.finish(registry.renew(beating), {"decision": "promote"})
    assert registry.claim(WORK, 2, 0) == Done(1, {"decision": "promote"})


def test_released_work_is_free_at_once(registry: Registry) -> None:
    registry.release(take(registry).claim)
    assert take(registry, run_seq=2).claim.run_seq == 2


def test_of_ten_deliveries_at_once_one_gets_the_work(registry: Registry) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda run: registry.claim(WORK, run, 60), range(1, 11)))
    assert Counter(type(answer) for answer in answers) == {Claimed: 1, Running: 9}


def test_who_holds_the_work_passes_the_check(registry: Registry) -> None:
    mine = take(registry, run_seq=7).claim
    registry.check_claim(WORK, 7, 60)
    registry.renew(mine)
    registry.check_claim(WORK, 7, 60)


def test_who_lost_the_work_does_not(registry: Registry) -> None:
    with pytest.raises(Conflict, match=r"run 7 lost its claim at .* to nobody"):
        registry.check_claim(WORK, 7, 60)
    mine = take(registry, run_seq=7).claim
    time.sleep(0.2)
    with pytest.raises(Conflict, match=r"run 7 sent no heartbeat .* longer than its lease"):
        registry.check_claim(WORK, 7, 0.1)
    heir = take(registry, run_seq=8, lease_seconds=0.1).claim
    with pytest.raises(
        Conflict, match=r"run 7 lost its claim at .* to run 8 \(running\); it may not promote"
    ):
        registry.check_claim(WORK, 7, 60)
    with pytest.raises(Conflict):
        registry.finish(mine, {})
    registry.check_claim(WORK, 8, 60)
    registry.finish(heir, {})
    with pytest.raises(Conflict, match=r"to run 8 \(done\)"):
        registry.check_claim(WORK, 8, 60)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "owner": "x", "run_seq": 1, "heartbeat": "yesterday", "state": "running"}',
        b'{"format": 1, "owner": "x", "run_seq": 1, "heartbeat": "2026-11-01T00:00:00", "state": "running"}',
        b'{"format": 1, "owner": "x", "run_seq": 1, "heartbeat": "2026-11-01T00:00:00Z", "state": "lost"}',
    ],
    ids=["empty", "no fields", "missing", "bad time", "time without zone", "unknown state"],
)
def test_a_garbage_claim_is_refused(body: bytes, registry: Registry) -> None:
    key = f"flights/claims/{WORK}.json"
    registry.store.put(key, body)
    with pytest.raises(Tampered, match=registry.store.url(key)):
        registry.claim(WORK, 1, 60)


def test_a_digest_is_one_name(registry: Registry) -> None:
    with pytest.raises(BadParams, match="bad claim digest"):
        registry.claim("../champion", 1, 60)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this host."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def as_of(registry: Registry, **process: Any) -> None:
    """Rewrite the claim as if another process held it."""
    key = f"flights/claims/{WORK}.json"
    document = json.loads(registry.store.get(key).body)
    document["process"] = {**document["process"], **process}
    registry.store.put(key, json.dumps(document).encode())


def test_a_process_that_died_on_this_host_is_not_waited_for(
    registry: Registry, stranger: subprocess.Popen[bytes]
) -> None:
    take(registry, run_seq=5)
    as_of(registry, pid=stranger.pid, started=psutil.Process(stranger.pid).create_time())
    assert isinstance(registry.claim(WORK, 6, 60), Running)
    stranger.kill()
    deadline = time.monotonic() + 5
    while isinstance(answer := registry.claim(WORK, 6, 60), Running) and time.monotonic() < deadline:
        time.sleep(0.05)
    # Nobody has asked for its exit code yet: a zombie is dead, too.
    assert isinstance(answer, Claimed)
    assert (answer.claim.run_seq, answer.claim.heir_of) == (6, 5)


def test_a_pid_that_now_is_another_process_is_of_a_dead_one(registry: Registry) -> None:
    take(registry, run_seq=5)
    as_of(registry, started=1.0)
    assert take(registry, run_seq=6).claim.heir_of == 5


def test_who_works_for_a_dead_process_is_told_at_once(registry: Registry) -> None:
    take(registry, run_seq=5)
    registry.check_claim(WORK, 5, 60)
    as_of(registry, started=1.0)
    with pytest.raises(Conflict, match=r"the process of run 5, which claims .*, is dead"):
        registry.check_claim(WORK, 5, 60)


def test_of_another_host_only_the_lease_tells(registry: Registry) -> None:
    take(registry, run_seq=5)
    as_of(registry, host="elsewhere", pid=2**22 + 1, started=1.0)
    assert isinstance(registry.claim(WORK, 6, 60), Running)
    time.sleep(0.2)
    assert take(registry, run_seq=6, lease_seconds=0.1).claim.heir_of == 5


def test_an_heir_knows_whose_work_it_goes_on_with(registry: Registry) -> None:
    mine = take(registry, run_seq=1).claim
    assert mine.heir_of is None
    registry.release(mine)
    heir = take(registry, run_seq=2).claim
    assert heir.heir_of == 1
    assert registry.renew(heir).heir_of == 1
    assert registry.decided_by(WORK) is None
    registry.finish(registry.renew(take(registry, run_seq=3, lease_seconds=-1).claim), {})
    assert registry.decided_by(WORK) == 3
