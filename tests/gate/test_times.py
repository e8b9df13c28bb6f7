"""Times beyond the clock, and names that sort otherwise than times, are told when a file arrives."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from incumbent.gate import GateReport, Verdict
from incumbent.gate.sift import sift, without_history
from tests.building import toy_params

PARAMS = toy_params(dataset={"name": "toy", "target": "y", "key": ["id"], "time": "day"})
NOW = pd.Timestamp(datetime.now(UTC)).tz_localize(None).normalize()
YEARS_AHEAD = "column 'day' must not lie more than a year ahead"


def written(folder: Path, name: str, start: pd.Timestamp, zone: str | None = None) -> Path:
    days = pd.date_range(start, periods=25, freq="D", tz=zone)
    path = folder / f"{name}.parquet"
    frame = pd.DataFrame(
        {"id": range(25), "day": days, "x": [n % 7 for n in range(25)], "y": [0, 1] * 12 + [0]}
    )
    frame.to_parquet(path, index=False)
    return path


def by_name(files: Sequence[Path]) -> dict[str, Path]:
    """The latest partitions lie in a cache, under other names."""
    cached = {each.name: each.with_name(f"cached-{each.name}") for each in files}
    return {each.name: each.rename(cached[each.name]) for each in files}


def report_of(path: Path, *recent: Path) -> GateReport:
    return sift(path.name, path, path.parent / "s", [], PARAMS, without_history, by_name(recent)).report


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_month_years_ahead_is_on_probation_until_a_person_says_it_is_right(
    tmp_path: Path, zone: str | None
) -> None:
    past = written(tmp_path, "a", NOW - pd.Timedelta(days=40), zone)
    report = report_of(written(tmp_path, "b", NOW + pd.Timedelta(days=3653), zone), past)
    assert report.verdict is Verdict.PROBATION
    [finding] = report.failed
    assert (finding.expectation, finding.by_person) == (YEARS_AHEAD, True)
    assert f"its times go up to {NOW.year + 10}" in finding.observed


def test_a_week_ahead_only_warns(tmp_path: Path) -> None:
    report = report_of(written(tmp_path, "b", NOW + pd.Timedelta(days=7)))
    [finding] = report.failed
    assert (finding.severity, finding.expectation) == ("warning", "column 'day' should not be in the future")


def test_where_all_times_lie_ahead_one_more_only_warns(tmp_path: Path) -> None:
    past = written(tmp_path, "a", NOW + pd.Timedelta(days=3000))
    assert report_of(written(tmp_path, "b", NOW + pd.Timedelta(days=3030)), past).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("name", "days", "told"),
    [
        pytest.param("ok", 300, "it comes after 2026-03", id="sorts last and is old"),
        pytest.param("2026-03b", 40, None, id="sorts last and is the latest"),
        pytest.param("2026-00", 40, "it comes before 2026-02", id="sorts first and is the latest"),
        pytest.param("2026-02b", 75, None, id="overlaps both"),
        pytest.param("2026-03", 66, None, id="the same partition, corrected"),
    ],
)
def test_a_name_that_sorts_otherwise_than_its_times_is_told(
    tmp_path: Path, name: str, days: int, told: str | None
) -> None:
    recent = [
        written(tmp_path, each, NOW - pd.Timedelta(days=before))
        for each, before in (("2026-02", 90), ("2026-03", 65))
    ]
    (tmp_path / "new").mkdir()
    report = report_of(written(tmp_path / "new", name, NOW - pd.Timedelta(days=days)), *recent)
    reasons = [each for each in report.reasons if "partitions should sort by name as they do by time" in each]
    assert len(reasons) == (told is not None)
    assert all(str(told) in each and "rename the file" in each for each in reasons)
