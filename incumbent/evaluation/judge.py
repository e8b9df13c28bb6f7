"""Score models on held-out rows that none of them was trained on, and collect the evidence for a decision."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Comparison, as_decisions, calibration, compare_slices, fairness, try_compare
from incumbent.errors import BadData
from incumbent.evaluation.decide import Evidence
from incumbent.features.rows import Side
from incumbent.features.rows import frames as frames_of
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams, SplitParams
from incumbent.tables.partitions import Partition
from incumbent.tables.split import group_hashes

BASELINE = "the trivial baseline"
TIMED_ROWS, TIMES = 10_000, 3


@dataclass(frozen=True)
class Learned:
    """What a model was trained on: partitions as name -> md5, and the split of their rows."""

    partitions: Mapping[str, str]
    split: SplitParams

    @staticmethod
    def from_manifest(manifest: Mapping[str, Any]) -> "Learned":
        return Learned(
            manifest["data"]["partitions"], SplitParams.model_validate(manifest["params"]["split"])
        )

    def may_know(self, frame: pd.DataFrame, partition: Partition) -> np.ndarray:
        """Mask of the rows of a partition that the model may have been trained on; (n,) bool."""
        if partition.name not in self.partitions:
            return np.zeros(len(frame), dtype=bool)
        if self.partitions[partition.name] != partition.md5 and not self.split.by:
            # Without split.by the whole row is hashed: before a correction it may have been a training row.
            return np.ones(len(frame), dtype=bool)
        return group_hashes(frame, self.split.by) >= self.split.holdout


@dataclass(frozen=True)
class Holdout:
    """Held-out rows with the predictions of all models.

    y: (n,); champion, challenger and each of `others` (models of other seeds): (n,) or (n, classes);
    group: (n,); columns: those of slices and fairness; excluded: number of held-out rows left out, because
    the champion may have been trained on them or their class was not in training. thresholds: the champion's
    and the challenger's own; None for a model without one. withheld: columns that the champion reads but did
    not get, as dataset.drop names them.
    """

    y: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray
    others: tuple[np.ndarray, ...]
    group: np.ndarray
    columns: pd.DataFrame
    excluded: int
    thresholds: tuple[float | None, float | None] = (None, None)
    withheld: tuple[str, ...] = ()


def score_holdout(
    champion: Model | None,
    challenger: Model,
    window: Sequence[tuple[Partition, Path]],
    params: Params,
    *,
    learned: Learned | None = None,
    prior: Sequence[float] = (),
    others: Sequence[Model] = (),
) -> Holdout:
    """Predict the window's held-out rows.

    Without a champion, the baseline takes its place: it predicts `prior` for every row. learned: what the
    champion was trained on, if its split or its partitions differ. A column that dataset.drop names is empty
    for the champion too: dropping it declares that production will not have it. Raises BadData when a model
    can't read the rows, or the champion predicts NaN or infinity.
    """
    parts: list[Holdout] = []
    withheld = _withheld(champion, challenger, params)
    for (partition, _), (frame, group) in zip(
        window, frames_of([path for _, path in window], params, Side.HOLDOUT), strict=True
    ):
        keep = np.ones(len(frame), dtype=bool)
        if learned is not None:
            keep &= ~learned.may_know(frame, partition)
        keep &= frame.index.isin(challenger.schema.of_known_class(frame).index)
        parts.append(
            _score(
                champion,
                challenger,
                frame[keep],
                group[keep],
                params,
                prior,
                others,
                int((~keep).sum()),
                withheld,
            )
        )
    own = challenger.output.threshold
    # The baseline gets the challenger's threshold: the best that a model without skill could use.
    thresholds = (champion.output.threshold if champion else own, own)
    return replace(_joined(parts), thresholds=thresholds, withheld=withheld)


def _withheld(champion: Model | None, challenger: Model, params: Params) -> tuple[str, ...]:
    """Dropped columns that only the champion reads; the challenger may read some, as sources of features."""
    reads = set(champion.schema.inputs if champion else ()) - set(challenger.schema.inputs)
    return tuple(name for name in params.dataset.drop if name in reads)


def collect_evidence(holdout: Holdout, promotion: PromotionParams, seed: int) -> Evidence:
    """All evidence for a decision except size and speed of the model. seed: that of the bootstrap.

    A metric of decisions, and fairness, use each model's own threshold, as in production.
    """
    y, group, (theirs, own) = holdout.y, holdout.group, holdout.thresholds
    pair = (
        as_decisions(holdout.champion, theirs, promotion),
        as_decisions(holdout.challenger, own, promotion),
    )
    others = [as_decisions(other, own, promotion) for other in holdout.others]
    comparison = try_compare(y, *pair, group, promotion, others=others, seed=seed)
    if not isinstance(comparison, Comparison):
        return Evidence(comparison)
    column = promotion.fairness.column
    threshold = promotion.threshold if own is None else own
    return Evidence(
        comparison,
        compare_slices(y, *pair, group, holdout.columns, promotion, seed=seed),
        None if y.dtype == np.float64 else calibration(y, holdout.challenger),
        fairness(y, holdout.challenger, holdout.columns[column], threshold) if column else None,
    )


def microseconds_per_row(model: Model, paths: Sequence[Path], params: Params) -> float:
    """Time per row of the fastest of three predictions of up to 10,000 held-out rows, encoding included."""
    frame = next(frames_of(paths[-1:], params, Side.HOLDOUT))[0].head(TIMED_ROWS)
    if frame.empty:
        return 0.0
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        model.predict(frame, absent_as_missing=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / len(frame) * 1e6


def _score(
    champion: Model | None,
    challenger: Model,
    frame: pd.DataFrame,
    group: np.ndarray,
    params: Params,
    prior: Sequence[float],
    others: Sequence[Model],
    excluded: int,
    withheld: Sequence[str],
) -> Holdout:
    # absent_as_missing: each model reads a column that came or went since as it would in production.
    predicted = challenger.predict(frame, absent_as_missing=True)
    if champion is None:
        rival = np.broadcast_to(np.squeeze(np.asarray(prior, dtype=float)), predicted.shape).copy()
    else:
        theirs = champion.predict(frame.drop(columns=[*withheld], errors="ignore"), absent_as_missing=True)
        rival = _as_classes_of(challenger, champion, theirs)
        if not np.isfinite(rival).all():
            raise BadData(f"it predicts no number for {int((~np.isfinite(rival)).sum()):,} held-out values")
    return Holdout(
        challenger.schema.labels(frame),
        rival,
        predicted,
        tuple(other.predict(frame, absent_as_missing=True) for other in others),
        group,
        _slice_columns(frame, params.promotion),
        excluded,
    )


def _as_classes_of(challenger: Model, champion: Model, predicted: np.ndarray) -> np.ndarray:
    """The champion's probabilities for the challenger's classes: sums for classes that the challenger has
    grouped, zero for a class that the champion does not know."""
    known, wanted = champion.schema.classes, challenger.schema.classes
    if known == wanted:
        return predicted
    aligned = np.zeros((len(predicted), len(wanted)))
    for position, name in enumerate(map(challenger.schema.class_of, known)):
        if name in wanted:
            aligned[:, wanted.index(name)] += predicted[:, position]
    return aligned


def _slice_columns(frame: pd.DataFrame, promotion: PromotionParams) -> pd.DataFrame:
    wanted = dict.fromkeys([*promotion.slices.columns, promotion.fairness.column])
    names = [name for name in wanted if name is not None]
    missing = [name for name in names if name not in frame]
    if missing:
        raise BadData(
            f"promotion.slices or promotion.fairness names {missing}, but the data has only "
            f"{sorted(map(str, frame.columns))}"
        )
    return frame[names]


def _joined(parts: Sequence[Holdout]) -> Holdout:
    return Holdout(
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.champion for part in parts]),
        np.concatenate([part.challenger for part in parts]),
        tuple(np.concatenate(each) for each in zip(*(part.others for part in parts), strict=True)),
        np.concatenate([part.group for part in parts]),
        pd.concat([part.columns for part in parts], ignore_index=True),
        sum(part.excluded for part in parts),
    )
