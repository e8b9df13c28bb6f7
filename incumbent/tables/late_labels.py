"""Labels that come later than their rows, by the key: put into the cells that are still empty."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.params import DatasetParams


def fill_labels(path: Path, labels: pd.DataFrame, dataset: DatasetParams, filled: Path) -> int:
    """Write the partition with these labels (key and target) where it has none; how many rows got one.

    Of labels for the same key the last one counts; a label that is there stays. Nothing is written for none.
    The same partition and labels give the same bytes. Raises BadData when keys or labels are of another kind
    than the partition's.
    """
    with pq.ParquetFile(path) as file:
        table = file.read()
    cells = table.select([*dataset.key, dataset.target]).replace_schema_metadata(None).to_pandas()
    empty = cells[dataset.target].isna().to_numpy()
    values = _values(cells[empty], labels, dataset)
    came = values.notna().to_numpy()
    if not came.any():
        return 0
    mask = np.zeros(len(table), dtype=bool)
    mask[np.flatnonzero(empty)[came]] = True
    column = _replaced(table[dataset.target], mask, values[came], dataset.target)
    number = table.schema.get_field_index(dataset.target)
    filled.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.set_column(number, dataset.target, column), filled)
    return int(came.sum())


def _values(rows: pd.DataFrame, labels: pd.DataFrame, dataset: DatasetParams) -> pd.Series:
    """The label of each row, in their order; empty where none came."""
    key = dataset.key
    try:
        alike = labels.assign(**{name: as_in(rows[name], labels[name]) for name in key})
        known = alike.dropna(subset=[dataset.target]).drop_duplicates(key, keep="last")
        return rows[key].merge(known[[*key, dataset.target]], on=key, how="left")[dataset.target]
    except (ValueError, TypeError) as error:
        raise BadData(f"the keys of the data and of the labels can't be compared: {error}") from error


def _replaced(column: pa.ChunkedArray, mask: np.ndarray, values: pd.Series, target: str) -> pa.Array:
    cells = column.combine_chunks()
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    try:
        given = pa.array(values, from_pandas=True)
        if pa.types.is_null(cells.type):
            cells = cells.cast(given.type)
        return pc.replace_with_mask(cells, pa.array(mask), given.cast(cells.type))
    except pa.ArrowException as error:
        raise BadData(
            f"the labels of '{target}' are not of the data's kind, {cells.type}: {error}"
        ) from error


def as_in(column: pd.Series, other: pd.Series) -> pd.Series:
    """A key of other rows as `column` has it: a text file has times as text, or in UTC without their zone."""
    if pd.api.types.is_numeric_dtype(column.dtype) and pd.api.types.is_numeric_dtype(other.dtype):
        return other  # between kinds of numbers the merge itself finds its way
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return other.astype(column.dtype)
    times = pd.to_datetime(other, utc=True)
    zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    return (times if zoned else times.dt.tz_localize(None)).astype(column.dtype)
