"""One column of the matrix that a model reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from incumbent.errors import BadData
from incumbent.features.clean import is_number
from incumbent.features.target_encoding import Means
from incumbent.tables.split import as_text

Columns = Mapping[str, int | None]
"""The features in their order, each with the size of its vocabulary, or None for a number."""


@dataclass(frozen=True)
class Feature:
    """A column the model reads. `categories` is its vocabulary, or None for a number.

    With `means` it is target-encoded: a number for each category of the column `source`.
    """

    name: str
    categories: tuple[str, ...] | None = None
    means: Means | None = None
    source: str = ""

    @property
    def is_category(self) -> bool:
        """Whether the table's column holds categories, even if the model reads numbers for them."""
        return self.categories is not None or self.means is not None

    def to_json(self) -> dict[str, Any]:
        words = None if self.categories is None else list(self.categories)
        encoded = {"means": self.means.to_json(), "source": self.source} if self.means else {}
        return {"name": self.name, "categories": words, **encoded}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Feature":
        words = document["categories"]
        means = Means.from_json(document["means"]) if "means" in document else None
        return Feature(
            document["name"], None if words is None else tuple(words), means, document.get("source", "")
        )

    def encode(self, column: pd.Series) -> np.ndarray:
        """The cells as float32 (n,), categories as codes. Raises BadData for text in a numeric column."""
        if self.means is not None:
            codes = _codes(column, self.means.words)
            return np.where(np.isnan(codes) & column.notna(), np.float32(-1), codes)
        if self.categories is not None:
            return _codes(column, self.categories)
        if not is_number(column):
            values: Sequence[Any] = column.dropna().unique()[:3].tolist()
            raise BadData(f"column '{self.name}' was a number and now holds {values} ({column.dtype})")
        if column.dtype == object:
            column = column.astype("Float64")
        return column.to_numpy(dtype=np.float32, na_value=np.nan)


def _codes(column: pd.Series, words: Sequence[str]) -> np.ndarray:
    """Each cell's place among the words, (n,) float32; NaN for missing and unseen ones."""
    # By Arrow, to which pandas' own texts belong: pandas would make a Python object of each cell.
    text = pa.array(as_text(column))
    return pc.index_in(text, pa.array(words, text.type)).to_numpy(zero_copy_only=False).astype(np.float32)
