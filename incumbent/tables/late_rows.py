"""Late rows join their partition: one whose key is there takes that row's place, others go to the end."""

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

    Rows that it has already, as they are, change nothing: `target` is a copy then. Late rows that share a
    key all stay, for the gate to see. Columns that one of the two lacks are empty there. Raises BadData for a
    column of two types that no value of both could have.
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
    """Without pandas' metadata, and with texts where a writer used codes for them."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table[place].cast(field.type.value_type))
    return table.replace_schema_metadata(None)


def _one_table(before: pa.Table, arrived: pa.Table, problem: str) -> pa.Table:
    """Of the partition's types, as far as the late values have them."""
    for place, field in enumerate(arrived.schema):
        wanted = before.schema.field(field.name) if field.name in before.schema.names else field
        if (zone_of_field(field) is None) != (zone_of_field(wanted) is None):
            raise BadData(f"{problem}: column '{field.name}' has a time zone in one of them only")
        if field.type == wanted.type:
            continue
        try:
            arrived = arrived.set_column(place, field.name, arrived[place].cast(wanted.type))
        except pa.ArrowException:
            continue  # 2.5 is no integer; then both become floats
    try:
        return pa.concat_tables([before, arrived], promote_options="permissive")
    except pa.ArrowException as error:
        raise BadData(f"{problem}: {error}") from error


def _order(before: pa.Table, arrived: pa.Table, key: Sequence[str]) -> np.ndarray:
    """Positions of the joined rows in the two tables one after the other."""
    old, new = keys_of(before, key), keys_of(arrived, key)
    again = new.at(in_both(new, old))
    successor: dict[tuple[object, ...], int] = {}
    for cells, row in zip(again, again.rows.tolist(), strict=True):
        successor.setdefault(cells, row)
    order = np.arange(len(before))
    replaced = old.at(in_both(old, again))
    order[replaced.rows] = [len(before) + successor[cells] for cells in replaced]
    others = np.setdiff1d(np.arange(len(arrived)), list(successor.values()))
    return np.concatenate([order, len(before) + others])
