"""Compare a challenger with the champion, or with the first former champion that can still be evaluated.

The flow and `dvc repro` both come through here, so they decide alike.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.challenger import REPLAY, Challenger, open_challenger, open_others
from incumbent.errors import BadData, NotFound, Tampered
from incumbent.evaluation.decide import Decision, Evidence, Promote, decide
from incumbent.evaluation.doubts import explain_withheld, too_good
from incumbent.evaluation.judge import (
    BASELINE,
    Holdout,
    Learned,
    collect_evidence,
    microseconds_per_row,
    score_holdout,
)
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams
from incumbent.tables.partitions import Partition


@dataclass(frozen=True)
class Rival:
    """A version that is or was champion. `load` gives its model and what it was trained on.

    `load` raises BadData, NotFound or Tampered for a version that can't be evaluated any more.
    """

    version: str
    load: Callable[[], tuple[Model, Learned]]


@dataclass(frozen=True)
class Contest:
    """What a challenger was compared with, and the evidence.

    incumbent: a version, or the trivial baseline; unfit: why each rival before it could not be evaluated.
    excluded, withheld: see Holdout. too_good: why the challenger's score is not to be trusted.
    """

    incumbent: str
    unfit: tuple[str, ...]
    excluded: int
    withheld: tuple[str, ...]
    too_good: str | None
    evidence: Evidence

    def decide(self, made: Challenger, name: str, promotion: PromotionParams) -> Decision:
        """The verdict on the challenger of this name, and what else a person should know of it."""
        decision = decide(self.evidence, promotion, self.incumbent)
        promoted = isinstance(decision, Promote)
        doubts = (self.too_good,) if promoted and self.too_good else ()
        past = explain_withheld(self.withheld, self.incumbent, name, promoted=promoted)
        reasons = (*decision.because, *made.schema.rare.reasons, *self.unfit, *doubts, *past)
        return replace(decision, because=reasons)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "evidence": self.evidence.to_json()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Contest":
        """What to_json wrote; runs of earlier versions left some of it out."""
        return Contest(
            document["incumbent"],
            tuple(document["unfit"]),
            document["excluded"],
            tuple(document.get("withheld", ())),
            document.get("too_good"),
            Evidence.from_json(document["evidence"]),
        )


def compare_with(
    rivals: Iterable[Rival],
    made: Challenger,
    folder: Path,
    name: str,
    window: Sequence[tuple[Partition, Path]],
    params: Params,
) -> tuple[Contest, Holdout]:
    """Judge the challenger that make_full or make_update wrote into the folder on the window's held-out rows.

    rivals: the champion, then those before it, the latest first. A champion whose file is broken or that
    can't read today's columns must not keep everybody else out of office: the next rival takes its place,
    and in the end the trivial baseline. Raises BadData when the challenger itself can't read the rows.
    """
    challenger = open_challenger(made, params, folder, name)
    others = open_others(made, params, folder)

    def score(champion: Model | None, learned: Learned | None) -> Holdout:
        return score_holdout(
            champion, challenger, window, params, learned=learned, prior=made.prior, others=others
        )

    incumbent, holdout, unfit = _first_comparable(rivals, score)
    evidence = replace(
        collect_evidence(holdout, params.promotion, params.seed),
        model_bytes=(folder / made.file).stat().st_size,
        microseconds_per_row=microseconds_per_row(challenger, [path for _, path in window], params),
    )
    doubt = _too_good(made, folder, holdout, params) if made.kind == "full" else None
    contest = Contest(incumbent, unfit, holdout.excluded, holdout.withheld, doubt, evidence)
    return contest, holdout


def _first_comparable(
    rivals: Iterable[Rival], score: Callable[[Model | None, Learned | None], Holdout]
) -> tuple[str, Holdout, tuple[str, ...]]:
    """The first rival that can be evaluated, its holdout, and why those before it could not."""
    unfit: list[str] = []
    for rival in rivals:
        try:
            return rival.version, score(*rival.load()), tuple(unfit)
        except (BadData, NotFound, Tampered) as error:
            unfit.append(f"{rival.version} could not be evaluated: {error}")
    return BASELINE, score(None, None), tuple(unfit)


def _too_good(made: Challenger, folder: Path, holdout: Holdout, params: Params) -> str | None:
    sample = pd.read_parquet(folder / REPLAY)
    return too_good(holdout.y, holdout.challenger, made.importances, sample, params)
