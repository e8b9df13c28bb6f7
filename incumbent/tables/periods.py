"""Split rows by month or day, in the time zone of the people who made them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.errors import BadData
from incumbent.tables.convert import BATCH_ROWS, UTC_TIMES
from incumbent.tables.parquet import schema_of

Period = Literal["month", "day"]
Span = tuple[pd.Timestamp, pd.Timestamp]
FORMATS: dict[Period, str] = {"month": "%Y-%m", "day": "%Y-%m-%d"}


def partition_by(path: Path, folder: Path, time: str, period: Period, zone: str | None = None) -> list[Path]:
    """Split a Parquet file by the time column: 2026-03.parquet or 2026-03-31.parquet; paths in order.

    Rows keep their order. Months and days are those of `zone`, or of the column's own (zone_of); times
    without a zone are taken as they are. Raises BadData for a row without a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for name, rows in _by_period(pa.table(batch), path, time, period, zone):
                    if name not in writers:
                        writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", rows.schema)
                    writers[name].write_table(rows)
    finally:
        for writer in writers.values():
            writer.close()
    return [folder / f"{name}.parquet" for name in sorted(writers)]


def zone_of(path: Path, time: str) -> str | None:
    """The zone of a Parquet file's times, as zone_of_field."""
    return zone_of_field(schema_of(path).field(time))


def zone_of_field(field: pa.Field) -> str | None:
    """The zone of times, UTC if they came as text with offsets; None for times without, and for no times."""
    if pa.types.is_timestamp(field.type) and field.type.tz:
        return str(field.type.tz)
    return "UTC" if UTC_TIMES.items() <= (field.metadata or {}).items() else None


def _by_period(
    table: pa.Table, path: Path, time: str, period: Period, zone: str | None
) -> Iterator[tuple[str, pa.Table]]:
    times, own = _times(table, path, time)
    if own:
        try:
            times = _in_zone(times, zone or own)
        except pa.ArrowException as error:
            raise BadData(
                f"column '{time}' of {path.name}: this machine knows no time zone '{zone or own}' ({error})"
            ) from error
    names = pc.strftime(times, format=FORMATS[period])
    for name in pc.unique(names).to_pylist():
        yield name, table.filter(pc.equal(names, name))


def _in_zone(times: Any, zone: str) -> Any:
    """Times in UTC as a clock of the zone shows them."""
    return pc.local_timestamp(pc.assume_timezone(times, "UTC").cast(pa.timestamp("us", zone)))


def _times(table: pa.Table, path: Path, time: str) -> tuple[Any, str | None]:
    """The times in UTC and their zone; unchanged and None for times without a zone."""
    if time not in table.column_names:
        raise BadData(f"{path.name} has no column '{time}'; it has {sorted(table.column_names)}")
    column = table[time]
    if column.null_count:
        raise BadData(f"column '{time}' of {path.name} is empty in {column.null_count:,} rows; fill it")
    if pa.types.is_temporal(column.type):
        return column.cast(pa.timestamp("us"), safe=False), zone_of_field(table.schema.field(time))
    return _parsed(column, path, time)


def _parsed(column: Any, path: Path, time: str) -> tuple[Any, str | None]:
    for zone in (None, "UTC"):
        try:
            return column.cast(pa.string()).cast(pa.timestamp("us", zone)).cast(pa.timestamp("us")), zone
        except pa.ArrowException:
            continue
    raise BadData(
        f"column '{time}' of {path.name} holds {column[0].as_py()!r}, which is no time; use ISO 8601, "
        "such as 2026-03-31 14:00"
    )


def span_of(path: Path, time: str) -> Span:
    """The first and the last time of a Parquet file, in UTC if they have a zone; NaT where all are empty.

    Raises BadData without such a column, or for values that are no times.
    """
    names = pq.ParquetFile(path).schema_arrow.names
    if time not in names:
        raise BadData(f"{path.name} has no column '{time}'; it has {sorted(names)}")
    limits = pc.min_max(pq.read_table(path, columns=[time])[time]).as_py()
    try:
        return _in_utc(limits["min"]), _in_utc(limits["max"])
    except (ValueError, TypeError) as error:
        raise BadData(
            f"column '{time}' of {path.name} holds {limits['min']!r}, which is no time; use ISO 8601, "
            "such as 2026-03-31 14:00"
        ) from error


def _in_utc(time: Any) -> pd.Timestamp:
    stamp = pd.Timestamp(time)
    return stamp if stamp.tzinfo is None else stamp.tz_convert("UTC").tz_localize(None)
