"""What went wrong in a training: people are told, the record has it, and no decision depends on it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from incumbent.machine.resources import MemoryLimit, Resources

if TYPE_CHECKING:
    from incumbent.learners.devices import Device

Kind = Literal["nan_loss", "diverging_loss", "slow_trial", "memory_near_limit", "idle_gpu"]

NEAR = 0.9
"""Share of a memory limit from which a training is near to being ended by it."""
IDLE, HELD = 0.05, 30.0
"""A GPU that computed in less than this share of the time is idle; seconds that it must have been held."""


@dataclass(frozen=True)
class Anomaly:
    """`what`: a sentence for people, with what to do; `value`: the figure that showed it."""

    kind: Kind
    what: str
    value: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def joined(known: Sequence[dict[str, Any]], new: Iterable[Anomaly]) -> list[dict[str, Any]]:
    """The documents of both; of a step that was tried again, each once."""
    documents = [each.to_json() for each in new]
    said = {each["what"] for each in documents}
    return [*(each for each in known if each["what"] not in said), *documents]


def of_memory(limits: Iterable[MemoryLimit]) -> Iterator[Anomaly]:
    for each in limits:
        share = each.used / each.limit
        if share >= NEAR:
            yield Anomaly(
                "memory_near_limit",
                f"{each.used / 1e9:,.2f} GB of memory were used at the peak, {share:.0%} of {each.name} of "
                f"{each.limit / 1e9:,.2f} GB: lower search.rows or retrain.window in params.yaml, or give it "
                "more memory",
                share,
            )


def of_device(device: "Device") -> Iterator[Anomaly]:
    """A device that was asked for by its name and is not there."""
    if device.fell_back:
        yield Anomaly(
            "idle_gpu",
            f"learner.device = {device.asked}, but trained on the {device.used}: {device.fell_back}",
        )


def of_gpu(used: Resources) -> Iterator[Anomaly]:
    """A GPU that was held and hardly computed."""
    if used.gpu_busy_seconds is None or used.gpu_seconds < HELD:
        return
    share = used.gpu_busy_seconds / used.gpu_seconds
    if share < IDLE:
        yield Anomaly(
            "idle_gpu",
            f"the GPU was held for {used.gpu_seconds:,.0f} s and computed in {share:.1%} of that time: raise "
            "learner.batch, or set learner.device: cpu in params.yaml",
            share,
        )
