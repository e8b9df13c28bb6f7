"""The rows that judge: labelled rows that neither model has learned from, with the predictions of both.

A row judges when the challenger's recipe predicted it out of sample, or when the vault (split.holdout) kept
it from all models. The champion predicts the rows that are new to it; of the others only those that its own
recipe predicted out of sample can judge, and then recipe is compared with recipe.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.features.frames import with_inferred
from incumbent.features.out_of_sample import OutOfSample
from incumbent.features.target import is_labelled
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams, SplitParams
from incumbent.tables.parquet import columns_of, read_partition
from incumbent.tables.partitions import Partition
from incumbent.tables.split import group_hashes


@dataclass(frozen=True)
class Learned:
    """What a champion was trained on: partitions as name -> md5, and the split of their rows.

    out_of_sample: its recipe's predictions. earlier: partition's name -> a file with the bytes that it had
    then, None where they are gone.
    """

    partitions: Mapping[str, str]
    split: SplitParams
    out_of_sample: OutOfSample = field(default_factory=OutOfSample.none)
    earlier: Callable[[str], Path | None] = lambda _: None

    @staticmethod
    def from_manifest(
        manifest: Mapping[str, Any],
        out_of_sample: OutOfSample | None = None,
        earlier: Callable[[str], Path | None] = lambda _: None,
    ) -> "Learned":
        split = SplitParams.model_validate(manifest["params"]["split"])
        return Learned(manifest["data"]["partitions"], split, out_of_sample or OutOfSample.none(), earlier)

    def may_know(self, frame: pd.DataFrame, partition: Partition, key: list[str]) -> np.ndarray:
        """Mask of the rows of a partition that the model may have been trained on; (n,) bool.

        Of a partition that changed since, those that it held before, told by `key`, or else by split.by.
        """
        if partition.name not in self.partitions:
            return np.zeros(len(frame), dtype=bool)
        in_training = group_hashes(frame, self.split.by) >= self.split.holdout
        if self.partitions[partition.name] == partition.md5:
            return in_training
        if not self.split.by:
            # The whole row is hashed: before a correction it may have been on the other side.
            in_training = np.ones(len(frame), dtype=bool)
        identity = key or self.split.by
        file = self.earlier(partition.name) if identity else None
        if file is None:
            return in_training
        before = read_partition(file, identity)
        return in_training & np.isin(group_hashes(frame, identity), group_hashes(before, identity))


@dataclass(frozen=True)
class JudgingRows:
    """Labelled rows with the predictions of all models.

    y: (n,); champion, challenger and each of `others` (challengers of other seeds): (n,) or (n, classes);
    group: (n,); columns: those of slices and fairness; excluded: number of rows left out, as the champion may
    have been trained on them or their class was not in training. thresholds: the champion's and the
    challenger's own; None for a model without one. withheld: columns that the champion reads but did not get,
    as dataset.drop names them. partitions: names, in their order; recipes: whether the champion's predictions
    are those of its recipe, out of sample.
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
    partitions: tuple[str, ...] = ()
    recipes: bool = False


