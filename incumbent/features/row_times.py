"""When rows came, for a gap in time between those that train and those that judge."""

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.params import Params


def row_times(frame: pd.DataFrame, params: Params, place: str) -> np.ndarray | None:
    """dataset.time of the rows, (n,) datetime64[us] in UTC, NaT for an empty cell; None for a gap in rows.

    Times without a zone are taken as UTC, a date as its first moment. place: names the rows in messages.
    Raises BadData for a missing column and for values that are no times.
    """
    name, gap = params.dataset.time, params.search.gap
    if params.search.gap_in_time is None or name is None:
        return None
    if name not in frame:
        raise BadData(
            f"search.gap = '{gap}' is measured in dataset.time = '{name}', and {place} has only the columns "
            f"{sorted(map(str, frame.columns))}"
        )
    column = frame[name]
    values = column.dropna()
    if pd.api.types.is_numeric_dtype(values.dtype) and len(values):
        raise BadData(
            f"search.gap = '{gap}' is measured in dataset.time = '{name}', which holds {values.dtype} in "
            f"{place}, such as {values.iloc[0]}: give the gap as a number of rows"
        )
    times = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
    if times.isna().any():
        row = times.index[times.isna()][0]
        raise BadData(
            f"search.gap = '{gap}' is measured in dataset.time = '{name}', which holds {values[row]!r} in "
            f"row {row} of {place}; that is no time: use ISO 8601, such as 2026-03-31 14:00"
        )
    return times.dt.tz_localize(None).reindex(column.index).to_numpy(dtype="datetime64[us]")
