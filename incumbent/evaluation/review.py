"""Was a past decision right? Check it by the arrivals that scored both models after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incumbent.compare import ConfidenceSequence, confidence_sequence
from incumbent.evaluation.hindsight import Pair, pairs_in
from incumbent.evaluation.roles import TOOK_OFFICE, UNSCORED
from incumbent.params import PromotionParams


@dataclass(frozen=True)
class Reviewed:
    """A past decision and its check by later arrivals; `gain`: that of the challenger over the incumbent.

    incumbent: None where the models could not be compared. said: confirmed, contradicted, open (zero lies
    between the bounds), "no word yet", or "not scored" for one that is neither champion nor shadow.
    """

    run: int
    decision: str
    challenger: str
    incumbent: str | None
    gain: ConfidenceSequence | None
    said: str


def review(
    decisions: Iterable[Mapping[str, Any]], scores: Iterable[Mapping[str, Any]], promotion: PromotionParams
) -> list[Reviewed]:
    """Check every decision on a challenger by the arrivals that scored both models after it.

    decisions: the documents of `retrain --json`, in the order of their runs, as they came out (`settled`).
    """
    pairs = pairs_in(scores, promotion.metric)
    reviewed = []
    for outcome in decisions:
        kind, challenger, metric = outcome["decision"]["kind"], outcome["challenger"], outcome["metric"]
        if challenger is None or kind not in (*TOOK_OFFICE, "hold", *UNSCORED):
            continue
        incumbent = metric["incumbent"] if metric else None
        gain = _gain_since(pairs, challenger, incumbent, promoted=kind in TOOK_OFFICE, promotion=promotion)
        reviewed.append(Reviewed(outcome["run"], kind, challenger, incumbent, gain, _said(kind, gain)))
    return reviewed


def _gain_since(
    pairs: Sequence[Pair],
    challenger: str,
    incumbent: str | None,
    *,
    promoted: bool,
    promotion: PromotionParams,
) -> ConfidenceSequence | None:
    champion, rival = (challenger, incumbent) if promoted else (incumbent, challenger)
    gains = [pair.gain for pair in pairs if (pair.champion, pair.rival) == (champion, rival)]
    if not gains:
        return None
    sequence = confidence_sequence(gains, promotion.confidence)
    return sequence.reversed() if promoted else sequence


def _said(kind: str, gain: ConfidenceSequence | None) -> str:
    if gain is None:
        return "not scored" if kind in UNSCORED else "no word yet"
    if gain.low is None or gain.high is None or gain.low <= 0 <= gain.high:
        return "open"
    return "confirmed" if (gain.low > 0) == (kind in TOOK_OFFICE) else "contradicted"
