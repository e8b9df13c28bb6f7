"""Was the right model in office? Rivals score each arrival beside the champion; arrivals add up to a verdict.

All of it happens before anything trains on the new rows, so it is prequential: honest for every model.
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
    """One arrival's word on two models. `gain` of the rival over the champion; positive: the rival is better.

    standard_error and dof are None when the arrival is one group alone, as a day's file often is.
    """

    champion: str
    rival: str
    rows: int
    gain: float
    standard_error: float | None
    dof: float | None


@dataclass(frozen=True)
class Pooled:
    """Several arrivals' word: the rival's gain and its interval (None: a single group can't tell)."""

    arrivals: int
    rows: int
    gain: float
    low: float | None
    high: float | None

    def reversed(self) -> "Pooled":
        """The same seen from the other model."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Pooled(self.arrivals, self.rows, -self.gain, low, high)

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{self.low:+.4f}, {self.high:+.4f}]"
        return f"{self.gain:+.4f}{interval} over {self.arrivals} arrivals"


class Keep(Reasoned):
    """Nobody is shown to be better than the champion."""


@dataclass(frozen=True)
class Recall(Reasoned):
    """`version`, which is `role` to the champion, did better on what arrived since."""

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
    """The document of one new partition; None when the champion can't be judged on it.

    rivals: role -> model. groups: (n,). Each model sees all rows of the partition: none trained on any. Those
    with a label judge.
    """
    try:
        kept = champion.schema.trained_on(frame)
        y, groups = champion.schema.labels(frame[kept]), groups[kept]
        predicted = _judged(champion, frame, promotion)[kept]
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
            theirs = _judged(rival, frame, promotion)[kept]
            line = {"role": role, "version": rival.version, "value": score(y, theirs, promotion)}
        except BadData:
            continue
        document["rivals"].append({**line, **_spread(y, predicted, theirs, groups, promotion, seed)})
    return document


def _judged(model: Model, frame: pd.DataFrame, promotion: PromotionParams) -> np.ndarray:
    predicted = model.predict(frame, absent_as_missing=True)
    return as_decisions(predicted, model.output.threshold, promotion)


def pairs(scores: Iterable[Mapping[str, Any]]) -> list[Pair]:
    """What the stored documents say, in their order, the gain oriented by the metric."""
    found = []
    for document in scores:
        champion = document["champion"]
        for rival in document["rivals"]:
            gain = METRICS[document["metric"]].gain(champion["value"], rival["value"])
            found.append(
                Pair(
                    champion["version"],
                    rival["version"],
                    document["rows"],
                    gain,
                    rival["standard_error"],
                    rival["dof"],
                )
            )
    return found


def pool(seen: Sequence[Pair], confidence: float) -> Pooled:
    """Arrivals weighted by their rows: a stratified estimate, as nothing is shared between arrivals.

    With standard errors inside every arrival these add up, their degrees of freedom by Welch and
    Satterthwaite; without, the spread between arrivals takes their place. Raises ValueError for none.
    """
    weights = np.array([pair.rows for pair in seen], dtype=float)
    weights /= weights.sum()
    gains = np.array([pair.gain for pair in seen])
    mean = float(weights @ gains)
    inside = [pair.standard_error for pair in seen]
    if all(error is not None for error in inside):
        parts = (weights * np.array(inside, dtype=float)) ** 2
        error = float(np.sqrt(parts.sum()))
        dof = _satterthwaite(parts, [pair.dof or 1.0 for pair in seen])
    elif len(seen) > 1:
        # The weighted mean of independent gains, each with the same unknown variance.
        variance = float((weights * (gains - mean) ** 2).sum() / (1 - (weights**2).sum()))
        error, dof = float(np.sqrt(variance * (weights**2).sum())), len(seen) - 1.0
    else:
        return Pooled(1, seen[0].rows, mean, None, None)
    half = float(t.ppf(0.5 + confidence / 2, dof)) * error
    return Pooled(len(seen), sum(pair.rows for pair in seen), mean, mean - half, mean + half)


def look_back(
    scores: Sequence[Mapping[str, Any]], champion: str, rivals: Mapping[str, str], promotion: PromotionParams
) -> Keep | Recall:
    """Is a rival (role -> version) significantly better over the last promotion.audit_window arrivals?

    `scores` in the order of arrival. Of several better ones the one that gained most is recalled.
    """
    found = []
    for role, version in rivals.items():
        seen = [pair for pair in pairs(scores) if (pair.champion, pair.rival) == (champion, version)]
        if len(seen) < promotion.audit_window:
            continue
        pooled = pool(seen[-promotion.audit_window :], promotion.confidence)
        if pooled.low is not None and pooled.low > 0:
            found.append((pooled.gain, role, version, pooled))
    if not found:
        return Keep((f"no other model is shown to be better than {champion}",))
    _, role, version, pooled = max(found)
    reason = f"{version} ({role}) did better than champion {champion}: {promotion.metric} gain {pooled}"
    return Recall((reason,), version, role)


@dataclass(frozen=True)
class Reviewed:
    """A past verdict and what later arrivals say of it; `gain` is the challenger's over the incumbent.

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
    """Every verdict of promote or hold with the word of the arrivals that scored both models after it.

    decisions: the documents of `retrain --json`, in the order of their runs.
    """
    known = pairs(scores)
    found = []
    for outcome in decisions:
        kind = outcome["decision"]["kind"]
        if kind not in ("promote", "hold") or outcome["metric"] is None:
            continue
        challenger, incumbent = outcome["challenger"], outcome["metric"]["incumbent"]
        gain = _afterwards(known, challenger, incumbent, promoted=kind == "promote", promotion=promotion)
        found.append(Reviewed(outcome["run"], kind, challenger, incumbent, gain, _said(kind, gain)))
    return found


def _afterwards(
    known: Sequence[Pair], challenger: str, incumbent: str, *, promoted: bool, promotion: PromotionParams
) -> Pooled | None:
    office, rival = (challenger, incumbent) if promoted else (incumbent, challenger)
    seen = [pair for pair in known if (pair.champion, pair.rival) == (office, rival)]
    if not seen:
        return None
    pooled = pool(seen, promotion.confidence)
    return pooled.reversed() if promoted else pooled


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
        seen = compare(y, champion, rival, groups, promotion, seed=seed)
    except BadData:
        return {"standard_error": None, "dof": None}
    return {"standard_error": seen.standard_error, "dof": seen.dof}


def _satterthwaite(variances: np.ndarray, dofs: Sequence[float]) -> float:
    if variances.sum() == 0:
        return float(min(dofs))
    return float(variances.sum() ** 2 / (variances**2 / np.array(dofs)).sum())
