"""A month of flights with some bad rows: the version lacks them; a person reads why and lets them in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.release import release
from incumbent.errors import BadInput
from incumbent.params import load_params
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.quarantine import open_quarantine
from incumbent.storage.dataset.versions import fetch, resolve
from tests.flows.conftest import Project, within
from tests.flows.places import Place, make_place

BAD = 25
KEY = ("time_hour", "carrier", "flight")
SUITE = {
    "name": "distances",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "distance", "min_value": 0},
            "severity": "critical",
            "meta": {"quarantine": True},
        },
        {
            "type": "expect_compound_columns_to_be_unique",
            "kwargs": {"column_list": list(KEY)},
            "severity": "critical",
            "meta": {"quarantine": True},
        },
    ],
}


@pytest.fixture(scope="module")
def place(
    project: Project, year: dict[int, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """January is in the data; one expectation sets rows aside."""
    key = [word for name in KEY for word in ("--key", name)]
    home = tmp_path_factory.mktemp("quarantine")
    with within(project.environment):
        place = make_place(home, "delays", project.environment, "--data", year[1], "--target", "late", *key)
        (place.project / "expectations" / "delays.json").unlink()
        (place.project / "expectations" / "distances.json").write_text(json.dumps(SUITE))
        yield place


def spoiled(month: Path, path: Path, bad: int = BAD) -> Path:
    """The month with so many negative distances, from its hundredth row on."""
    frame = pd.read_parquet(month)
    frame.loc[100 : 100 + bad - 1, "distance"] = -1.0
    frame.to_parquet(path, index=False)
    return path


def partition(place: Place, name: str) -> pd.DataFrame:
    """As the current version holds it, from the DVC remote."""
    [path] = fetch(place.project, resolve(place.project), [name])
    return pd.read_parquet(path)


def test_bad_rows_are_set_aside_shown_and_released(
    place: Place, year: dict[int, Path], tmp_path: Path
) -> None:
    name = year[2].name
    file = spoiled(year[2], tmp_path / name)
    told = place.run("gate", file, "--json")
    assert (told.code, told.json["verdict"]) == (0, "quarantine"), told.err
    done = place.ingest(file)
    assert (done["verdict"], done["data"]["added"]) == ("quarantine", [name])
    [entry] = done["quarantined"]
    whole = pd.read_parquet(file)
    pd.testing.assert_frame_equal(
        partition(place, name), whole[whole["distance"] >= 0].reset_index(drop=True)
    )

    again = place.ingest(file)
    assert again["data"]["rev"] == done["data"]["rev"]
    assert again["quarantined"] == [entry]
    [listed] = place.run("quarantine", "list", "--json").json
    assert (listed["entry"], listed["partition"], listed["rows"]) == (entry, name, BAD)
    assert f"{BAD} rows" in place.run("quarantine", "list").out
    shown = place.run("quarantine", "show", entry, "--json").json
    assert {row["distance"] for row in shown["first_rows"]} == {"-1"}
    assert "values_to_be_between(column='distance'" in shown["first_rows"][0]["failed_expectations"]

    released = place.run("quarantine", "release", entry, "--reason", "the sign was wrong", "--json")
    assert released.code == 0, released.err
    assert released.json["data"]["changed"] == [name]
    columns = list(whole.columns)
    pd.testing.assert_frame_equal(
        partition(place, name).sort_values(columns, ignore_index=True),
        whole.sort_values(columns, ignore_index=True),
    )
    about = open_quarantine(load_params(place.project)).show(entry)["released"]
    assert (about["reason"], about["rev"]) == ("the sign was wrong", released.json["data"]["rev"])
    twice = place.run("quarantine", "release", entry, "--reason", "again")
    assert (twice.code, "was released by" in twice.err) == (1, True)


def test_rows_of_a_partition_that_was_replaced_stay_where_they_are(
    place: Place, year: dict[int, Path], tmp_path: Path
) -> None:
    name = year[3].name
    [entry] = place.ingest(spoiled(year[3], tmp_path / name))["quarantined"]
    place.ingest(year[3])
    before = git(place.project, "rev-parse", "main")
    done = place.run("quarantine", "release", entry, "--reason", "late")
    assert (done.code, "Traceback" in done.err) == (1, False)
    assert "it was replaced since by" in done.err
    assert git(place.project, "rev-parse", "main") == before


@pytest.mark.parametrize(
    ("step", "month"),
    [
        pytest.param("settle", 4, id="before it could note so"),
        pytest.param("announce", 8, id="before it could send the event"),
    ],
)
def test_a_release_that_died_can_be_repeated_and_its_event_is_not_lost(
    place: Place,
    year: dict[int, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    month: int,
) -> None:
    name, rows = year[month].name, len(pd.read_parquet(year[month]))
    [entry] = place.ingest(spoiled(year[month], tmp_path / name))["quarantined"]

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"flows.release.{step}", dies)
        with pytest.raises(KeyboardInterrupt):
            release(place.project, entry, "first try", tmp_path / "first")
    rev = git(place.project, "rev-parse", "main")
    assert len(partition(place, name)) == rows
    assert rev not in place.events()
    done = release(place.project, entry, "second try", tmp_path / "second")
    assert done["data"]["rev"] == rev
    assert len(partition(place, name)) == rows
    assert place.told_of(rev)
    with pytest.raises(BadInput, match="was released by"):
        release(place.project, entry, "third try", tmp_path / "third")
    assert open_quarantine(load_params(place.project)).show(entry)["released"]["reason"] == "second try"


def test_rows_that_came_before_are_set_aside_and_a_replayed_file_is_blocked(
    place: Place, year: dict[int, Path], tmp_path: Path
) -> None:
    june, july = (pd.read_parquet(year[number]) for number in (6, 7))
    again = [year[1].name, year[6].name]
    files = [tmp_path / year[number].name for number in (6, 7)]
    june.to_parquet(files[0], index=False)
    old = pd.concat([pd.read_parquet(year[1]).head(3), june.tail(4)])
    pd.concat([july, old]).astype({"flight": "float64"}).to_parquet(files[1], index=False)
    done = place.ingest(*files)
    assert (done["verdict"], done["data"]["added"]) == ("quarantine", [file.name for file in files])
    [entry] = done["quarantined"]
    about = open_quarantine(load_params(place.project)).show(entry)
    assert (about["partition"], about["rows"]) == (files[1].name, 7)
    assert f"7 of {len(july) + 7:,} rows" in about["reasons"][0]
    assert f"have keys of {again[0]} (3), {again[1]} (4)" in about["reasons"][0]
    assert len(partition(place, files[1].name)) == len(july)

    replayed = tmp_path / "july-once-more.parquet"
    july.to_parquet(replayed, index=False)
    blocked = place.ingest(replayed)
    assert (blocked["decision"]["kind"], blocked["blocked"]) == ("block", [replayed.name])
    told = f"{len(july):,} of {len(july):,} rows (100.0%) would be set aside"
    assert any(told in reason for reason in blocked["decision"]["reasons"])


def test_a_month_with_too_many_bad_rows_is_blocked_whole(
    place: Place, year: dict[int, Path], tmp_path: Path
) -> None:
    before = resolve(place.project)
    file = spoiled(year[5], tmp_path / year[5].name, bad=len(pd.read_parquet(year[5])) // 10)
    done = place.run("ingest", file, "--json")
    assert (done.code, done.json["blocked"]) == (3, [file.name])
    assert any("gate.max_quarantined = 0.05" in reason for reason in done.json["decision"]["reasons"])
    assert resolve(place.project).md5 == before.md5
