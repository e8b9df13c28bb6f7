"""Which side is a row on? A hash of its group decides, so the answer never changes."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from incumbent.errors import BadData


def group_hashes(frame: pd.DataFrame, by: list[str]) -> np.ndarray:
    """A uniform number in [0, 1) per row, shape (n,) float64, equal for rows that agree in `by`.

    Rows below split.holdout are the holdout: nobody ever trains or tunes on them. An empty `by` takes
    the whole row, so exact duplicates stay together. The text that is hashed does not depend on the
    dtype: 3 and a float column's 3.0 are the same group. Raises BadData when a column is missing.
    """
    require_columns(frame, by)
    columns = by or sorted(map(str, frame.columns))
    group = frame.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()
    texts = _texts(frame.loc[~frame.duplicated(columns), columns])
    return np.fromiter(map(_uniform, texts), dtype="float64", count=len(texts))[group]


def require_columns(frame: pd.DataFrame, by: Sequence[str]) -> None:
    """Raises BadData when a column of split.by is missing."""
    missing = [name for name in by if name not in frame]
    if missing:
        raise BadData(f"split.by names {missing}, but the data has only {sorted(map(str, frame.columns))}")


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2**48


def _texts(rows: pd.DataFrame) -> list[str]:
    return ["\x1f".join(values) for values in zip(*(_canonical(rows[c]) for c in rows), strict=True)]


def _canonical(column: pd.Series) -> np.ndarray:
    """The values as text that is the same whatever type the file's writer chose, (n,); "" for empty cells.

    Each distinct value is written once: in Python, a text takes longer than all the rest of a row's hash.
    """
    codes, values = pd.factorize(column)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        values = (
            pd.DatetimeIndex(values).strftime("%Y-%m-%dT%H:%M:%S.%f").str.removesuffix("T00:00:00.000000")
        )
    texts = [*map(text_of, values), ""]  # an empty cell has the code -1
    return np.array(texts, dtype=object)[codes]


def text_of(value: object) -> str:
    """A value as text; whole numbers without a fraction, as an empty cell turns 3 into 3.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def as_text(column: pd.Series) -> pd.Series:
    """The values as text that is the same whatever type the file's writer chose; empty cells stay empty."""
    if column.dtype == "str":
        return column
    texts = {value: text_of(value) for value in column.dropna().unique()}
    return column.map(texts).astype("str")


def text_or_none(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A column's values as_text, (n,) objects; None for empty cells, and for all rows where it is absent."""
    if name not in frame:
        return np.full(len(frame), None, dtype=object)
    text = as_text(frame[name])
    return np.asarray(text.astype(object).where(text.notna(), None))


def segments_in(frame: pd.DataFrame, by: str) -> np.ndarray:
    """text_or_none of the column segments.by of training rows. Raises BadData where it measures something."""
    values = frame[by].dropna() if by in frame else pd.Series(dtype=object)
    if pd.api.types.is_float_dtype(values) and len(fractions := values[values % 1 != 0]):
        raise BadData(
            f"segments.by = '{by}' has numbers with fractions, such as {fractions.iloc[0]:g}; a segment is a "
            "text, a whole number or a truth value: name such a column"
        )
    return text_or_none(frame, by)
