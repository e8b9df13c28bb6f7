"""The frozen contract between a table and a model: columns, their order, vocabularies, classes.

Learned once, from training rows only, kept in the manifest; every later frame is encoded by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from incumbent.balance import Balance, Columns
from incumbent.clean import Cleaning, CleaningLearner, Touched, is_number
from incumbent.errors import BadData
from incumbent.metrics import Task
from incumbent.output import Output
from incumbent.params import CleanParams, DatasetParams
from incumbent.split import text_of


@dataclass(frozen=True)
class Feature:
    """A column the model reads. `categories` is its vocabulary, or None for a number."""

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Schema:
    """`positive` is the event's value of a binary target; `classes` are a multiclass target's, as text.

    `balance` is how training weighed the classes, for an update; `output` what follows the learner's scores.
    """

    features: tuple[Feature, ...]
    target: str
    positive: bool | int | str = True
    task: Task = "binary"
    classes: tuple[str, ...] = ()
    cleaning: Cleaning = field(default_factory=Cleaning)
    balance: Balance = field(default_factory=Balance)
    output: Output = field(default_factory=Output)

    @property
    def columns(self) -> Columns:
        """Each feature's name and the size of its vocabulary, None for a number."""
        vocabularies = {feature.name: feature.categories for feature in self.features}
        return {name: None if words is None else len(words) for name, words in vocabularies.items()}

    @property
    def categorical(self) -> list[int]:
        """Positions of the categorical features in the encoded matrix."""
        return [i for i, feature in enumerate(self.features) if feature.categories is not None]

    def encode(
        self, frame: pd.DataFrame, *, absent_as_missing: bool = False, touched: Touched | None = None
    ) -> np.ndarray:
        """Clean, then the features as float32 (n, features): categories as codes, missing or unseen as NaN.

        `absent_as_missing` reads partitions from before a column came or after it went. `touched` is told
        how many cells were cleaned. Raises BadData when a column holds something else than before or,
        without that, is absent.
        """
        absent = [feature.name for feature in self.features if feature.name not in frame]
        if absent_as_missing:
            frame = frame.assign(**dict.fromkeys(absent, np.nan))
        elif absent:
            raise BadData(f"columns {absent} are missing; the model was trained with them")
        frame = self.cleaning.apply(frame[[feature.name for feature in self.features]], touched)
        matrix = np.empty((len(frame), len(self.features)), dtype=np.float32)
        for position, feature in enumerate(self.features):
            matrix[:, position] = _encode(frame[feature.name], feature)
        return matrix

    def labels(self, frame: pd.DataFrame) -> np.ndarray:
        """The target as numbers, shape (n,).

        binary: 1 for the positive class, else 0, int8; multiclass: position in `classes`, int32;
        regression: float64. Raises BadData when the target is missing, has empty cells, or holds what
        the task does not allow.
        """
        target = _target(frame, self.target)
        if self.task == "regression":
            return _numbers(target)
        if self.task == "multiclass":
            return self._codes(target)
        found = target.unique().tolist()
        if len(found) > 2 or (len(found) == 2 and self.positive not in found):
            raise BadData(
                f"the target '{self.target}' holds {sorted(map(str, found))[:10]}; a binary target has two "
                f"classes, one of them dataset.positive = {self.positive!r}"
            )
        return (target == self.positive).to_numpy(dtype=np.int8)

    def new_classes(self, frame: pd.DataFrame) -> list[str]:
        """Classes of a multiclass target that training never had."""
        if self.task != "multiclass":
            return []
        return sorted(set(as_text(_target(frame, self.target)).unique()) - set(self.classes))

    def of_known_class(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Without the rows of new_classes."""
        if self.task != "multiclass":
            return frame
        return frame[as_text(_target(frame, self.target)).isin(self.classes)]

    def _codes(self, target: pd.Series) -> np.ndarray:
        codes = pd.Categorical(as_text(target), categories=list(self.classes)).codes.astype(np.int32)
        if (codes < 0).any():
            unknown = sorted(set(as_text(target)[codes < 0]))[:10]
            raise BadData(f"the target '{self.target}' holds {unknown}, classes that training never had")
        return codes

    def unseen_share(self, frame: pd.DataFrame) -> float:
        """Share of rows that hold a category outside the vocabulary in any column."""
        unseen = np.zeros(len(frame), dtype=bool)
        frame = self.cleaning.apply(frame[[feature.name for feature in self.features]])
        for feature in self.features:
            if feature.categories is not None:
                column = as_text(frame[feature.name])
                unseen |= (column.notna() & ~column.isin(feature.categories)).to_numpy()
        return float(unseen.mean()) if len(frame) else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "features": [
                {"name": f.name, "categories": None if f.categories is None else list(f.categories)}
                for f in self.features
            ],
            "target": self.target,
            "positive": self.positive,
            "task": self.task,
            "classes": list(self.classes),
            "cleaning": self.cleaning.to_json(),
            "balance": self.balance.to_json(),
            "output": self.output.to_json(),
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Schema":
        features = tuple(
            Feature(f["name"], None if f["categories"] is None else tuple(f["categories"]))
            for f in document["features"]
        )
        return Schema(
            features,
            document["target"],
            document["positive"],
            document["task"],
            tuple(document["classes"]),
            Cleaning.from_json(document["cleaning"]) if "cleaning" in document else Cleaning(),
            Balance.from_json(document["balance"]) if "balance" in document else Balance(),
            Output.from_json(document["output"]) if "output" in document else Output(),
        )


def learn_schema(
    frames: Iterable[pd.DataFrame],
    dataset: DatasetParams,
    task: Task = "binary",
    clean: CleanParams | None = None,
) -> Schema:
    """Features, order, vocabularies, classes and what cleaning needs, as the given training rows have them.

    The newest frame, the last, tells which columns there are. Timestamps are not features. Raises
    BadData for no rows or a missing target.
    """
    names: list[str] = []
    vocabularies: dict[str, set[str]] = {}
    classes: set[str] = set()
    cleaning = CleaningLearner(clean or CleanParams())
    for frame in frames:
        if task == "multiclass":
            classes.update(as_text(_target(frame, dataset.target)).unique())
        names = _feature_names(frame, dataset)
        frame = cleaning.clean(frame[names])
        for name in names:
            if name in dataset.categorical or not is_number(frame[name]):
                vocabularies.setdefault(name, set()).update(as_text(frame[name]).dropna().unique())
    if not names:
        raise BadData("no training rows to learn from: the data is empty, or every row is in the holdout")
    cleaned = cleaning.learned()
    words = {name: {fill} for name, fill in cleaned.fills.items() if isinstance(fill, str)}
    features = (
        Feature(n, tuple(sorted(vocabularies[n] | words.get(n, set()))) if n in vocabularies else None)
        for n in names
    )
    return Schema(
        tuple(features), dataset.target, dataset.positive, task, tuple(sorted(classes)), cleaning=cleaned
    )


def differences(schema: Schema, frame: pd.DataFrame, dataset: DatasetParams) -> list[str]:
    """How the frame differs from the schema, one sentence each; empty when they agree."""
    now, before = set(_feature_names(frame, dataset)), {feature.name for feature in schema.features}
    return [
        *(f"column '{name}' is new" for name in sorted(now - before)),
        *(f"column '{name}' is gone" for name in sorted(before - now)),
        *(f"class '{name}' is new" for name in schema.new_classes(frame)),
    ]


def _require_target(frame: pd.DataFrame, name: str) -> None:
    if name not in frame:
        raise BadData(
            f"the target '{name}' is not among the columns {sorted(map(str, frame.columns))}; "
            "correct dataset.target in params.yaml, or the file"
        )


def _target(frame: pd.DataFrame, name: str) -> pd.Series:
    _require_target(frame, name)
    target = frame[name]
    if target.isna().any():
        raise BadData(f"the target '{name}' is empty in {int(target.isna().sum())} rows; drop them")
    return target


def _numbers(target: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(target.dtype):
        raise BadData(
            f"the target '{target.name}' holds {target.unique()[:3].tolist()} ({target.dtype}); "
            "the task 'regression' needs numbers"
        )
    numbers = target.to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise BadData(f"the target '{target.name}' is infinite in {int((~np.isfinite(numbers)).sum())} rows")
    return numbers


def _feature_names(frame: pd.DataFrame, dataset: DatasetParams) -> list[str]:
    _require_target(frame, dataset.target)
    skip = {dataset.target, dataset.time, *dataset.drop}
    return sorted(str(name) for name in frame if name not in skip and not _is_time(frame[name]))


def _is_time(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in {"date", "datetime"}


def as_text(column: pd.Series) -> pd.Series:
    """The values as text that is the same whatever type the file's writer chose; empty cells stay empty."""
    if column.dtype == "str":
        return column
    texts = {value: text_of(value) for value in column.dropna().unique()}
    return column.map(texts).astype("str")


def _encode(column: pd.Series, feature: Feature) -> np.ndarray:
    if feature.categories is not None:
        codes = pd.Categorical(as_text(column), categories=list(feature.categories)).codes
        return np.where(codes < 0, np.nan, codes).astype(np.float32)
    if not is_number(column):
        seen: Sequence[Any] = column.dropna().unique()[:3].tolist()
        raise BadData(f"column '{feature.name}' was a number and now holds {seen} ({column.dtype})")
    if column.dtype == object:
        column = column.astype("Float64")
    return column.to_numpy(dtype=np.float32, na_value=np.nan)
