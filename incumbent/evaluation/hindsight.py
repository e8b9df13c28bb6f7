"""Was the right model champion? Score champion and rivals on each arrival, then pool the arrivals.

Each arrival is scored before any model trains on it (prequential evaluation), so no score is biased. Every
run looks again, so the bounds are those of a confidence sequence.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import (
    ArrivalGain,
    ConfidenceSequence,
    as_decisions,
    compare,
    confidence_sequence,
    score,
)
from incumbent.errors import BadData
from incumbent.evaluation.reasoned import Reasoned
from incumbent.evaluation.roles import PREDECESSOR, SHADOW, SHADOWS
from incumbent.models.model import Model
from incumbent.params import METRICS, PromotionParams


@dataclass(frozen=True)
class Pair:
    """Two models on one arrival; `value`: the rival's metric there."""

    champion: str
    rival: str
    role: str
    value: float
    gain: ArrivalGain


class Keep(Reasoned):
    """No other model is shown to be better than the champion."""


@dataclass(frozen=True)
class Recall(Reasoned):
    """`version` is shown to be better than the champion; `takes_office`: whether it replaces it now; `asks`:
    whether it waits for a person instead."""

    version: str
    role: str
    takes_office: bool
    asks: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "version": self.version,
            "role": self.role,
            "takes_office": self.takes_office,
            "asks": self.asks,
        }


def score_arrival(
    champion: Model,
    rivals: Mapping[str, Model],
    frame: pd.DataFrame,
    groups: np.ndarray,
    promotion: PromotionParams,
    seed: int,
) -> dict[str, Any] | None:
    """The scores of one new partition as a JSON document; None when the champion can't be scored on it.

    rivals: role -> model. groups: (n,). Each model predicts all rows of the partition, as none was trained on
    them; scores use those with a label.
    """
    try:
        kept = champion.schema.trained_on(frame)
        y, groups = champion.schema.labels(frame[kept]), groups[kept]
        predicted = _predicted(champion, frame, promotion)[kept]
        value = score(y, predicted, promotion)
    except BadData:
        return None
    document: dict[str, Any] = {
        "rows": len(y),
        "metric": promotion.metric,
        "champion": {"version": champion.version, "value": value},
        "rivals": [],
    }
    for role, rival in rivals.items():
        try:
            if rival.schema.classes != champion.schema.classes:
                continue
            theirs = _predicted(rival, frame, promotion)[kept]
            line = {"role": role, "version": rival.version, "value": score(y, theirs, promotion)}
        except BadData:
            continue
        document["rivals"].append({**line, **_spread(y, predicted, theirs, groups, promotion, seed)})
    return document


def _predicted(model: Model, frame: pd.DataFrame, promotion: PromotionParams) -> np.ndarray:
    predicted = model.predict(frame, absent_as_missing=True)
    return as_decisions(predicted, model.output.threshold, promotion)


def pairs_in(scores: Iterable[Mapping[str, Any]], metric: str) -> list[Pair]:
    """The pairs that the stored documents compare by `metric`, in their order; better is a positive gain."""
    pairs = []
    for document in scores:
        if document["metric"] != metric:
            continue
        champion = document["champion"]
        for rival in document["rivals"]:
            gain = ArrivalGain(
                METRICS[metric].gain(champion["value"], rival["value"]),
                rival["standard_error"],
                rival["dof"],
                document["rows"],
            )
            pairs.append(Pair(champion["version"], rival["version"], rival["role"], rival["value"], gain))
    return pairs


def look_back(
    scores: Sequence[Mapping[str, Any]],
    champion: str,
    rivals: Mapping[str, str],
    promotion: PromotionParams,
    *,
    blocked: Collection[str] = (),
    unmet: Sequence[str] = (),
) -> Keep | Recall:
    """Is a rival (role -> version) shown to be better on the arrivals since the champion took office?

    scores: documents of these arrivals, in their order. blocked: versions that were rolled back. unmet: why
    the shadow may not take office although it is better. Of several better rivals, recalls the one of the
    largest gain, first among those that take office, then that ask; where none takes office, the reasons name
    all.
    """
    pairs = [
        pair
        for pair in pairs_in(scores, promotion.metric)
        if pair.champion == champion and pair.rival not in blocked
    ]
    better = []
    if before := rivals.get(PREDECESSOR):
        better += _better_predecessor(pairs, champion, before, promotion)
    if shadow := rivals.get(SHADOW):
        better += _better_shadow(pairs, champion, shadow, promotion, unmet)
    if not better:
        return Keep((f"no other model is shown to be better than {champion}",))
    best = max(better, key=lambda each: (each[1].takes_office, each[1].asks, each[0]))[1]
    if best.takes_office:
        return best
    others = (reason for _, each in better if each is not best for reason in each.because)
    return replace(best, because=(*best.because, *others))


