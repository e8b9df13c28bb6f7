"""Cleaning as params.yaml declares it: the same cells change in training and in scoring.

What it learns (fills, bounds) comes from training rows only and is kept with the model's schema.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.params import CleanParams


class CleaningCounts(Counter[str]):
    """How many cells each step changed, as 'trim carrier'; rows for 'duplicates'."""


@dataclass(frozen=True)
class Cleaning:
    """`fills` are the values for empty cells, `bounds` the lowest and highest value of a clipped column."""

    params: CleanParams = field(default_factory=CleanParams)
    fills: Mapping[str, float | str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def apply(self, frame: pd.DataFrame, touched: CleaningCounts | None = None) -> pd.DataFrame:
        """A frame with the same rows and cleaned cells; the given one stays. Columns that it lacks are
        passed over, and so is a column that is no longer of numbers: the schema says so better.

        The order: trim, case, impossible values to missing, clip, fill.
        """
        frame = _stateless(frame, self.params, touched)
        changed: dict[str, pd.Series] = {}
        for name, (low, high) in self.bounds.items():
            if name in frame and _is_numeric(frame[name]):
                column = frame[name]
                changed[name] = column.clip(low, high)
                _count(touched, f"clip {name}", (column < low) | (column > high))
        frame = frame.assign(**changed)
        filled: dict[str, pd.Series] = {}
        for name, value in self.fills.items():
            if name in frame and (isinstance(value, str) or is_number(frame[name])):
                empty, cells = frame[name].isna(), frame[name]
                _count(touched, f"missing {name}", empty)
                cells = cells.astype("object") if isinstance(value, str) else cells.astype("float64")
                filled[name] = cells.where(~empty, value)
        return frame.assign(**filled)

    def to_json(self) -> dict[str, Any]:
        return {
            "params": self.params.model_dump(mode="json"),
            "fills": dict(self.fills),
            "bounds": {name: list(ends) for name, ends in self.bounds.items()},
        }

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Cleaning":
        bounds = {name: (low, high) for name, (low, high) in document["bounds"].items()}
        return Cleaning(CleanParams.model_validate(document["params"]), document["fills"], bounds)


class CleaningLearner:
    """Sees the training rows, a frame at a time; keeps the values of columns that need them."""

    def __init__(self, params: CleanParams) -> None:
        self._params = params
        self._values: dict[str, list[pd.Series]] = {}
        self._seen: set[str] = set()

    def clean(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame as far as it can be cleaned before anything is learned."""
        frame = _stateless(frame, self._params, None)
        self._seen.update(map(str, frame.columns))
        for name in {*self._params.clip, *self._params.missing} & self._seen:
            if name in frame:
                self._values.setdefault(name, []).append(frame[name].dropna())
        return frame

    def learned(self) -> Cleaning:
        """Raises BadData for a column that no row has, or a statistic of a column without values."""
        named = {*self._params.clip, *self._params.missing, *self._params.impossible}
        if absent := sorted(named - self._seen):
            raise BadData(f"params.yaml: clean names {absent}, but the data has only {sorted(self._seen)}")
        bounds = {name: self._bounds(name, ends) for name, ends in self._params.clip.items()}
        fills = {name: self._fill(name, rule, bounds) for name, rule in self._params.missing.items()}
        return Cleaning(self._params, fills, bounds)

    def _bounds(self, name: str, ends: list[float]) -> tuple[float, float]:
        low, high = np.quantile(self._numbers(name, "clip"), ends)
        return float(low), float(high)

    def _fill(self, name: str, rule: float | str, bounds: Mapping[str, tuple[float, float]]) -> float | str:
        if rule in ("mean", "median"):
            numbers = self._numbers(name, "missing")
            clipped = np.clip(numbers, *bounds[name]) if name in bounds else numbers
            return float(np.mean(clipped) if rule == "mean" else np.median(clipped))
        values = self._all(name, "missing")
        value = values.mode().iloc[0] if rule == "most-frequent" else rule
        if isinstance(value, str) == is_number(values):
            raise BadData(
                f"params.yaml: clean.missing of '{name}' is {value!r}, and the column holds "
                f"{values.head(1).tolist()[0]!r}; "
                "give mean, median, most-frequent, or a value of the column's kind"
            )
        return value if isinstance(value, str) else float(value)

    def _all(self, name: str, step: str) -> pd.Series:
        values = pd.concat(self._values[name])
        if values.empty:
            raise BadData(f"params.yaml: clean.{step} of '{name}': the column is empty in all training rows")
        return values

    def _numbers(self, name: str, step: str) -> np.ndarray:
        values = self._all(name, step)
        if not _is_numeric(values):
            raise BadData(f"params.yaml: clean.{step} of '{name}' needs numbers; it holds {values.iloc[0]!r}")
        return values.to_numpy(dtype=np.float64)


def _stateless(frame: pd.DataFrame, params: CleanParams, touched: CleaningCounts | None) -> pd.DataFrame:
    changed: dict[str, pd.Series] = {}
    if params.trim or params.case:
        for name in frame.columns[frame.dtypes == "str"]:
            changed[name] = _tidy(frame[name], params, touched)
    for name, limits in params.impossible.items():
        if name in frame and _is_numeric(frame[name]):
            impossible = _outside(frame[name], limits.min, limits.max)
            _count(touched, f"impossible {name}", impossible)
            changed[name] = frame[name].mask(impossible)
    return frame.assign(**changed)


def _tidy(column: pd.Series, params: CleanParams, touched: CleaningCounts | None) -> pd.Series:
    """By the different texts, which are fewer than cells."""
    tidy = {text: text for text in column.dropna().unique()}
    for step, change in (("trim", str.strip), ("case", str.upper if params.case == "upper" else str.lower)):
        if getattr(params, step):
            before, tidy = tidy, {text: change(now) for text, now in tidy.items()}
            _count(touched, f"{step} {column.name}", column.isin([t for t in tidy if tidy[t] != before[t]]))
    emptied = {text: now if now else None for text, now in tidy.items()}  # spaces alone are no value
    if all(text == now for text, now in emptied.items()):
        return column
    return column.map(emptied).astype("str")


def _outside(column: pd.Series, low: float | None, high: float | None) -> pd.Series:
    below = column < low if low is not None else False
    above = column > high if high is not None else False
    return (below | above) & column.notna()


def is_number(column: pd.Series) -> bool:
    """Numbers, booleans, and columns without any value, which may become either."""
    if _is_numeric(column) or column.isna().all():
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "boolean"


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)


def _count(touched: CleaningCounts | None, step: str, cells: pd.Series) -> None:
    if touched is not None:
        touched[step] += int(cells.sum())
