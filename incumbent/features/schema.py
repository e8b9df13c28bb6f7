"""The frozen contract between a table and a model: columns, their order, vocabularies, classes.

It is learned once, from training rows only, and kept in the manifest; every later frame is encoded by it.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.features.clean import Cleaning, CleaningCounts
from incumbent.features.derive import Derivation
from incumbent.features.feature import Columns, Feature
from incumbent.features.rare_classes import OTHER, RareClasses
from incumbent.features.target import counts_of, is_labelled, numbers_of, require_target, target_of
from incumbent.params import DatasetParams, Task
from incumbent.tables.split import as_text


@dataclass(frozen=True)
class Schema:
    """`positive`: the value of a binary target that counts as 1; `classes`: a multiclass target's, as text;
    `rare`: classes with few training rows."""

    features: tuple[Feature, ...]
    target: str
    positive: bool | int | str = True
    task: Task = "binary"
    classes: tuple[str, ...] = ()
    cleaning: Cleaning = field(default_factory=Cleaning)
    derivation: Derivation = field(default_factory=Derivation)
    rare: RareClasses = field(default_factory=RareClasses)

    @property
    def columns(self) -> Columns:
        """Each feature's name and the size of its vocabulary, None for a number."""
        vocabularies = {feature.name: feature.categories for feature in self.features}
        return {name: None if words is None else len(words) for name, words in vocabularies.items()}

    @property
    def categorical(self) -> list[int]:
        """Positions of the categorical features in the encoded matrix."""
        return [i for i, feature in enumerate(self.features) if feature.categories is not None]

    @property
    def own(self) -> list[str]:
        """Features that are columns of the table itself, not derived from others."""
        made = {*self.derivation.added_names, *self.derivation.derived_names}
        return [each.name for each in self.features if each.name not in made and each.means is None]

    @property
    def inputs(self) -> list[str]:
        """Columns that a table must have, sorted: its own features, and the sources of derived ones."""
        return sorted({*self.own, *self.derivation.sources})

    @property
    def has_means(self) -> bool:
        """Whether a feature is target-encoded, so that each fold must learn its own means."""
        return any(feature.means is not None for feature in self.features)

    def encode(
        self,
        frame: pd.DataFrame,
        *,
        absent_as_missing: bool = False,
        complete: bool = False,
        cleaning_counts: CleaningCounts | None = None,
    ) -> np.ndarray:
        """The features as float32 (n, features): categories as codes, missing or unseen as NaN.

        frame: all rows of a file, or of one side of its split; with `complete` any rows, which have the
        columns of Derivation.added already, as a version's sample does. `absent_as_missing`: an absent
        column counts as empty, for partitions from before it came or after it went. Adds the numbers of
        cleaned cells to `cleaning_counts`. Raises BadData when a column's type changed or, without
        `absent_as_missing`, when it is absent.
        """
        codes = self.codes(
            frame, absent_as_missing=absent_as_missing, complete=complete, cleaning_counts=cleaning_counts
        )
        return self.with_means(codes)

    def codes(
        self,
        frame: pd.DataFrame,
        *,
        absent_as_missing: bool = False,
        complete: bool = False,
        cleaning_counts: CleaningCounts | None = None,
    ) -> np.ndarray:
        """As `encode`, before `with_means`: a target-encoded column has codes of categories, -1 if unseen."""
        prepared = self.prepared(
            frame, absent_as_missing=absent_as_missing, complete=complete, cleaning_counts=cleaning_counts
        )
        matrix = np.empty((len(frame), len(self.features)), dtype=np.float32)
        for position, feature in enumerate(self.features):
            matrix[:, position] = feature.encode(prepared[feature.name])
        return matrix

    def with_means(self, codes: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
        """Replace codes by means; group: (n,) hashes if the means were learned from these rows, else None."""
        if not self.has_means:
            return codes
        matrix = codes.copy()
        for position, feature in enumerate(self.features):
            if feature.means is not None:
                code = codes[:, position]
                matrix[:, position] = (
                    feature.means.encode_new(code)
                    if group is None
                    else feature.means.encode_learned(code, group)
                )
        return matrix

    def learned_means(self, codes: np.ndarray, y: np.ndarray, group: np.ndarray) -> "Schema":
        """A schema with the categories' means of these rows; arguments as in Means.learned."""
        if not self.has_means:
            return self
        smoothing = self.derivation.params.smoothing
        features = tuple(
            feature
            if feature.means is None
            else replace(feature, means=feature.means.learned(codes[:, position], y, group, smoothing))
            for position, feature in enumerate(self.features)
        )
        return replace(self, features=features)

    def prepared(
        self,
        frame: pd.DataFrame,
        *,
        absent_as_missing: bool = False,
        complete: bool = False,
        cleaning_counts: CleaningCounts | None = None,
    ) -> pd.DataFrame:
        """Cleaned rows with a column for each feature, categories as they are. Raises as `encode`."""
        absent = [name for name in self.inputs if name not in frame]
        if absent_as_missing:
            frame = frame.assign(**dict.fromkeys(absent, np.nan))
        elif absent:
            raise BadData(f"columns {absent} are missing; the model was trained with them")
        whole = frame if complete else self.derivation.added(frame)
        names = dict.fromkeys([*self.inputs, *self.derivation.added_names])
        derived = self.derivation.derived(self.cleaning.apply(whole[list(names)], cleaning_counts))
        encoded = {each.name: derived[each.source] for each in self.features if each.means is not None}
        return derived.assign(**encoded)[[feature.name for feature in self.features]]

    def labels(self, frame: pd.DataFrame) -> np.ndarray:
        """The target as numbers, shape (n,).

        binary: 1 for the positive class, else 0, int8; multiclass: position in `classes`, int32;
        regression: float64. Raises BadData when the target is missing, has empty cells, or has values that
        the task does not allow.
        """
        target = target_of(frame, self.target)
        if self.task == "regression":
            return numbers_of(target)
        if self.task == "multiclass":
            return self._codes(target)
        values = target.unique().tolist()
        if len(values) > 2 or (len(values) == 2 and self.positive not in values):
            raise BadData(
                f"the target '{self.target}' holds {sorted(map(str, values))[:10]}; a binary target has two "
                f"classes, one of them dataset.positive = {self.positive!r}"
            )
        return (target == self.positive).to_numpy(dtype=np.int8)

    def new_classes(self, frame: pd.DataFrame) -> list[str]:
        """Classes of a multiclass target that the model does not know, with rows enough to be learned."""
        if self.task != "multiclass":
            return []
        labelled = frame[is_labelled(frame, self.target)]
        counts = counts_of(target_of(labelled, self.target))
        unknown = sorted(counts.keys() - set(self.classes))
        return [name for name in unknown if self.rare.is_enough(name, counts[name])]

    def of_known_class(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows whose class the model knows."""
        if self.task != "multiclass":
            return frame
        return frame[self._as_class(target_of(frame, self.target)).isin(self.classes)]

    def trained_on(self, frame: pd.DataFrame) -> np.ndarray:
        """Mask of the rows to train and compare on, (n,) bool: labelled, and not of a dropped rare class."""
        labelled = is_labelled(frame, self.target)
        if self.task != "multiclass" or self.rare.treatment != "drop":
            return labelled
        return labelled & as_text(frame[self.target]).isin(self.classes).to_numpy()

    def class_of(self, name: str) -> str:
        """The class that stands for the target's value: 'other' for a grouped rare class."""
        grouped = self.rare.treatment == "group" and OTHER in self.classes
        return OTHER if grouped and name not in self.classes else name

    def _as_class(self, target: pd.Series) -> pd.Series:
        names = as_text(target)
        return names.map({name: self.class_of(name) for name in names.dropna().unique()})

    def _codes(self, target: pd.Series) -> np.ndarray:
        names = self._as_class(target)
        codes = pd.Categorical(names, categories=list(self.classes)).codes.astype(np.int32)
        if (codes < 0).any():
            unknown = sorted(set(names[codes < 0]))[:10]
            raise BadData(f"the target '{self.target}' holds {unknown}, classes that were not in training")
        return codes

    def unseen_share(self, frame: pd.DataFrame) -> float:
        """Share of rows with a category outside the vocabulary in any column."""
        unseen = np.zeros(len(frame), dtype=bool)
        frame = self.prepared(frame)
        for feature in self.features:
            if feature.categories is not None:
                column = as_text(frame[feature.name])
                unseen |= (column.notna() & ~column.isin(feature.categories)).to_numpy()
        return float(unseen.mean()) if len(frame) else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "features": [feature.to_json() for feature in self.features],
            "target": self.target,
            "positive": self.positive,
            "task": self.task,
            "classes": list(self.classes),
            "cleaning": self.cleaning.to_json(),
            "derivation": self.derivation.to_json(),
            "rare": self.rare.to_json(),
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Schema":
        return Schema(
            tuple(map(Feature.from_json, document["features"])),
            document["target"],
            document["positive"],
            document["task"],
            tuple(document["classes"]),
            Cleaning.from_json(document["cleaning"]) if "cleaning" in document else Cleaning(),
            Derivation.from_json(document["derivation"]) if "derivation" in document else Derivation(),
            RareClasses.from_json(document["rare"]) if "rare" in document else RareClasses(),
        )


def differences(schema: Schema, frame: pd.DataFrame, dataset: DatasetParams) -> list[str]:
    """How the frame differs from the schema, one sentence for each difference."""
    now, before = set(feature_names(frame, dataset)), set(schema.own)
    return [
        *(f"column '{name}' is new" for name in sorted(now - before)),
        *(f"column '{name}' is gone" for name in sorted(before - now)),
        *(f"class '{name}' is new" for name in schema.new_classes(frame)),
    ]


def feature_names(frame: pd.DataFrame, dataset: DatasetParams) -> list[str]:
    require_target(frame, dataset.target)
    skip = {dataset.target, dataset.time, *dataset.drop}
    return sorted(str(name) for name in frame if name not in skip and not _is_time(frame[name]))


def _is_time(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in {"date", "datetime"}
