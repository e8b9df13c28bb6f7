"""Workers on a machine with GPUs: each has one to itself. The GPUs are pretended, the locks are real."""

import os
import threading
from pathlib import Path

import pytest
import torch

from incumbent.learners.devices import VISIBLE, one_device, slots, visible


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
def test_each_worker_sees_a_gpu_of_its_own_and_the_third_waits_for_one(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def third() -> None:
        with one_device(tmp_path) as device:
            seen.append(device)

    waiting = threading.Thread(target=third)
    with one_device(tmp_path) as first:
        assert (first, os.environ[VISIBLE]) == ("0", "0")
        os.environ.pop(VISIBLE)  # as another process, which has an environment of its own
        with one_device(tmp_path) as second:
            assert (second, os.environ[VISIBLE]) == ("1", "1")
            os.environ.pop(VISIBLE)
            waiting.start()
            waiting.join(1.5)
            assert waiting.is_alive()
            os.environ[VISIBLE] = "1"
        waiting.join(10)
        assert seen == ["1"]
        os.environ[VISIBLE] = "0"


@pytest.mark.usefixtures("two_gpus")
def test_only_gpus_that_the_process_may_see_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (visible(), slots()) == (["0", "1"], 2)
    monkeypatch.setenv(VISIBLE, "5,7")
    with one_device(tmp_path) as device:
        assert (device, os.environ[VISIBLE]) == ("5", "5")
    assert os.environ[VISIBLE] == "5,7"


def test_without_gpus_there_is_a_place_on_each_core_and_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert slots() == os.cpu_count()
    with one_device(tmp_path / "devices") as device:
        assert (device, VISIBLE in os.environ) == (None, False)
    assert not (tmp_path / "devices").exists()
