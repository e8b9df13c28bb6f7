"""Does a winner wait for a person? Pure rules, and the commands that answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from incumbent.evaluation.roles import TOOK_OFFICE

if TYPE_CHECKING:
    from incumbent.evaluation.decide import Decision, Evidence
    from incumbent.params import PromotionParams


def ask_a_person(decision: Decision, evidence: Evidence, policy: PromotionParams) -> Decision:
    """Pending in place of Promote where promotion.approve asks for a person; else the same decision."""
    from incumbent.evaluation.decide import Pending, Promote, Provisional

    if not isinstance(decision, Promote) or policy.approve == "never":
        return decision
    provisional = isinstance(decision, Provisional)
    if policy.approve == "always":
        why = "a person decides, as promotion.approve is 'always'"
        return Pending((*decision.because, why), provisional)
    comparison, doubt = evidence.compared, "the gain has no interval"
    if comparison:
        margin = policy.margin_over(comparison.champion.value)
        if comparison.gain.low > margin:
            return decision
        doubt = (
            f"the {policy.confidence * 100:g}% interval of the gain begins at {comparison.gain.low:+.4f}, "
            f"not above the margin of {margin:.2g}"
        )
    why = f"a person decides, as promotion.approve is 'borderline' and {doubt}"
    return Pending((*decision.because, why), provisional)


def commands(version: str, project: str) -> tuple[str, str]:
    """The commands that approve and refuse a version. `project`: the option that names the folder, or ""."""
    return (
        f"incumbent models approve {version} --reason TEXT{project}",
        f"incumbent models refuse {version} --reason TEXT{project}",
    )


def waiting(outcome: Mapping[str, Any]) -> str | None:
    """The version that waits for a person after a run: its challenger, or a shadow; None where nobody waits.

    outcome: the document of `retrain --json`.
    """
    kind, hindsight = outcome["decision"]["kind"], outcome["hindsight"] or {}
    if kind == "pending":
        return str(outcome["challenger"])
    # A new champion voids the question.
    return hindsight["version"] if hindsight.get("asks") and kind not in TOOK_OFFICE else None


def settled(
    outcome: Mapping[str, Any], promoted: Mapping[int, str], answers: Mapping[str, str]
) -> Mapping[str, Any]:
    """A run's record as it came out: of a winner that waited, what a person said, or that nobody did.

    outcome: the document of `retrain --json`. promoted: run -> promote or provisional, of those whose
    challenger became champion. answers: version -> pending, refused or expired.
    """
    if outcome["decision"]["kind"] != "pending":
        return outcome
    # Of an older winner without an answer a newer one took the place.
    kind = promoted.get(outcome["run"]) or answers.get(outcome["challenger"], "expired")
    return {**outcome, "decision": {**outcome["decision"], "kind": kind}}