@dataclass(frozen=True)
class Judge:
    """Finds the judging rows of partitions.

    Without a champion, the baseline takes its place: it predicts `prior` for every row. learned: what the
    champion was trained on. others: challengers of other seeds. A column that dataset.drop names is empty for
    the champion too: dropping it declares that production will not have it.
    """

    champion: Model | None
    challenger: Model
    params: Params
    out_of_sample: OutOfSample
    learned: Learned | None = None
    prior: Sequence[float] = ()
    others: Sequence[Model] = ()

    def candidates(self, partitions: Sequence[Partition], *, recipes: bool = False) -> list[Partition]:
        """The partitions that may hold judging rows, in their order. recipes: see JudgingRows."""
        if self.learned is None:
            return list(partitions)
        known = self.learned.partitions
        if recipes:
            theirs = self.learned.out_of_sample.partitions
            return [
                each
                for each in partitions
                if known.get(each.name) == each.md5 and (each.md5 in theirs or self.withheld)
            ]
        vault = self.params.split.holdout > 0
        return [each for each in partitions if vault or known.get(each.name) != each.md5]

    def rows(self, partition: Partition, path: Path, *, recipes: bool = False) -> JudgingRows:
        """Raises BadData when a model can't read the rows, or the champion predicts NaN or infinity."""
        frame = read_partition(path, self._columns(path))
        group = group_hashes(frame, self.params.split.by)
        number, predicted = self._out_of_sample(frame, group, partition.md5)
        rival, theirs = self._of_champion(frame, partition, number, recipes)
        known_class = self.challenger.schema.of_known_class(frame.iloc[number]).index
        keep = rival & np.isin(number, known_class)
        rows = with_inferred(frame.iloc[number[keep]], self.params.dataset.target)
        challenger, *others = (each[keep] for each in predicted)
        own = self.challenger.output.threshold
        return JudgingRows(
            self.challenger.schema.labels(rows),
            theirs[keep] if self.champion else _constant(self.prior, challenger),
            challenger,
            tuple(others),
            group[number[keep]],
            _slice_columns(rows, self.params.promotion),
            int((~keep).sum()),
            # The baseline gets the challenger's threshold: the best that a model without skill could use.
            (self.champion.output.threshold if self.champion else own, own),
            self.withheld,
            (partition.name,),
            recipes,
        )

    @property
    def none(self) -> JudgingRows:
        """No row judges."""
        empty = np.zeros(0)
        return JudgingRows(empty, empty, empty, (), empty, pd.DataFrame(), 0)

    @property
    def withheld(self) -> tuple[str, ...]:
        """Dropped columns that only the champion reads; the challenger may read some, to make features."""
        reads = set(self.champion.schema.inputs if self.champion else ()) - set(self.challenger.schema.inputs)
        return tuple(name for name in self.params.dataset.drop if name in reads)

    def _columns(self, path: Path) -> list[str] | None:
        """The columns to read: all (None) where a model predicts, else those of labels, groups and slices."""
        split = self.params.split
        narrow = {self.params.dataset.target, *split.by, *_slice_names(self.params.promotion)}
        predicts = self.champion is not None or split.holdout > 0
        if predicts or not split.by or not narrow <= {*(names := columns_of(path))}:
            return None  # without one of the columns the file is refused; then the message names all others
        return [name for name in names if name in narrow]

    def _out_of_sample(
        self, frame: pd.DataFrame, group: np.ndarray, md5: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers, (n,), and predictions of the challenger and the other seeds, (seeds, n, ...)."""
        number, predicted = self.out_of_sample.in_partition(md5)
        labelled = is_labelled(frame, self.params.dataset.target)
        vault = np.flatnonzero((group < self.params.split.holdout) & labelled)
        if not len(vault):
            return number, predicted
        rows = frame.iloc[vault]
        kept = np.stack(
            [model.predict(rows, absent_as_missing=True) for model in (self.challenger, *self.others)]
        )
        if not len(number):
            return vault, kept
        return np.concatenate([number, vault]), np.concatenate([predicted, kept], axis=1)

    def _of_champion(
        self, frame: pd.DataFrame, partition: Partition, number: np.ndarray, recipes: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows of these numbers: which the champion can be judged on, and its predictions."""
        if self.champion is None or self.learned is None:
            return np.ones(len(number), dtype=bool), np.zeros(0)
        if recipes and self.withheld:
            # Its recipe read the dropped columns. Its model does without them, on rows that it has learned.
            predicted = _predict(self.champion, frame, number, self.withheld)
            return np.ones(len(number), dtype=bool), self._as_classes(predicted)
        if recipes:
            theirs, (predicted, *_) = self.learned.out_of_sample.in_partition(partition.md5)
            there = np.isin(number, theirs)
            position = np.searchsorted(theirs, number.clip(max=theirs.max(initial=0)))
            return there, self._as_classes(predicted)[position]
        known = self.learned.may_know(frame, partition, self.params.dataset.key)
        predicted = self._as_classes(_predict(self.champion, frame, number, self.withheld))
        return ~known[number], predicted

    def _as_classes(self, predicted: np.ndarray) -> np.ndarray:
        """The champion's probabilities for the challenger's classes: sums for classes that the challenger has
        grouped, zero for a class that the champion does not know."""
        if self.champion is None:
            return predicted
        if broken := int((~np.isfinite(predicted)).sum()):
            raise BadData(f"it predicts no number for {broken:,} values of judging rows")
        known, wanted = self.champion.schema.classes, self.challenger.schema.classes
        if known == wanted:
            return predicted
        aligned = np.zeros((len(predicted), len(wanted)))
        for position, name in enumerate(map(self.challenger.schema.class_of, known)):
            if name in wanted:
                aligned[:, wanted.index(name)] += predicted[:, position]
        return aligned


def joined(parts: Sequence[JudgingRows]) -> JudgingRows:
    """Rows of several partitions of one Judge, in their order; parts: at least one."""
    excluded = sum(part.excluded for part in parts)
    parts = [part for part in parts if len(part.y)] or parts[:1]
    return JudgingRows(
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.champion for part in parts]),
        np.concatenate([part.challenger for part in parts]),
        tuple(np.concatenate(each) for each in zip(*(part.others for part in parts), strict=True)),
        np.concatenate([part.group for part in parts]),
        pd.concat([part.columns for part in parts], ignore_index=True),
        excluded,
        parts[0].thresholds,
        parts[0].withheld,
        tuple(name for part in parts for name in part.partitions),
        parts[0].recipes,
    )


def _predict(model: Model, frame: pd.DataFrame, number: np.ndarray, withheld: Sequence[str]) -> np.ndarray:
    """Each model reads a column that came or went since as it would in production."""
    frame = frame.drop(columns=[*withheld], errors="ignore")
    if model.schema.derivation.needs_all_rows:
        return model.predict(frame, absent_as_missing=True)[number]
    return model.predict(frame.iloc[number], absent_as_missing=True)


def _constant(prior: Sequence[float], like: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.squeeze(np.asarray(prior, dtype=float)), like.shape).copy()


def _slice_names(promotion: PromotionParams) -> list[str]:
    """The columns of slices and fairness."""
    wanted = dict.fromkeys([*promotion.slices.columns, promotion.fairness.column])
    return [name for name in wanted if name is not None]


def _slice_columns(frame: pd.DataFrame, promotion: PromotionParams) -> pd.DataFrame:
    names = _slice_names(promotion)
    missing = [name for name in names if name not in frame]
    if missing:
        raise BadData(
            f"promotion.slices or promotion.fairness names {missing}, but the data has only "
            f"{sorted(map(str, frame.columns))}"
        )
    return frame[names]
