"""What a process has used of CPU and memory, and which limits hold for it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from incumbent.machine import resources as measured
from incumbent.machine.resources import Resources, memory_limits, resources

BURN = "import time\nwhile time.process_time() < 0.5: pass"


def test_the_cpu_of_children_and_threads_counts() -> None:
    before = resources()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    after_child = resources().since(before)
    assert 0.4 < after_child.cpu_seconds < 2.0
    begun = resources()
    threads = [threading.Thread(target=sum, args=(range(3_000_000),)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert resources().since(begun).cpu_seconds > 0.02


def test_a_process_without_a_gpu_holds_none() -> None:
    used = resources()
    assert used.peak_memory_bytes > 10_000_000
    assert (used.gpu_seconds, used.gpu_busy_seconds) == (0.0, None)


def test_a_gpu_is_held_from_the_first_training_to_the_end_of_the_process() -> None:
    code = (
        "import time, torch; from incumbent.machine.resources import hold_gpu, resources;"
        "time.sleep(0.2); hold_gpu(); time.sleep(0.7); hold_gpu(); time.sleep(0.7); print(resources())"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    used: Resources = eval(said)
    assert 1.4 <= used.gpu_seconds < 2.5
    assert torch.cuda.is_available() or used.gpu_busy_seconds is None, "where NVML can't tell it is unknown"


def test_workers_elsewhere_count_and_the_peak_is_that_of_the_largest() -> None:
    own = Resources(10.0, 500, 0.0, None, 0)
    one, two = Resources(5.0, 800, 60.0, 30.0, 7), Resources(2.0, 300, 40.0, None, 9)
    assert own.plus(one).plus(two) == Resources(17.0, 800, 100.0, 30.0, 9)


def test_the_machines_memory_is_a_limit_everywhere() -> None:
    machine = memory_limits()[0]
    assert machine.name == "the machine's memory"
    assert 0 < machine.used < machine.limit


def test_a_limit_of_the_address_space_is_told_with_what_was_used_of_it() -> None:
    code = (
        "import resource; from incumbent.machine.resources import memory_limits;"
        "resource.setrlimit(resource.RLIMIT_AS, (4_000_000_000, 4_000_000_000)); held = bytes(1_000_000_000);"
        "[limit] = [each for each in memory_limits() if 'ulimit -v' in each.name];"
        "print(limit.limit, limit.used)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    limit, used = map(int, said.split())
    assert limit == 4_000_000_000
    assert 1_000_000_000 < used < 4_000_000_000


def test_a_containers_limit_is_read_where_the_system_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text("1073741824\n")
    monkeypatch.setattr(measured, "CGROUPS", tmp_path)
    [limit] = [each for each in memory_limits() if "container" in each.name]
    assert limit.limit == 2**30
    (tmp_path / "memory.max").write_text("max\n")
    assert not [each for each in memory_limits() if "container" in each.name]
