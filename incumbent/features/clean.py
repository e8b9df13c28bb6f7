"""Cleaning as params.yaml declares it: training and scoring change cells by the same rules.

Learned values (fills, bounds) come from training rows only and are kept with the model's schema.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.params import CleanParams
from incumbent.tables.tidy import steps


class CleaningCounts(Counter[str]):
    """Number of cells changed, by step and column ('trim carrier'); for 'duplicates', of rows dropped."""


@dataclass(frozen=True)
class Cleaning:
    """`fills`: column -> value for empty cells; `bounds`: column -> (lowest, highest) value for clipping."""

    params: CleanParams = field(default_factory=CleanParams)
    fills: Mapping[str, float | str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def apply(self, frame: pd.DataFrame, cleaning_counts: CleaningCounts | None = None) -> pd.DataFrame:
        """Return a copy with cleaned cells and the same rows; add the numbers to `cleaning_counts`.

        Order: trim, case, impossible values to missing, clip, fill. Skips absent columns, and columns that
        are no longer numeric: the schema reports these with a better message.
        """
        frame = _stateless(frame, self.params, cleaning_counts)
        changed: dict[str, pd.Series] = {}
        for name, (low, high) in self.bounds.items():
            if name in frame and _is_numeric(frame[name]):
                column = frame[name]
                changed[name] = column.clip(low, high)
                _count(cleaning_counts, f"clip {name}", (column < low) | (column > high))
        frame = frame.assign(**changed)
        filled: dict[str, pd.Series] = {}
        for name, value in self.fills.items():
            if name in frame and (isinstance(value, str) or is_number(frame[name])):
                empty, cells = frame[name].isna(), frame[name]
                _count(cleaning_counts, f"missing {name}", empty)
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
    """Reads the training rows frame by frame; keeps the values of columns that need statistics."""

    def __init__(self, params: CleanParams) -> None:
        self._params = params
        self._values: dict[str, list[pd.Series]] = {}
        self._columns: set[str] = set()

    def clean(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Apply the steps that need no learned values, and keep what the others will learn from."""
        frame = _stateless(frame, self._params, None)
        self._columns.update(map(str, frame.columns))
        for name in {*self._params.clip, *self._params.missing} & self._columns:
            if name in frame:
                self._values.setdefault(name, []).append(frame[name].dropna())
        return frame

    def learned(self) -> Cleaning:
        """Raises BadData for a column that no frame has, or a statistic of a column without values."""
        named = {*self._params.clip, *self._params.missing, *self._params.impossible}
        if absent := sorted(named - self._columns):
            raise BadData(f"params.yaml: clean names {absent}, but the data has only {sorted(self._columns)}")
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


def _stateless(
    frame: pd.DataFrame, params: CleanParams, cleaning_counts: CleaningCounts | None
) -> pd.DataFrame:
    changed: dict[str, pd.Series] = {}
    if steps(params):
        for name in frame.columns[frame.dtypes == "str"]:
            changed[name] = _tidy(frame[name], params, cleaning_counts)
    for name, limits in params.impossible.items():
        if name in frame and _is_numeric(frame[name]):
            impossible = _outside(frame[name], limits.min, limits.max)
            _count(cleaning_counts, f"impossible {name}", impossible)
            changed[name] = frame[name].mask(impossible)
    return frame.assign(**changed)


def _tidy(column: pd.Series, params: CleanParams, cleaning_counts: CleaningCounts | None) -> pd.Series:
    """Trim and change case once for each distinct text: there are fewer of them than cells."""
    tidy = {text: text for text in column.dropna().unique()}
    for step, change in steps(params).items():
        before, tidy = tidy, {text: change(now) for text, now in tidy.items()}
        changed = column.isin([text for text in tidy if tidy[text] != before[text]])
        _count(cleaning_counts, f"{step} {column.name}", changed)
    emptied = {text: now if now else None for text, now in tidy.items()}  # a cell of spaces is empty
    if all(text == now for text, now in emptied.items()):
        return column
    return column.map(emptied).astype("str")


def _outside(column: pd.Series, low: float | None, high: float | None) -> pd.Series:
    below = column < low if low is not None else False
    above = column > high if high is not None else False
    return (below | above) & column.notna()


def is_number(column: pd.Series) -> bool:
    """True for numbers, booleans, and columns without any value, whose type is still open."""
    if _is_numeric(column) or column.isna().all():
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "boolean"


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)


def _count(cleaning_counts: CleaningCounts | None, step: str, cells: pd.Series) -> None:
    if cleaning_counts is not None:
        cleaning_counts[step] += int(cells.sum())
