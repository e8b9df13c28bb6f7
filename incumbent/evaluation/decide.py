"""Does the challenger become champion? Pure rules: the evidence in, a decision with its reasons out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import floor
from typing import Any

from pydantic import TypeAdapter

from incumbent.compare import (
    Calibration,
    Comparison,
    ConfidenceSequence,
    Fairness,
    Incomparable,
    SliceComparison,
    forecast,
)
from incumbent.evaluation.reasoned import Reasoned
from incumbent.evaluation.roles import BASELINE
from incumbent.params import METRICS, PromotionParams


class Decision(Reasoned):
    """The decision about a challenger."""


class Promote(Decision):
    """The challenger becomes the champion."""


class Provisional(Promote):
    """A first model takes office although nothing shows yet that it is better than the baseline."""


@dataclass(frozen=True)
class Pending(Decision):
    """It won, and waits for a person: promotion.approve asks for one. `provisional`: it would be that."""

    provisional: bool = False


class Hold(Decision):
    """Not shown to be better: it stays in the registry, and the champion stays champion."""


class Reject(Decision):
    """Shown to be unfit or worse: the champion stays champion."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of the challenger, on rows that no model was trained on. None: not measured.

    model_bytes: size of the model's file. microseconds_per_row: time to predict one row, in a batch.
    partitions: number of those whose rows judge. lifetime: the gains over the champion's time in office, each
    of the challenger that was made of an arrival; measured for promotion.guarantee = lifetime.
    """

    comparison: Comparison | Incomparable
    slices: tuple[SliceComparison, ...] = ()
    calibration: Calibration | None = None
    fairness: Fairness | None = None
    model_bytes: int | None = None
    microseconds_per_row: float | None = None
    partitions: int = 0
    lifetime: ConfidenceSequence | None = None

    @property
    def compared(self) -> Comparison | None:
        """The comparison; None if the models could not be compared."""
        return self.comparison if isinstance(self.comparison, Comparison) else None

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        outcome = document.pop("comparison")
        compared = self.compared is not None
        split = {"comparison": outcome if compared else None, "incomparable": None if compared else outcome}
        return {**split, **document}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Evidence":
        outcome = document["comparison"] or document["incomparable"]
        return _EVIDENCE.validate_python({**document, "comparison": outcome})


_EVIDENCE = TypeAdapter(Evidence)


def decide(evidence: Evidence, policy: PromotionParams, incumbent: str) -> Decision:
    """Reject for any reason against the challenger; hold if a guardrail is set but was not measured.

    incumbent: name of the other model in reasons: a version, or BASELINE for a first model.
    """
    comparison, compared = evidence.comparison, evidence.compared
    limits = _limits(evidence, policy)
    against = (*_against(comparison, policy, incumbent), *_worse_slices(evidence, policy))
    against += tuple(limit.broken for limit in limits if limit.broken)
    if against:
        return Reject(against)
    claims, better = _claims(evidence, policy, incumbent)
    if unknown := _unknown(evidence, policy, limits):
        return Hold((*claims, *unknown))
    if better:
        return Promote(claims)
    if incumbent == BASELINE and policy.provisional and not (compared and compared.gain.value <= 0):
        return Provisional(
            (f"takes office as provisional, as nothing shows yet that {BASELINE} is worse", *claims)
        )
    return Hold(claims)


def succeed_provisional(
    evidence: Evidence, first: Evidence, policy: PromotionParams, incumbent: str
) -> Decision:
    """Against a provisional champion: it must not be worse, and `first`, the evidence against the baseline on
    all rows, says whether it is provisional too."""
    against, as_first = decide(evidence, policy, incumbent), decide(first, policy, BASELINE)
    if isinstance(against, Reject):
        return against
    if not isinstance(as_first, Promote):
        return as_first
    compared = evidence.compared
    if compared and compared.chance() < 1 - policy.probability:
        return Hold((f"probably worse than {incumbent}, which is provisional", *against.because))
    return type(as_first)(
        (f"not shown to be worse than {incumbent}, which is provisional", *as_first.because)
    )


def _claims(evidence: Evidence, policy: PromotionParams, incumbent: str) -> tuple[tuple[str, ...], bool]:
    """What the comparison says, and whether it shows the challenger to be better."""
    comparison = evidence.comparison
    if isinstance(comparison, Incomparable):
        return (f"can't be compared with {incumbent}: {comparison.reason}",), False
    margin = policy.margin_over(comparison.champion.value)
    chance, beyond = comparison.chance(margin), f" by more than {margin:.2g}" * (margin > 0)
    better = chance >= policy.probability
    sure, side = ("", "at least") if better else ("not probable enough: ", "less than")
    claims = [
        f"{sure}better than {incumbent}{beyond} with a probability of {floored(chance)}, {side} "
        f"promotion.probability = {policy.probability:g}: {_figures(comparison, policy)}, on "
        f"{comparison.judging_rows}"
    ]
    if policy.guarantee == "lifetime" and incumbent != BASELINE:
        sequence = evidence.lifetime
        lasting = sequence is not None and sequence.exceeds(margin)
        better &= lasting
        figures = "no arrival counts yet" if sequence is None else f"{comparison.metric} gain {sequence}"
        claims.append(
            f"{'surely' if lasting else 'not surely'} better by more than {margin:.2g} since {incumbent} "
            f"took office (promotion.guarantee = lifetime): {figures}"
        )
    if not better:
        claims.append(str(forecast(comparison, policy, evidence.partitions)))
    return tuple(claims), better


def floored(share: float) -> str:
    """A probability as text that never rounds up to a threshold that it does not reach."""
    return f"{floor(share * 1000) / 1000:.3f}"


def unmet_guardrails(evidence: Evidence, policy: PromotionParams) -> tuple[str, ...]:
    """What bars a challenger whatever its gain: worse slices, guardrails broken or not measured."""
    limits = _limits(evidence, policy)
    broken = tuple(limit.broken for limit in limits if limit.broken)
    return (*_worse_slices(evidence, policy), *broken, *_unknown(evidence, policy, limits))


def _unknown(evidence: Evidence, policy: PromotionParams, limits: Sequence["_Limit"]) -> tuple[str, ...]:
    unknown = tuple(limit.unknown for limit in limits if limit.unknown)
    if policy.slices.columns and not evidence.slices:
        unknown += ("promotion.slices.columns is set, but no slice was compared",)
    return unknown


def _against(comparison: Comparison | Incomparable, policy: PromotionParams, incumbent: str) -> Iterator[str]:
    """Reasons against the challenger in the comparison itself."""
    if isinstance(comparison, Incomparable):
        if comparison.unfit:
            yield comparison.reason
        return
    value, floor = comparison.challenger.value, policy.floor
    if floor is not None and METRICS[comparison.metric].gain(floor, value) < 0:
        side = "below" if METRICS[comparison.metric].greater_is_better else "above"
        yield f"{comparison.metric} {value:.4f} is {side} promotion.floor = {floor}"
    if comparison.gain.high < 0:
        yield f"worse than {incumbent}: {_figures(comparison, policy)}, on {comparison.judging_rows}"


def _worse_slices(evidence: Evidence, policy: PromotionParams) -> Iterator[str]:
    for each in evidence.slices:
        if each.worse and each.comparison:
            yield (
                f"worse where {each.column} = {each.value}: {_figures(each.comparison, policy)}, on "
                f"{each.comparison.judging_rows}, adjusted p = {each.p_worse:.2g}"
            )


def _figures(comparison: Comparison, policy: PromotionParams) -> str:
    """The difference in the metric's own units, challenger minus champion."""
    difference = comparison.difference
    return (
        f"{comparison.metric} {difference.value:+.4f}, {policy.confidence * 100:g}% interval "
        f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    )


