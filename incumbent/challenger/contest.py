"""Compare a challenger with the champion, or with the first former champion that can still be evaluated.

The flow and `dvc repro` both come through here, so they decide alike.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.challenger import OUT_OF_SAMPLE, REPLAY, Challenger, open_challenger, open_others
from incumbent.compare import ArrivalGain, Comparison, Incomparable, confidence_sequence, suffices
from incumbent.errors import BadData, NotFound, Tampered
from incumbent.evaluation.decide import Decision, Evidence, Promote, decide, succeed_provisional
from incumbent.evaluation.doubts import explain_withheld, too_good
from incumbent.evaluation.evidence import collect_evidence, compare_on, microseconds_per_row
from incumbent.evaluation.judging_rows import Judge, JudgingRows, Learned, joined
from incumbent.evaluation.roles import BASELINE
from incumbent.features.out_of_sample import OutOfSample
from incumbent.models.model import Model
from incumbent.models.segments import FILE as SEGMENTS
from incumbent.params import Params, PromotionParams
from incumbent.tables.partitions import PartitionFiles

LEARNED = "no row is new to it, and rows that it has learned favour it"
RECIPES = "no row is new to {}: recipe was compared with recipe, by rows that each predicted out of sample"


@dataclass(frozen=True)
class Rival:
    """A version that is or was champion. `load` gives its model and what it was trained on.

    `load` raises BadData, NotFound or Tampered for a version that can't be evaluated any more. provisional:
    whether it took office without a verdict. office: reads what earlier challengers gained over it in this
    time in office.
    """

    version: str
    load: Callable[[], tuple[Model, Learned]]
    provisional: bool = False
    office: Callable[[], Sequence["OfficeGain"]] = tuple


@dataclass(frozen=True)
class OfficeGain:
    """The gain of the challenger made of new partitions, on their rows: a row counts for one challenger."""

    partitions: tuple[str, ...]
    gain: ArrivalGain

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> "OfficeGain":
        return OfficeGain(tuple(document["partitions"]), ArrivalGain(**document["gain"]))


@dataclass(frozen=True)
class Contest:
    """What a challenger was compared with, and the evidence.

    incumbent: a version, or the trivial baseline; unfit: why each rival before it could not be evaluated.
    excluded, withheld, partitions, recipes: see JudgingRows. too_good: why the challenger's score is not to
    be trusted. first: against a provisional champion, the evidence against the baseline on all rows. office:
    what this challenger adds to the gains over the champion's time in office; None if not measured.
    """

    incumbent: str
    unfit: tuple[str, ...]
    excluded: int
    withheld: tuple[str, ...]
    too_good: str | None
    evidence: Evidence
    partitions: tuple[str, ...] = ()
    recipes: bool = False
    first: Evidence | None = None
    office: OfficeGain | None = None

    def decide(self, made: Challenger, name: str, promotion: PromotionParams) -> Decision:
        """The verdict on the challenger of this name, and what else a person should know of it."""
        evidence = self.evidence
        if self.recipes and self.withheld:
            evidence = replace(evidence, comparison=Incomparable(LEARNED), slices=())
        if self.first is None:
            decision = decide(evidence, promotion, self.incumbent)
        else:
            decision = succeed_provisional(evidence, self.first, promotion, self.incumbent)
        promoted = isinstance(decision, Promote)
        doubts = (self.too_good,) if promoted and self.too_good else ()
        past = explain_withheld(self.withheld, self.incumbent, name, promoted=promoted)
        recipes = (RECIPES.format(self.incumbent),) if self.recipes and not self.withheld else ()
        reasons = (*decision.because, *recipes, *made.schema.rare.reasons, *self.unfit, *doubts, *past)
        return replace(decision, because=reasons)

    def to_json(self) -> dict[str, Any]:
        first, office = self.first and self.first.to_json(), self.office and self.office.to_json()
        return {**vars(self), "evidence": self.evidence.to_json(), "first": first, "office": office}

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
            tuple(document.get("partitions", ())),
            document.get("recipes", False),
            Evidence.from_json(first) if (first := document.get("first")) else None,
            OfficeGain.from_json(office) if (office := document.get("office")) else None,
        )


def compare_with(
    rivals: Iterable[Rival],
    made: Challenger,
    folder: Path,
    name: str,
    data: PartitionFiles,
    params: Params,
    continued: Callable[[], OutOfSample] = OutOfSample.none,
) -> tuple[Contest, JudgingRows]:
    """Judge the challenger that make_full or make_update wrote into the folder.

    rivals: the champion, then those before it, the latest first. A champion whose file is broken or that
    can't read today's columns must not keep everybody else out of office: the next rival takes its place,
    and in the end the trivial baseline. data: all that is learned from. continued: reads what the versions
    that an update continues predicted out of sample, which counts against the baseline while the champion is
    provisional. Raises BadData when the challenger itself can't read the rows.
    """
    challenger = open_challenger(made, params, folder, name)
    judge = Judge(
        champion=None,
        challenger=challenger,
        params=params,
        out_of_sample=OutOfSample.load(folder / OUT_OF_SAMPLE),
        prior=made.prior,
        others=open_others(made, params, folder),
    )
    rival, against, rows, unfit = _first_comparable(rivals, judge, data)
    size = sum((folder / name).stat().st_size for name in (made.file, SEGMENTS) if name in made.files)
    speed = microseconds_per_row(challenger, data.of(data.partitions[-1:])[0])

    def evidence_on(rows: JudgingRows) -> Evidence:
        return replace(
            collect_evidence(rows, params.promotion, params.seed),
            model_bytes=size,
            microseconds_per_row=speed,
            partitions=len(rows.partitions),
        )

    evidence, first, office = evidence_on(rows), None, None
    if rival and rival.provisional:
        ever = judge.out_of_sample.and_of(continued())
        first = evidence_on(_judging_rows(replace(judge, out_of_sample=ever), data))
    if rival and params.promotion.guarantee == "lifetime":
        past = rival.office()
        office = _office_gain(against, past, data)
        gains = [each.gain for each in (*past, *([office] if office else []))]
        sequence = confidence_sequence(gains, params.promotion.lifetime_confidence) if gains else None
        evidence = replace(evidence, lifetime=sequence)
    doubt = _too_good(made, folder, rows, params) if made.kind == "full" else None
    contest = Contest(
        rival.version if rival else BASELINE,
        unfit,
        rows.excluded,
        rows.withheld,
        doubt,
        evidence,
        rows.partitions,
        rows.recipes,
        first,
        office,
    )
    return contest, rows


def _first_comparable(
    rivals: Iterable[Rival], judge: Judge, data: PartitionFiles
) -> tuple[Rival | None, Judge, JudgingRows, tuple[str, ...]]:
    """The first rival that can be evaluated, None for the baseline; its judge, the judging rows, and why the
    rivals before it could not be."""
    unfit: list[str] = []
    for rival in rivals:
        try:
            champion, learned = rival.load()
            against = replace(judge, champion=champion, learned=learned)
            return rival, against, _judging_rows(against, data), tuple(unfit)
        except (BadData, NotFound, Tampered) as error:
            unfit.append(f"{rival.version} could not be evaluated: {error}")
    return None, judge, _judging_rows(judge, data), tuple(unfit)


def _office_gain(judge: Judge, office: Sequence[OfficeGain], data: PartitionFiles) -> OfficeGain | None:
    """On the partitions that no earlier challenger was judged by; None if they can't judge yet."""
    counted = {name for each in office for name in each.partitions}
    new = [each for each in judge.candidates(data.partitions) if each.name not in counted]
    if not new:
        return None
    rows = joined([judge.rows(each, path) for each, path in zip(new, data.of(new), strict=True)])
    comparison = compare_on(rows, judge.params.promotion, judge.params.seed)
    if not isinstance(comparison, Comparison):
        return None
    gain = ArrivalGain(comparison.gain.value, comparison.standard_error, comparison.dof, comparison.rows)
    return OfficeGain(tuple(each.name for each in new), gain)


