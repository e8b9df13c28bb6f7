"""Was the right model champion? Score champion and rivals on each arrival, then pool the arrivals.

Each arrival is scored before any model trains on it (prequential evaluation), so no score is biased.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from incumbent.compare import as_decisions, compare, score
from incumbent.errors import BadData
from incumbent.evaluation.reasoned import Reasoned
from incumbent.models.model import Model
from incumbent.params import METRICS, PromotionParams


@dataclass(frozen=True)
class Pair:
    """Two models on one arrival. `gain`: that of the rival over the champion; positive: the rival is better.

    standard_error and dof are None when the arrival is a single group, as a day's file often is.
    """

    champion: str
    rival: str
    rows: int
    gain: float
    standard_error: float | None
    dof: float | None


@dataclass(frozen=True)
class Pooled:
    """The rival's gain over several arrivals, and its interval (None for a single group)."""

    arrivals: int
    rows: int
    gain: float
    low: float | None
    high: float | None

    def reversed(self) -> "Pooled":
        """The gain of the other model, with its interval."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Pooled(self.arrivals, self.rows, -self.gain, low, high)

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{self.low:+.4f}, {self.high:+.4f}]"
        return f"{self.gain:+.4f}{interval} over {self.arrivals} arrivals"


class Keep(Reasoned):
    """No other model is shown to be better than the champion."""


@dataclass(frozen=True)
class Recall(Reasoned):
    """`version` did better than the champion on later arrivals; `role`: such as "previous champion"."""

    version: str
    role: str


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


def pairs_in(scores: Iterable[Mapping[str, Any]]) -> list[Pair]:
    """The pairs in the stored documents, in their order, with the gain oriented by the metric."""
    pairs = []
    for document in scores:
        champion = document["champion"]
        for rival in document["rivals"]:
            gain = METRICS[document["metric"]].gain(champion["value"], rival["value"])
            pairs.append(
                Pair(
                    champion["version"],
                    rival["version"],
                    document["rows"],
                    gain,
                    rival["standard_error"],
                    rival["dof"],
                )
            )
    return pairs


def pool(pairs: Sequence[Pair], confidence: float) -> Pooled:
    """The mean gain, weighted by rows: a stratified estimate, as arrivals share no rows.

    If every arrival has a standard error, these are combined, with degrees of freedom by Welch and
    Satterthwaite; else the spread between arrivals gives the error. Raises ValueError for no pairs.
    """
    weights = np.array([pair.rows for pair in pairs], dtype=float)
    weights /= weights.sum()
    gains = np.array([pair.gain for pair in pairs])
    mean = float(weights @ gains)
    inside = [pair.standard_error for pair in pairs]
    if all(error is not None for error in inside):
        parts = (weights * np.array(inside, dtype=float)) ** 2
        error = float(np.sqrt(parts.sum()))
        dof = _satterthwaite(parts, [pair.dof or 1.0 for pair in pairs])
    elif len(pairs) > 1:
        # The weighted mean of independent gains that have the same unknown variance.
        variance = float((weights * (gains - mean) ** 2).sum() / (1 - (weights**2).sum()))
        error, dof = float(np.sqrt(variance * (weights**2).sum())), len(pairs) - 1.0
    else:
        return Pooled(1, pairs[0].rows, mean, None, None)
    half = float(t.ppf(0.5 + confidence / 2, dof)) * error
    return Pooled(len(pairs), sum(pair.rows for pair in pairs), mean, mean - half, mean + half)


def look_back(
    scores: Sequence[Mapping[str, Any]], champion: str, rivals: Mapping[str, str], promotion: PromotionParams
) -> Keep | Recall:
    """Is a rival (role -> version) significantly better over the last promotion.audit_window arrivals?

    scores: documents in the order of arrival. Of several better rivals, recalls the one of the largest gain.
    """
    pairs, better = pairs_in(scores), []
    for role, version in rivals.items():
        both = _pairs_of(pairs, champion, version)
        if len(both) < promotion.audit_window:
            continue
        pooled = pool(both[-promotion.audit_window :], promotion.confidence)
        if pooled.low is not None and pooled.low > 0:
            better.append((pooled.gain, role, version, pooled))
    if not better:
        return Keep((f"no other model is shown to be better than {champion}",))
    _, role, version, pooled = max(better)
    reason = f"{version} ({role}) did better than champion {champion}: {promotion.metric} gain {pooled}"
    return Recall((reason,), version, role)


@dataclass(frozen=True)
class Reviewed:
    """A past decision and its check by later arrivals; `gain`: that of the challenger over the incumbent.

    said: confirmed, contradicted, open (the interval holds zero), or "no word yet".
    """

    run: int
    decision: str
    challenger: str
    incumbent: str
    gain: Pooled | None
    said: str


def review(
    decisions: Iterable[Mapping[str, Any]], scores: Iterable[Mapping[str, Any]], promotion: PromotionParams
) -> list[Reviewed]:
    """Check every promote or hold by the arrivals that scored both models after it.

    decisions: the documents of `retrain --json`, in the order of their runs.
    """
    pairs = pairs_in(scores)
    reviewed = []
    for outcome in decisions:
        kind = outcome["decision"]["kind"]
        if kind not in ("promote", "hold") or outcome["metric"] is None:
            continue
        challenger, incumbent = outcome["challenger"], outcome["metric"]["incumbent"]
        gain = _gain_since(pairs, challenger, incumbent, promoted=kind == "promote", promotion=promotion)
        reviewed.append(Reviewed(outcome["run"], kind, challenger, incumbent, gain, _said(kind, gain)))
    return reviewed


def _gain_since(
    pairs: Sequence[Pair], challenger: str, incumbent: str, *, promoted: bool, promotion: PromotionParams
) -> Pooled | None:
    champion, rival = (challenger, incumbent) if promoted else (incumbent, challenger)
    both = _pairs_of(pairs, champion, rival)
    if not both:
        return None
    pooled = pool(both, promotion.confidence)
    return pooled.reversed() if promoted else pooled


def _pairs_of(pairs: Iterable[Pair], champion: str, rival: str) -> list[Pair]:
    return [pair for pair in pairs if (pair.champion, pair.rival) == (champion, rival)]


def _said(kind: str, gain: Pooled | None) -> str:
    if gain is None:
        return "no word yet"
    if gain.low is None or gain.high is None or gain.low <= 0 <= gain.high:
        return "open"
    return "confirmed" if (gain.low > 0) == (kind == "promote") else "contradicted"


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


def _satterthwaite(variances: np.ndarray, dofs: Sequence[float]) -> float:
    if variances.sum() == 0:
        return float(min(dofs))
    return float(variances.sum() ** 2 / (variances**2 / np.array(dofs)).sum())