@dataclass(frozen=True)
class _Limit:
    """A guardrail; `most` is None when it is not set, `value` when it was not measured."""

    key: str
    most: float | None
    what: str
    value: float | None
    shown: str

    @property
    def unknown(self) -> str | None:
        if self.most is None or self.value is not None:
            return None
        return f"promotion.{self.key} is set, but {self.what} was not measured"

    @property
    def broken(self) -> str | None:
        # "not <=" instead of ">": a NaN breaks every limit.
        if self.most is None or self.value is None or self.value <= self.most:
            return None
        return f"{self.what} is {self.value:{self.shown}}, above promotion.{self.key} = {self.most}"


def _limits(evidence: Evidence, policy: PromotionParams) -> tuple[_Limit, ...]:
    limits, fair = policy.limits, policy.fairness
    measured, curve = evidence.fairness, evidence.calibration
    by = (
        f"between values of '{fair.column}'" if fair.column else "between values of promotion.fairness.column"
    )
    return (
        _Limit(
            "fairness.max_parity_difference",
            fair.max_parity_difference,
            f"the difference in selection rate {by}",
            measured.parity_difference if measured else None,
            ".4f",
        ),
        _Limit(
            "fairness.max_odds_difference",
            fair.max_odds_difference,
            f"the difference in true or false positive rate {by}",
            measured.odds_difference if measured else None,
            ".4f",
        ),
        _Limit("limits.max_bytes", limits.max_bytes, "the model's size in bytes", evidence.model_bytes, "d"),
        _Limit(
            "limits.max_microseconds",
            limits.max_microseconds,
            "the time to predict one row in microseconds",
            evidence.microseconds_per_row,
            ".1f",
        ),
        _Limit(
            "limits.max_calibration_error",
            limits.max_calibration_error,
            "the expected calibration error",
            curve.error if curve else None,
            ".4f",
        ),
    )
