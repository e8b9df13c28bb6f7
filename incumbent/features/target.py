"""The column to predict: require it, find the labelled rows, read its values as numbers."""

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.tables.labels import beyond_limit, beyond_limit_message
from incumbent.tables.split import as_text


def require_target(frame: pd.DataFrame, name: str) -> None:
    if name not in frame:
        raise BadData(
            f"the target '{name}' is not among the columns {sorted(map(str, frame.columns))}; "
            "correct dataset.target in params.yaml, or the file"
        )


def is_labelled(frame: pd.DataFrame, target: str) -> np.ndarray:
    """Which rows have a label, (n,) bool. Raises BadData without the column."""
    require_target(frame, target)
    return frame[target].notna().to_numpy()


def target_of(frame: pd.DataFrame, name: str) -> pd.Series:
    require_target(frame, name)
    target = frame[name]
    if target.isna().any():
        raise BadData(f"the target '{name}' is empty in {int(target.isna().sum())} rows; drop them")
    return target


def counts_of(target: pd.Series) -> dict[str, int]:
    """Number of rows of each class; classes as text."""
    return {str(name): int(rows) for name, rows in as_text(target).value_counts().items()}


def numbers_of(target: pd.Series) -> np.ndarray:
    """A regression's target as float64 (n,). Raises BadData for text, and for numbers beyond float32."""
    if not pd.api.types.is_numeric_dtype(target.dtype):
        raise BadData(
            f"the target '{target.name}' holds {target.unique()[:3].tolist()} ({target.dtype}); "
            "the task 'regression' needs numbers"
        )
    numbers = target.to_numpy(dtype=np.float64)
    beyond = numbers[beyond_limit(numbers)]
    if len(beyond):
        raise BadData(beyond_limit_message(str(target.name), len(beyond), beyond[0]))
    return numbers
