"""What a run has used and what that costs. Parts of a run add up, however they were cut."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from incumbent.machine.resources import Resources
from incumbent.params import CostParams

HOUR, GIGABYTE, THOUSAND = 3600.0, 1e9, 1000.0


@dataclass(frozen=True)
class Usage:
    """`wall_seconds`: of all processes that worked one after the other; bytes: sent to and from S3 and the
    DVC remote."""

    resources: Resources = field(default_factory=Resources)
    wall_seconds: float = 0.0
    s3_requests: int = 0
    s3_retries: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            self.resources.plus(other.resources),
            self.wall_seconds + other.wall_seconds,
            self.s3_requests + other.s3_requests,
            self.s3_retries + other.s3_retries,
            self.received_bytes + other.received_bytes,
            self.sent_bytes + other.sent_bytes,
        )

    def since(self, before: "Usage") -> "Usage":
        """What was used after `before`, an earlier state of the same process."""
        return Usage(
            self.resources.since(before.resources),
            self.wall_seconds - before.wall_seconds,
            self.s3_requests - before.s3_requests,
            self.s3_retries - before.s3_retries,
            self.received_bytes - before.received_bytes,
            self.sent_bytes - before.sent_bytes,
        )

    def beside(self) -> "Usage":
        """The same as used by a process at the side of another: it adds no time on the clock."""
        return replace(self, wall_seconds=0.0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Usage":
        return Usage(**{**document, "resources": Resources(**document["resources"])})


@dataclass(frozen=True)
class Money:
    amount: float
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:,.4f} {self.currency}"


def money_of(usage: Usage, prices: CostParams) -> Money | None:
    """What the usage costs; None where params.yaml has no prices. What has no price costs nothing."""
    if not prices.has_prices or prices.currency is None:
        return None
    amounts = (
        (prices.cpu_hour, usage.resources.cpu_seconds / HOUR),
        (prices.gpu_hour, usage.resources.gpu_seconds / HOUR),
        (prices.gigabyte, (usage.received_bytes + usage.sent_bytes) / GIGABYTE),
        (prices.thousand_requests, usage.s3_requests / THOUSAND),
    )
    return Money(sum(price * amount for price, amount in amounts if price is not None), prices.currency)


def cost_document(usage: Usage, prices: CostParams) -> dict[str, Any]:
    """The figures of cost.json. Of a GPU they are null where none was held; `gpu_utilization` is the share of
    that time in which it computed, null where NVML can't tell."""
    used, money = usage.resources, money_of(usage, prices)
    held, busy = used.gpu_seconds > 0, used.gpu_busy_seconds
    return {
        "cpu_seconds": round(used.cpu_seconds, 3),
        "gpu_seconds": round(used.gpu_seconds, 3) if held else None,
        "peak_memory_bytes": used.peak_memory_bytes,
        "gpu_peak_memory_bytes": used.gpu_peak_memory_bytes if held else None,
        "gpu_utilization": round(busy / used.gpu_seconds, 4) if held and busy is not None else None,
        "s3_requests": usage.s3_requests,
        "s3_retries": usage.s3_retries,
        "received_bytes": usage.received_bytes,
        "sent_bytes": usage.sent_bytes,
        "wall_seconds": round(usage.wall_seconds, 3),
        "money": asdict(money) if money else None,
    }


def in_words(cost: Mapping[str, Any]) -> str:
    """The figures of cost.json as a line for people."""
    moved = (cost["received_bytes"] + cost["sent_bytes"]) / 1e6
    parts = [f"{cost['cpu_seconds']:,.1f} s of CPU"]
    if cost["gpu_seconds"] is not None:
        busy = cost["gpu_utilization"]
        parts.append(
            f"{cost['gpu_seconds']:,.1f} s of GPU" + (f" ({busy:.0%} busy)" if busy is not None else "")
        )
    parts += [
        f"{cost['peak_memory_bytes'] / 1e6:,.0f} MB of memory at the peak",
        f"{cost['s3_requests']:,} S3 requests",
        f"{moved:,.1f} MB moved",
        f"in {cost['wall_seconds']:,.0f} s",
    ]
    line = ", ".join(parts)
    return f"{Money(**cost['money'])}: {line}" if cost["money"] else line
