"""The role of each column of a new table, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from incumbent.tables.columns import Kind, columns_of
from incumbent.tables.declared import MOST_EXACT
from incumbent.tables.recognise import Recognised

MAX_EXAMPLE = 24  # characters

Role = Literal["target", "time", "key", "feature", "category", "dropped", "unused"]


@dataclass(frozen=True)
class ColumnOverview:
    """`kind` is None and `example` "" for a column without any value; `empty` counts cells of all `rows`."""

    column: str
    kind: Kind | None
    rows: int
    empty: int
    example: str
    becomes: Role
    why: str

    @property
    def share_empty(self) -> float:
        return self.empty / self.rows

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "share_empty": round(self.share_empty, 6)}


def overview(
    paths: Sequence[Path], columns: Mapping[str, Kind | None], sample: pd.DataFrame, recognised: Recognised
) -> list[ColumnOverview]:
    """Each of these columns of Parquet partitions, in their order. Empty cells are counted in all rows."""
    empty = _empty_cells(paths, list(columns))
    return [
        ColumnOverview(
            name, kind, recognised.rows, empty[name], example_of(sample[name]),
            *_role(name, kind, sample[name], recognised),
        )
        for name, kind in columns.items()
    ]  # fmt: skip


def example_of(column: pd.Series) -> str:
    """The first value, short and on one line; "" if there is none."""
    filled = column.dropna()
    text = " ".join(_text(filled.iloc[0]).split()) if len(filled) else ""
    return text if len(text) <= MAX_EXAMPLE else f"{text[: MAX_EXAMPLE - 1]}…"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < MOST_EXACT else f"{value:g}"
    return str(value).removesuffix(" 00:00:00") if isinstance(value, datetime) else str(value)


def _role(name: str, kind: Kind | None, values: pd.Series, recognised: Recognised) -> tuple[Role, str]:
    if name == recognised.target:
        event = f"; the event is {recognised.positive!r}, {recognised.why_positive}"
        return "target", recognised.why_task + (event if recognised.task == "binary" else "")
    if name == recognised.time:
        return "time", "orders the rows; never a feature"
    dropped = name in recognised.drop
    if name in recognised.key:
        return "key", "identifies a row" if dropped else "identifies a row; a feature, too, unless dropped"
    if dropped:
        return "dropped", recognised.why_drop
    if kind is None:
        return "unused", "empty so far"
    if kind == "time":
        return "unused", "a time that is not --time; features.dates makes features of it"
    distinct = values.nunique()
    if distinct < 2:
        why = "empty so far" if distinct == 0 else "one value only, which tells nothing"
    elif kind == "text":
        looked_at = f" in {len(values):,} rows" if len(values) < recognised.rows else ""
        why = f"{distinct:,} different texts{looked_at}"
    else:
        why = "a number" if kind == "number" else "yes or no"
    return "category" if kind == "text" else "feature", why


def _empty_cells(paths: Sequence[Path], names: Sequence[str]) -> dict[str, int]:
    """NaN counts as empty, and so does a column that a partition lacks."""
    import duckdb

    counts = dict.fromkeys(names, 0)
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as database:
        database.execute("SET enable_progress_bar = false")
        for path in paths:
            present = {name: kind for name, kind in columns_of(path).items() if name in counts}
            cells = ["count(*)", *(_filled(name, kind) for name, kind in present.items())]
            [(rows, *filled)] = database.read_parquet(str(path)).aggregate(", ".join(cells)).fetchall()
            by_name = dict(zip(present, filled, strict=True))
            for name in names:
                counts[name] += rows - by_name.get(name, 0)
    return counts


def _filled(name: str, kind: Kind | None) -> str:
    column = '"' + name.replace('"', '""') + '"'
    number = f" FILTER (NOT isnan(CAST({column} AS DOUBLE)))" if kind == "number" else ""
    return f"count({column}){number}"
