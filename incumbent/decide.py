"""Does the challenger take office? Pure rules: a comparison in, a decision with its reasons out."""

from incumbent.compare import Comparison
from incumbent.params import PromotionParams
from incumbent.reasoned import Reasoned


class Decision(Reasoned):
    """What becomes of the challenger."""


class Promote(Decision):
    """The challenger becomes the champion."""


class Hold(Decision):
    """Not shown to be better; kept in the registry, the champion stays."""


class Reject(Decision):
    """Shown to be unfit or worse; the champion stays."""


def decide(seen: Comparison, policy: PromotionParams, incumbent: str) -> Decision:
    """`incumbent` names what was compared with: a version, or the trivial baseline for a first model."""
    gain, name = seen.difference, seen.metric
    figures = (
        f"{name} {gain.value:+.4f}, {policy.confidence * 100:g}% interval [{gain.low:+.4f}, {gain.high:+.4f}]"
    )
    if seen.challenger.value < policy.floor:
        return Reject((f"{name} {seen.challenger.value:.4f} is below promotion.floor = {policy.floor}",))
    if gain.high < 0:
        return Reject((f"worse than {incumbent}: {figures}",))
    if gain.low > policy.margin:
        return Promote((f"better than {incumbent} by more than {policy.margin}: {figures}",))
    return Hold((f"not shown to be better than {incumbent} by more than {policy.margin}: {figures}",))
