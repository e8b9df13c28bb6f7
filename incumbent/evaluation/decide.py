"""Does the challenger become champion? Pure rules: the evidence in, a decision with its reasons out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from incumbent.compare import Calibration, Comparison, Fairness, Incomparable, SliceComparison
from incumbent.evaluation.reasoned import Reasoned
from incumbent.params import METRICS, PromotionParams


class Decision(Reasoned):
    """The decision about a challenger."""


class Promote(Decision):
    """The challenger becomes the champion."""


class Hold(Decision):
    """Not shown to be better: it stays in the registry, and the champion stays champion."""


class Reject(Decision):
    """Shown to be unfit or worse: the champion stays champion."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of the challenger, on rows that no model was trained on. None: not measured.

    model_bytes: size of the model's file. microseconds_per_row: time to predict one row, in a batch.
    """

    comparison: Comparison | Incomparable
    slices: tuple[SliceComparison, ...] = ()
    calibration: Calibration | None = None
    fairness: Fairness | None = None
    model_bytes: int | None = None
    microseconds_per_row: float | None = None

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

    incumbent: name of the other model in reasons: a version, or the trivial baseline for a first model.
    """
    comparison = evidence.comparison
    limits = _limits(evidence, policy)
    against = (*_against(comparison, policy, incumbent), *_worse_slices(evidence, policy))
    against += tuple(limit.broken for limit in limits if limit.broken)
    if against:
        return Reject(against)
    unknown = _unknown(evidence, policy, limits)
    if isinstance(comparison, Incomparable):
        return Hold((f"can't be compared with {incumbent}: {comparison.reason}", *unknown))
    better = comparison.gain.low > policy.margin
    claim = (
        f"{'better' if better else 'not shown to be better'} than {incumbent} by more than {policy.margin}"
    )
    if better and not unknown:
        return Promote((f"{claim}: {_figures(comparison, policy)}",))
    return Hold((f"{claim}: {_figures(comparison, policy)}", *unknown))


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
        yield f"worse than {incumbent}: {_figures(comparison, policy)}"


def _worse_slices(evidence: Evidence, policy: PromotionParams) -> Iterator[str]:
    for each in evidence.slices:
        if each.worse and each.comparison:
            yield (
                f"worse where {each.column} = {each.value} ({each.rows} rows): "
                f"{_figures(each.comparison, policy)}, adjusted p = {each.p_worse:.2g}"
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