def _judging_rows(judge: Judge, data: PartitionFiles) -> JudgingRows:
    """Rows that are new to the champion; where there are none, those that both recipes predicted.

    Of the latest promotion.window partitions, and of twice as many as long as they can't show a gain of
    promotion.worthwhile: recent rows tell best how the models will do. A first model is judged by all.
    """
    rows = _widened(judge, data, recipes=False)
    return _widened(judge, data, recipes=True) if judge.champion and not len(rows.y) else rows


def _widened(judge: Judge, data: PartitionFiles, *, recipes: bool) -> JudgingRows:
    promotion, seed = judge.params.promotion, judge.params.seed
    partitions = judge.candidates(data.partitions, recipes=recipes)
    window = promotion.window if judge.champion else len(partitions)
    parts: list[JudgingRows] = []
    while True:
        wider = partitions[len(partitions) - min(window, len(partitions)) : len(partitions) - len(parts)]
        files = zip(wider, data.of(wider), strict=True)
        read = [judge.rows(each, path, recipes=recipes) for each, path in files]
        parts = [*read, *parts]
        rows = joined(parts) if parts else judge.none
        if len(parts) == len(partitions) or suffices(compare_on(rows, promotion, seed), promotion):
            return rows
        window *= 2


def _too_good(made: Challenger, folder: Path, rows: JudgingRows, params: Params) -> str | None:
    sample = pd.read_parquet(folder / REPLAY)
    return too_good(rows.y, rows.challenger, made.importances, sample, params)
