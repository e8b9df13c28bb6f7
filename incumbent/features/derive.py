"""Columns derived from others, as params.yaml declares them: by the same code in training and in scoring.

Two steps. `added` runs before cleaning and needs all rows of a file (the project's function, lags); `derived`
runs after cleaning, row by row, with what was learned from training rows (dates, ratios, frequencies).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.params import DatasetParams, FeatureParams, Params, own_code
from incumbent.tables.split import as_text, text_of

ALONE = 100
"""Number of rows for the test that the project's function gives the same values without the other rows."""


@dataclass(frozen=True)
class Derivation:
    """`made`: columns that the project's function makes; `digest`: that of its module; `shares`: column ->
    value -> its share of the training rows."""

    params: FeatureParams = field(default_factory=FeatureParams)
    time: str | None = None
    target: str = ""
    made: tuple[str, ...] = ()
    digest: str | None = None
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def needs_all_rows(self) -> bool:
        """Whether a row's columns depend on other rows of its file."""
        return bool(self.params.lags.columns)

    @property
    def added_names(self) -> list[str]:
        return [*self.made, *(f"{name}_previous" for name in self.params.lags.columns)]

    @property
    def derived_names(self) -> list[str]:
        dates = [f"{name}_{part}" for name, parts in self.params.dates.items() for part in parts]
        return [*dates, *self.params.ratios, *(f"{name}_frequency" for name in self.params.frequency)]

    @property
    def sources(self) -> list[str]:
        """Columns that it reads, features or not."""
        ordered = [str(self.time)] if self.params.lags.columns else []
        return list(dict.fromkeys([*self.params.sources, *ordered]))

    def added(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Add the columns of step one; frame: all rows of a file, or of one side of its split.

        Raises BadData when the project's function fails, or changed since this was learned.
        """
        new: dict[str, pd.Series] = {}
        if self.params.function is not None:
            made = self.by_function(self.params.function, frame)
            new |= {str(name): made[name] for name in made}
        lags = self.params.lags
        if lags.columns:
            in_order = frame.sort_values(str(self.time), kind="stable")
            entities = in_order.groupby(lags.by, dropna=False, sort=False)
            new |= {f"{name}_previous": entities[name].shift() for name in lags.columns}
        return frame.assign(**new)

    def derived(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Add the columns of step two to cleaned rows. Raises BadData for a cell of the wrong type."""
        new: dict[str, Any] = {}
        for name, parts in self.params.dates.items():
            times = _times(frame[name])
            for part in parts:
                new[f"{name}_{part}"] = getattr(times.dt, part)
        for name, (above, below) in self.params.ratios.items():
            divisor = _numbers(frame[below])
            with np.errstate(divide="ignore", invalid="ignore"):
                new[name] = np.where(divisor == 0, np.nan, _numbers(frame[above]) / divisor)
        for name, shares in self.shares.items():
            values = as_text(frame[name])
            new[f"{name}_frequency"] = values.map(shares).astype(float).fillna(0.0).where(values.notna())
        return frame.assign(**new)

    def to_json(self) -> dict[str, Any]:
        return {
            "params": self.params.model_dump(mode="json"),
            "time": self.time,
            "target": self.target,
            "made": list(self.made),
            "digest": self.digest,
            "shares": {name: dict(shares) for name, shares in self.shares.items()},
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Derivation":
        return Derivation(
            FeatureParams.model_validate(document["params"]),
            document["time"],
            document["target"],
            tuple(document["made"]),
            document["digest"],
            document["shares"],
        )

    def by_function(self, path: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Call the project's function on the rows, without the target. Raises as `added`."""
        function, digest = own_code.load(path)
        if self.digest is not None and digest != self.digest:
            raise BadData(
                f"features.function '{path}' is not what it was when the model was made: its module changed; "
                "put a new function into a new module, so that models made with the old one still work"
            )
        made = own_code.call(path, function, frame.drop(columns=self.target, errors="ignore"))
        if self.made and (lost := set(self.made) - set(map(str, made.columns))):
            raise BadData(f"features.function = '{path}' no longer makes the columns {sorted(lost)}")
        return made


def with_added(frame: pd.DataFrame, params: Params) -> pd.DataFrame:
    """All rows of a file with the columns that need all of them: see Derivation.added."""
    return Derivation(params.features, params.dataset.time, params.dataset.target).added(frame)


class DerivationLearner:
    """Reads the training rows frame by frame; counts values for the frequencies."""

    def __init__(self, params: FeatureParams, dataset: DatasetParams) -> None:
        shares: dict[str, dict[str, float]] = {name: {} for name in params.frequency}
        self._start = Derivation(params, dataset.time, dataset.target, shares=shares)
        self._made: tuple[str, ...] = ()
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in params.frequency}
        self._rows = 0

    @property
    def sources(self) -> list[str]:
        return self._start.sources

    @property
    def derived_names(self) -> list[str]:
        return self._start.derived_names

    def add(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Step one, with checks: sources exist, new names are free, the function treats rows one by one."""
        if absent := [name for name in self._start.sources if name not in frame]:
            raise BadData(
                f"params.yaml: features names {absent}, but the data has only "
                f"{sorted(map(str, frame.columns))}"
            )
        path = self._start.params.function
        if path is not None:
            made, alone = (self._start.by_function(path, each) for each in (frame, frame.head(ALONE)))
            self._made = tuple(map(str, made.columns))
            if not alone.equals(made.head(ALONE)):
                raise BadData(
                    f"features.function = '{path}' gives a row other values when the frame has other rows; "
                    "make it depend on the row alone: scoring has other frames than training"
                )
        names = [*self._made, *self._start.added_names, *self._start.derived_names]
        twice = [name for name, count in Counter([*frame.columns, *names]).items() if count > 1]
        if twice:
            raise BadData(f"params.yaml: features makes {twice}, and there are columns of these names")
        return self._start.added(frame)

    def derive(self, cleaned: pd.DataFrame) -> pd.DataFrame:
        """Step two without the frequencies, which are known only after the last frame."""
        for name, counts in self._counts.items():
            counts.update(as_text(cleaned[name]).dropna())
        self._rows += len(cleaned)
        return self._start.derived(cleaned)

    def learned(self, fills: Mapping[str, float | str]) -> Derivation:
        """`fills`: what cleaning puts into empty cells; those cells count for that value's share."""
        params = self._start.params
        digest = own_code.load(params.function)[1] if params.function else None
        for name, counts in self._counts.items():
            if name in fills:
                counts[text_of(fills[name])] += self._rows - counts.total()
        shares = {
            name: {value: counts[value] / self._rows for value in sorted(counts)}
            for name, counts in self._counts.items()
        }
        return Derivation(params, self._start.time, self._start.target, self._made, digest, shares)


def _times(column: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    if pd.api.types.is_numeric_dtype(column.dtype) and column.notna().any():
        raise BadData(f"params.yaml: features.dates of '{column.name}' needs times; it is of {column.dtype}")
    try:
        return pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise BadData(f"params.yaml: features.dates of '{column.name}' needs times: {error}") from error


def _numbers(column: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column.dtype) and column.notna().any():
        raise BadData(
            f"params.yaml: features.ratios of '{column.name}' needs numbers; it is of {column.dtype}"
        )
    return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
