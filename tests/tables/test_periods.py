"""Months and days begin at midnight where the rows were made."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.convert import to_parquet
from incumbent.tables.periods import partition_by, zone_of

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def months(folder: Path, path: Path, zone: str | None = None) -> dict[str, int]:
    """Each month's rows."""
    parts = partition_by(path, folder / f"by {zone}".replace("/", "-"), "t", "month", zone)
    return {part.stem: pq.read_metadata(part).num_rows for part in parts}


def written(folder: Path, name: str, *times: str) -> Path:
    """A CSV of these times as Parquet."""
    (folder / f"{name}.csv").write_text("t,y\n" + "".join(f"{time},1\n" for time in times))
    to_parquet(folder / f"{name}.csv", folder / f"{name}.parquet", DatasetParams(name="d", target="y"))
    return folder / f"{name}.parquet"


def test_rows_are_split_by_month_or_day_in_order(tmp_path: Path) -> None:
    days = pd.to_datetime(["2026-02-01 01:00", "2026-01-31 23:59", "2026-02-01 00:00", "2026-02-02 00:00"])
    pd.DataFrame({"day": days, "x": range(4)}).to_parquet(tmp_path / "t.parquet")
    months = partition_by(tmp_path / "t.parquet", tmp_path / "m", "day", "month")
    assert [path.name for path in months] == ["2026-01.parquet", "2026-02.parquet"]
    assert pq.read_table(months[1])["x"].to_pylist() == [0, 2, 3]
    by_day = partition_by(tmp_path / "t.parquet", tmp_path / "d", "day", "day")
    assert [path.stem for path in by_day] == ["2026-01-31", "2026-02-01", "2026-02-02"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([None, pd.Timestamp("2026")], "'day' of t.parquet is empty in 1 rows", id="empty"),
        pytest.param(["soon", "later"], "holds 'soon', which is no time; use ISO 8601", id="words"),
    ],
)
def test_a_row_without_a_time_has_no_partition(tmp_path: Path, values: list[Any], message: str) -> None:
    pd.DataFrame({"day": values}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(BadData, match=message):
        partition_by(tmp_path / "t.parquet", tmp_path / "m", "day", "month")


@pytest.mark.parametrize("zone", [BERLIN, "+02:00", "Asia/Kolkata", NEW_YORK, "UTC"])
def test_a_whole_month_in_the_columns_zone_is_one_partition(tmp_path: Path, zone: str) -> None:
    times = pd.date_range("2025-04-01", "2025-05-01", freq="h", inclusive="left", tz=zone)
    pd.DataFrame({"t": times}).to_parquet(tmp_path / "april.parquet")
    assert months(tmp_path, tmp_path / "april.parquet") == {"2025-04": 720}
    assert zone_of(tmp_path / "april.parquet", "t") == zone


def test_a_month_with_a_change_of_clocks_is_whole(tmp_path: Path) -> None:
    times = pd.date_range("2025-10-01", "2025-11-01", freq="h", inclusive="left", tz=BERLIN)
    pd.DataFrame({"t": times}).to_parquet(tmp_path / "october.parquet")
    assert months(tmp_path, tmp_path / "october.parquet") == {"2025-10": 31 * 24 + 1}


def test_a_zone_that_is_named_outranks_the_columns_own(tmp_path: Path) -> None:
    times = pd.date_range("2025-04-01", "2025-05-01", freq="h", inclusive="left", tz=BERLIN)
    pd.DataFrame({"t": times.tz_convert("UTC")}).to_parquet(tmp_path / "april.parquet")
    assert months(tmp_path, tmp_path / "april.parquet") == {"2025-03": 2, "2025-04": 718}
    assert months(tmp_path, tmp_path / "april.parquet", BERLIN) == {"2025-04": 720}


def test_offsets_of_a_csv_are_cut_in_utc_or_in_the_zone_that_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "t", "2025-03-30T00:30:00+01:00", "2025-04-01T00:30:00+02:00")
    assert zone_of(path, "t") == "UTC"
    assert months(tmp_path, path) == {"2025-03": 2}
    assert months(tmp_path, path, BERLIN) == {"2025-03": 1, "2025-04": 1}
    assert months(tmp_path, path, NEW_YORK) == {"2025-03": 2}


def test_texts_with_offsets_in_parquet_are_cut_as_those_of_a_csv(tmp_path: Path) -> None:
    texts = ["2025-03-30T00:30:00+01:00", "2025-04-01T00:30:00+02:00"]
    pd.DataFrame({"t": texts}).to_parquet(tmp_path / "t.parquet")
    assert months(tmp_path, tmp_path / "t.parquet") == {"2025-03": 2}
    assert months(tmp_path, tmp_path / "t.parquet", BERLIN) == {"2025-03": 1, "2025-04": 1}


def test_times_without_a_zone_are_taken_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, "t", "2025-03-31 23:30:00", "2025-04-01 00:30:00")
    assert zone_of(path, "t") is None
    assert months(tmp_path, path) == months(tmp_path, path, BERLIN) == {"2025-03": 1, "2025-04": 1}


def test_a_zone_that_there_is_not_is_named(tmp_path: Path) -> None:
    pa_times = pa.array([0], pa.timestamp("us", "Mars/Olympus"))
    pq.write_table(pa.table({"t": pa_times}), tmp_path / "t.parquet")
    with pytest.raises(
        BadData, match=r"column 't' of t.parquet: this machine knows no time zone 'Mars/Olympus'"
    ):
        months(tmp_path, tmp_path / "t.parquet")
