"""What goes wrong in a training is said with its figure and a way out, and nothing else is."""

import pytest

from incumbent.learners.devices import Device
from incumbent.machine.resources import MemoryLimit, Resources
from incumbent.training.anomalies import Anomaly, joined, of_device, of_gpu, of_memory


@pytest.mark.parametrize(("used", "near"), [(7.3e9, True), (7.2e9, True), (7.1e9, False)])
def test_memory_is_near_its_limit_from_nine_tenths_of_it(used: float, near: bool) -> None:
    limits = [MemoryLimit("the container's memory limit", int(used), 8 * 10**9)]
    anomalies = list(of_memory(limits))
    assert bool(anomalies) is near
    if near:
        assert "% of the container's memory limit of 8.00 GB" in anomalies[0].what
        assert anomalies[0].kind == "memory_near_limit"


def test_a_device_that_was_asked_for_and_is_not_there_is_told() -> None:
    [anomaly] = of_device(Device("cuda", "cpu", "this process sees no CUDA device"))
    assert anomaly.kind == "idle_gpu"
    assert anomaly.what == "learner.device = cuda, but trained on the cpu: this process sees no CUDA device"
    assert not list(of_device(Device("auto", "cpu")))
    assert not list(of_device(Device("cuda", "cuda")))


@pytest.mark.parametrize(
    ("used", "idle"),
    [
        pytest.param(Resources(9, 1, 100.0, 1.0), True, id="held and not used"),
        pytest.param(Resources(9, 1, 100.0, 40.0), False, id="used"),
        pytest.param(Resources(9, 1, 10.0, 0.0), False, id="held for a moment"),
        pytest.param(Resources(9, 1, 100.0, None), False, id="nobody can tell"),
        pytest.param(Resources(9, 1), False, id="none held"),
    ],
)
def test_a_gpu_is_idle_that_was_held_and_hardly_computed(used: Resources, idle: bool) -> None:
    assert [each.kind for each in of_gpu(used)] == ["idle_gpu"] * idle


def test_a_step_that_is_tried_again_tells_each_anomaly_once() -> None:
    first, second = Anomaly("slow_trial", "trial 3 took long", 12.0), Anomaly("idle_gpu", "none there")
    known = joined([], [first])
    assert joined(known, [first, second]) == [first.to_json(), second.to_json()]
