"""The frozen contract between a table and a model: columns, their order, vocabularies, classes.

Learned once, from training rows only, kept in the manifest; every later frame is encoded by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.split import text_of


@dataclass(frozen=True)
class Feature:
    """A column the model reads. `categories` is its vocabulary, or None for a number."""

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Schema:
    features: tuple[Feature, ...]
    target: str
    positive: bool | int | str

    @property
    def categorical(self) -> list[int]:
        """Positions of the categorical features in the encoded matrix."""
        return [i for i, feature in enumerate(self.features) if feature.categories is not None]

    def encode(self, frame: pd.DataFrame, *, absent_as_missing: bool = False) -> np.ndarray:
        """Features as float32 (n, features): categories as codes, missing or never seen as NaN.

        `absent_as_missing` reads partitions from before a column came or after it went. Raises BadData
        when a column holds something else than before or, without that, is absent.
        """
        absent = [feature.name for feature in self.features if feature.name not in frame]
        if absent_as_missing:
            frame = frame.assign(**dict.fromkeys(absent, np.nan))
        elif absent:
            raise BadData(f"columns {absent} are missing; the model was trained with them")
        matrix = np.empty((len(frame), len(self.features)), dtype=np.float32)
        for position, feature in enumerate(self.features):
            matrix[:, position] = _encode(frame[feature.name], feature)
        return matrix

    def labels(self, frame: pd.DataFrame) -> np.ndarray:
        """1 for the positive class, else 0; shape (n,) int8.

        Raises BadData when the target is missing, has empty cells or more than two classes.
        """
        if self.target not in frame:
            raise BadData(
                f"the target '{self.target}' is not among the columns {sorted(map(str, frame.columns))}; "
                "correct dataset.target in params.yaml, or the file"
            )
        target = frame[self.target]
        if target.isna().any():
            raise BadData(
                f"the target '{self.target}' is empty in {int(target.isna().sum())} rows; drop them"
            )
        found = target.unique().tolist()
        if len(found) > 2 or (len(found) == 2 and self.positive not in found):
            raise BadData(
                f"the target '{self.target}' holds {sorted(map(str, found))[:10]}; a binary target has two "
                f"classes, one of them dataset.positive = {self.positive!r}"
            )
        return (target == self.positive).to_numpy(dtype=np.int8)

    def unseen_share(self, frame: pd.DataFrame) -> float:
        """Share of rows that hold a category outside the vocabulary in any column."""
        unseen = np.zeros(len(frame), dtype=bool)
        for feature in self.features:
            if feature.categories is not None:
                column = _as_text(frame[feature.name])
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
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Schema":
        features = tuple(
            Feature(f["name"], None if f["categories"] is None else tuple(f["categories"]))
            for f in document["features"]
        )
        return Schema(features, document["target"], document["positive"])


def learn_schema(frames: Iterable[pd.DataFrame], dataset: DatasetParams) -> Schema:
    """Features, order and vocabularies as the given training rows have them.

    The newest frame, the last, tells which columns there are. Timestamps are not features. Raises
    BadData for no rows or a missing target.
    """
    names: list[str] = []
    vocabularies: dict[str, set[str]] = {}
    for frame in frames:
        names = _feature_names(frame, dataset)
        for name in names:
            if name in dataset.categorical or not _is_number(frame[name]):
                vocabularies.setdefault(name, set()).update(_as_text(frame[name]).dropna().unique())
    if not names:
        raise BadData("no training rows to learn from: the data is empty, or every row is in the holdout")
    features = (Feature(n, tuple(sorted(vocabularies[n])) if n in vocabularies else None) for n in names)
    return Schema(tuple(features), dataset.target, dataset.positive)


def same_columns(schema: Schema, frame: pd.DataFrame, dataset: DatasetParams) -> list[str]:
    """How the frame's features differ from the schema's, one sentence each; empty when they agree."""
    now, before = set(_feature_names(frame, dataset)), {feature.name for feature in schema.features}
    return [f"column '{name}' is new" for name in sorted(now - before)] + [
        f"column '{name}' is gone" for name in sorted(before - now)
    ]


def _feature_names(frame: pd.DataFrame, dataset: DatasetParams) -> list[str]:
    if dataset.target not in frame:
        raise BadData(
            f"the target '{dataset.target}' is not among the columns {sorted(map(str, frame.columns))}; "
            "correct dataset.target in params.yaml, or the file"
        )
    skip = {dataset.target, dataset.time, *dataset.drop}
    return sorted(str(name) for name in frame if name not in skip and not _is_time(frame[name]))


def _is_time(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in {"date", "datetime"}


def _is_number(column: pd.Series) -> bool:
    """Numbers, booleans, and columns without any value, which may become either."""
    if pd.api.types.is_numeric_dtype(column.dtype) or column.isna().all():
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "boolean"


def _as_text(column: pd.Series) -> pd.Series:
    if column.dtype == "str":
        return column
    texts = {value: text_of(value) for value in column.dropna().unique()}
    return column.map(texts).astype("str")


def _encode(column: pd.Series, feature: Feature) -> np.ndarray:
    if feature.categories is not None:
        codes = pd.Categorical(_as_text(column), categories=list(feature.categories)).codes
        return np.where(codes < 0, np.nan, codes).astype(np.float32)
    if not _is_number(column):
        seen: Sequence[Any] = column.dropna().unique()[:3].tolist()
        raise BadData(f"column '{feature.name}' was a number and now holds {seen} ({column.dtype})")
    if column.dtype == object:
        column = column.astype("Float64")
    return column.to_numpy(dtype=np.float32, na_value=np.nan)
