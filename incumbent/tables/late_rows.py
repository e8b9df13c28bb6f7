"""Add late rows to their partition: a row with a known key replaces the old row, others are appended."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.tables.periods import zone_of_field
from incumbent.tables.row_keys import in_both, keys_of


def append_rows(partition: Path, late: Path, target: Path, key: Sequence[str]) -> None:
    """Write `partition` with the rows of `late` into `target`; all three are Parquet.

    If all rows are in it already, unchanged, `target` is a copy. Late rows that share a key are all kept, for
    the gate to check. A column that one of the two lacks is empty there. Raises BadData for a column whose
    two types have no common type.
    """
    before, arrived = _plain(pq.read_table(partition)), _plain(pq.read_table(late))
    both = _one_table(before, arrived, f"{late.name} can't be added to the rows of {partition.name}")
    joined = both.take(_order(before, arrived, key))
    target.parent.mkdir(parents=True, exist_ok=True)
    if joined.equals(before):
        shutil.copyfile(partition, target)
    else:
        pq.write_table(joined, target)


def _plain(table: pa.Table) -> pa.Table:
    """Remove pandas' metadata, and decode dictionary columns."""
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(number, field.name, table[number].cast(field.type.value_type))
    return table.replace_schema_metadata(None)


def _one_table(before: pa.Table, arrived: pa.Table, problem: str) -> pa.Table:
    """Concatenate, with the partition's types where the late values can be cast to them."""
    for number, field in enumerate(arrived.schema):
        wanted = before.schema.field(field.name) if field.name in before.schema.names else field
        if (zone_of_field(field) is None) != (zone_of_field(wanted) is None):
            raise BadData(f"{problem}: column '{field.name}' has a time zone in one of them only")
        if field.type == wanted.type:
            continue
        try:
            arrived = arrived.set_column(number, field.name, arrived[number].cast(wanted.type))
        except pa.ArrowException:
            continue  # 2.5 is no integer; then both become floats
    try:
        return pa.concat_tables([before, arrived], promote_options="permissive")
    except pa.ArrowException as error:
        raise BadData(f"{problem}: {error}") from error


def _order(before: pa.Table, arrived: pa.Table, key: Sequence[str]) -> np.ndarray:
    """Positions of the resulting rows in the concatenation of the two tables."""
    old, new = keys_of(before, key), keys_of(arrived, key)
    repeated = new.at(in_both(new, old))
    successor: dict[tuple[object, ...], int] = {}
    for cells, row in zip(repeated, repeated.rows.tolist(), strict=True):
        successor.setdefault(cells, row)
    order = np.arange(len(before))
    replaced = old.at(in_both(old, repeated))
    order[replaced.rows] = [len(before) + successor[cells] for cells in replaced]
    others = np.setdiff1d(np.arange(len(arrived)), list(successor.values()))
    return np.concatenate([order, len(before) + others])
