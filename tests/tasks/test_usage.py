"""The account of a run: all that its processes used is in it, once, also when they died."""

import json
import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from incumbent.evaluation.cost import Usage
from incumbent.machine.resources import Resources
from incumbent.storage.registry.costs import record_worker
from incumbent.storage.registry.registry import Claimed
from incumbent.tables.partitions import DataVersion, Diff, Partition
from tasks.heartbeat import Heartbeat
from tasks.runs import Run
from tasks.usage import begin_account, cost_of, metered, note_usage, record_cost, take_over, worker_metered
from tests.building import ROOT
from tests.conftest import BUCKET, S3

DATA = DataVersion("0" * 40, "d1", (Partition("2013-01.parquet", "p1"),))
LITTLE = 0.2  # seconds of CPU that the test itself may take


@pytest.fixture
def run(s3: S3, tmp_path: Path) -> Run:
    """A run of the demo in a registry of its own; its account begins here."""
    shutil.copytree(ROOT / "expectations", tmp_path / "expectations")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["registry"]["address"] = f"s3://{BUCKET}/{tmp_path.name}/registry"
    params["cost"] = {"cpu_hour": 3600, "thousand_requests": 1000, "currency": "EUR"}
    yaml.dump(params, tmp_path / "params.yaml")
    run = Run(tmp_path, None, DATA, Diff(), None, "auto", "by hand")
    begun = replace(run, seq=run.registry.start_run({}))
    note_usage(run)  # what came before this test
    shutil.rmtree(run.folder)
    begin_account()
    return begun


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def burn_and_raise(seconds: float, error: BaseException) -> None:
    burn(seconds)
    raise error


def recorded(run: Run) -> dict[str, object]:
    assert run.seq
    return dict(json.loads(run.registry.read_record(run.seq, "cost.json")))


def test_each_step_adds_to_the_account_and_what_lies_between_is_not_lost(run: Run) -> None:
    with metered(run):
        burn(0.3)
    burn(0.3)
    with pytest.raises(RuntimeError, match="in the middle"), metered(run):
        burn_and_raise(0.3, RuntimeError("in the middle"))
    cost = cost_of(run)
    assert 0.9 <= cost["cpu_seconds"] < 0.9 + LITTLE
    assert cost["cpu_seconds"] <= cost["wall_seconds"] < 10
    assert cost["gpu_seconds"] is None


def test_the_record_says_which_run_what_it_decided_and_what_that_cost(run: Run) -> None:
    assert run.seq
    for number in range(5):
        run.registry.record(run.seq, f"part-{number}.json", b"12345678")
    record_cost(run, run.seq, "skip")
    document = recorded(run)
    assert (document["run"], document["decision"]) == (run.seq, "skip")
    assert isinstance(document["s3_requests"], int)
    assert 5 <= document["s3_requests"] < 15
    assert isinstance(document["sent_bytes"], int)
    assert document["sent_bytes"] >= 40
    seconds, requests = document["cpu_seconds"], document["s3_requests"]
    assert document["money"] == {"amount": pytest.approx(seconds + requests, abs=0.01), "currency": "EUR"}


def test_a_run_that_goes_on_for_a_dead_one_has_the_cost_of_both(run: Run) -> None:
    assert run.seq
    with metered(run):
        burn(0.4)
    heir = replace(run, seq=run.registry.start_run({}))
    shutil.rmtree(heir.folder, ignore_errors=True)
    with metered(heir):
        burn(0.2)
    take_over(heir, run.seq)
    assert 0.6 <= cost_of(heir)["cpu_seconds"] < 0.6 + LITTLE
    third = replace(run, seq=heir.registry.start_run({}))
    take_over(third, heir.seq or 0)
    assert cost_of(third)["cpu_seconds"] >= 0.6, "of all that died before it"


def test_what_a_dead_run_has_recorded_itself_is_not_counted_again(run: Run) -> None:
    assert run.seq
    with metered(run):
        burn(0.4)
    record_cost(run, run.seq, "hold")
    heir = replace(run, seq=run.registry.start_run({}))
    take_over(heir, run.seq)
    assert cost_of(heir)["cpu_seconds"] < LITTLE


def test_a_run_adds_to_its_account_with_each_heartbeat(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.seq
    monkeypatch.setattr("tasks.heartbeat.LEASE_SECONDS", 0.4)
    answer = run.registry.claim("work", run.seq, 120)
    assert isinstance(answer, Claimed)
    with Heartbeat(run.registry, answer.claim, also=partial(note_usage, run)):
        burn(0.5)
        kept = run.read("usage")["resources"]["cpu_seconds"]
    assert 0.1 < kept <= 0.5 + LITTLE, "of a process that is killed now, this much is known"


def test_a_run_that_was_closed_by_another_keeps_its_own_cost(run: Run) -> None:
    with metered(run):
        burn(0.4)
    other = replace(run, seq=run.registry.start_run({}))
    with metered(other):
        burn(0.1)
    assert run.seq
    record_cost(run, run.seq, "promote")
    cost = recorded(run)["cpu_seconds"]
    assert isinstance(cost, float)
    assert 0.4 <= cost < 0.4 + LITTLE


def test_workers_of_the_search_count_but_not_as_time_on_the_clock(run: Run) -> None:
    assert run.seq
    path, yaml, shared = run.project / "params.yaml", YAML(), replace(run, project=run.project)
    params = yaml.load(path)
    params["search"]["workers"] = 2
    yaml.dump(params, path)
    used = Usage(Resources(50.0, 10**12, 70.0, 35.0, 10**9), 400.0, 12, 1, 1000, 2000)
    record_worker(run.registry, run.seq, "0", used.to_json())
    record_worker(run.registry, run.seq, "1", used.to_json())
    cost = cost_of(shared)
    assert 100 <= cost["cpu_seconds"] < 100 + LITTLE
    assert (cost["gpu_seconds"], cost["gpu_utilization"]) == (140.0, 0.5)
    assert cost["wall_seconds"] < 100
    assert cost["peak_memory_bytes"] == 10**12
    assert cost["s3_requests"] >= 24


def test_a_worker_records_what_it_used_also_when_it_is_ended(run: Run) -> None:
    assert run.seq
    with pytest.raises(KeyboardInterrupt), worker_metered(run.registry, run.seq):
        burn_and_raise(0.3, KeyboardInterrupt())
    [key] = [each for each in run.registry.store.list(f"{run.registry.model}/runs/") if "usage-" in each]
    document = json.loads(run.registry.store.get(key).body)
    assert 0.3 <= document["resources"]["cpu_seconds"] < 0.3 + LITTLE


def test_an_account_costs_next_to_nothing(run: Run) -> None:
    process = psutil.Process()
    before = process.cpu_times()
    for _ in range(20):  # as many steps as a full run has, twice
        with metered(run):
            pass
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.1