def _better_predecessor(
    pairs: Sequence[Pair], champion: str, version: str, promotion: PromotionParams
) -> list[tuple[float, Recall]]:
    """Its gain and its recall; empty where it is not shown to be better."""
    gains = [pair.gain for pair in pairs if pair.rival == version]
    if not gains:
        return []
    sequence = confidence_sequence(gains, promotion.confidence)
    if not sequence.exceeds(0):
        return []
    reason = _claim(f"{version} ({PREDECESSOR})", champion, sequence, promotion.confidence, promotion)
    return [(sequence.gain, Recall((reason,), version, PREDECESSOR, promotion.auto_rollback))]


def _better_shadow(
    pairs: Sequence[Pair], champion: str, version: str, promotion: PromotionParams, unmet: Sequence[str]
) -> list[tuple[float, Recall]]:
    """The same for the shadow: one sequence of all challengers that were held, each on the arrivals after it.

    A sequence for each of them would be a new chance to err with every hold. The last one takes office, if
    its own arrivals agree.
    """
    held = [pair for pair in pairs if pair.role in SHADOWS]
    own = [pair for pair in held if pair.rival == version]
    if not own:
        return []
    confidence = shadow_confidence(promotion)
    sequence, last = (confidence_sequence([pair.gain for pair in each], confidence) for each in (held, own))
    margin = promotion.margin_over(float(np.mean([_champion_value(pair, promotion.metric) for pair in held])))
    if not sequence.exceeds(margin) or last.gain <= margin:
        return []
    before = [name for name in dict.fromkeys(pair.rival for pair in held) if name != version]
    who = f"{version} ({SHADOW})" + (f", with {', '.join(before)} held before it," if before else "")
    claim = _claim(who, champion, sequence, confidence, promotion)
    if before:
        claim += f"; {version} alone {last.gain:+.4f}"
    against = [*unmet, *_below_floor(own, promotion)]
    question = None if against else _question(held, margin, promotion)
    reasons = (claim, *(f"{version} stays out of office: {each}" for each in against))
    if question:
        return [(last.gain, Recall((*reasons, question), version, SHADOW, takes_office=False, asks=True))]
    return [(last.gain, Recall(reasons, version, SHADOW, not against))]


def _question(held: Sequence[Pair], margin: float, promotion: PromotionParams) -> str | None:
    """Why a person decides on a shadow that is shown to be better; None where nobody is asked."""
    if promotion.approve == "never":
        return None
    if promotion.approve == "always":
        return "a person decides, as promotion.approve is 'always'"
    sequence = confidence_sequence([pair.gain for pair in held], promotion.confidence)
    if sequence.exceeds(margin):
        return None
    return (
        f"a person decides, as promotion.approve is 'borderline' and with {promotion.confidence * 100:g}% "
        f"confidence over all looks the gain is {sequence}, not above the margin of {margin:.2g}"
    )


def _champion_value(pair: Pair, metric: str) -> float:
    gain = pair.gain.gain
    return pair.value - gain if METRICS[metric].greater_is_better else pair.value + gain


def shadow_confidence(promotion: PromotionParams) -> float:
    """With which a shadow must be better, over the champion's whole time in office."""
    return promotion.lifetime_confidence if promotion.guarantee == "lifetime" else promotion.probability


def _below_floor(own: Sequence[Pair], promotion: PromotionParams) -> list[str]:
    if promotion.floor is None:
        return []
    metric = METRICS[promotion.metric]
    value = float(np.average([pair.value for pair in own], weights=[pair.gain.rows for pair in own]))
    if metric.gain(promotion.floor, value) >= 0:
        return []
    side = "below" if metric.greater_is_better else "above"
    return [f"{promotion.metric} {value:.4f} on these arrivals is {side} promotion.floor = {promotion.floor}"]


def _claim(
    who: str, champion: str, sequence: ConfidenceSequence, confidence: float, promotion: PromotionParams
) -> str:
    return (
        f"{who} did better than champion {champion}: {promotion.metric} gain {sequence}, each bound with "
        f"{confidence * 100:g}% confidence over all looks"
    )


def _spread(
    y: np.ndarray,
    champion: np.ndarray,
    rival: np.ndarray,
    groups: np.ndarray,
    promotion: PromotionParams,
    seed: int,
) -> dict[str, float | None]:
    try:
        comparison = compare(y, champion, rival, groups, promotion, seed=seed)
    except BadData:
        return {"standard_error": None, "dof": None}
    return {"standard_error": comparison.standard_error, "dof": comparison.dof}
