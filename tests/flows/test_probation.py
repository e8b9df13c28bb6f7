"""A month that looks wrong: kept and scored, not trained on; a person or the next month lets it in.

In the order in which it is written.
"""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.end_probation import end_probation
from flows.watch import watch
from incumbent.errors import BadInput
from incumbent.params import load_params
from incumbent.storage.dataset.arrivals import commit_documents, track_all
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.probation import changing, record_at
from incumbent.storage.dataset.versions import resolve
from incumbent.storage.registry.registry import open_registry
from tests.flows.conftest import Project, change, within
from tests.flows.places import Place, clone, make_place
from tests.prefect_api import prefect_api

ROWS = 400
MEAN = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "price", "min_value": 4, "max_value": 6},
    "severity": "warning",
    "meta": {"probation": True},
}


SIZE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "size", "max_value": 100},
    "severity": "critical",
    "meta": {"quarantine": True},
}


def month(folder: Path, number: int, times: float = 1.0, great: int = 0) -> Path:
    """Cheap ones sell, with some noise; prices of 4 to 6, multiplied; some of great size."""
    rng = np.random.default_rng(number)
    price = rng.uniform(4, 6, ROWS)
    sold = price + rng.normal(0, 0.5, ROWS) < 5
    size = np.where(np.arange(ROWS) < great, 1000.0, rng.normal(size=ROWS))
    frame = {"id": number * 10_000 + np.arange(ROWS), "price": times * price, "size": size}
    path = folder / f"2026-{number:02}.parquet"
    pd.DataFrame({**frame, "sold": sold}).to_parquet(path, index=False)
    return path


def name(number: int) -> str:
    return f"2026-{number:02}.parquet"


@pytest.fixture(scope="module")
def place(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Two months are in the data and known to the champion; a mean far from theirs is suspicious."""
    home, first = tmp_path_factory.mktemp("probation"), tmp_path_factory.mktemp("first")
    for number in (1, 2):
        month(first, number)
    with within(project.environment):
        place = make_place(
            home, "sales", project.environment, "--data", first, "--target", "sold", "--key", "id"
        )
        (place.project / "expectations" / "sales.json").unlink()
        (place.project / "expectations" / "own.json").write_text(
            json.dumps({"name": "own", "expectations": [MEAN, SIZE]})
        )
        small = {
            "search": {"trials": 4, "folds": 3},
            "learner": {"rounds": 60},
            "retrain": {"min_rows": 10, "max_drift": 1.0, "max_decay": 1.0, "max_growth": 10.0},
        }
        change(place.project / "params.yaml", small)
        git(place.project, "add", "--all")
        git(place.project, "commit", "--quiet", "--message", "Own expectations, a small search")
        git(place.project, "push", "--quiet")
        first_run = retrained(place)
        assert first_run["champion"], first_run["decision"]
        yield place


def retrained(place: Place, *options: str) -> dict[str, Any]:
    done = place.run("retrain", "--json", *options)
    assert done.code == 0, done.err
    return dict(done.json)


def told(place: Place, number: int) -> list[dict[str, Any]]:
    """What the server was told of probations, the newest first; it needs a moment to show an event."""
    about = {"event": {"name": ["dataset.on-probation"]}, "resource": {"id": ["incumbent.dataset.sales"]}}
    for _ in range(40):
        with prefect_api(place.environment) as prefect:
            answer = prefect.post("events/filter", json={"filter": about, "limit": 50}).raise_for_status()
        if len(events := answer.json()["events"]) >= number:
            break
        time.sleep(0.5)
    return [event["payload"] for event in events]


def test_a_suspicious_month_is_kept_and_people_are_told(place: Place, tmp_path: Path) -> None:
    file = month(tmp_path, 3, times=10)
    asked = place.run("gate", file, "--json")
    assert (asked.code, asked.json["verdict"]) == (0, "probation")
    done = place.run("ingest", file, "--json")
    assert done.code == 0, done.err
    assert (done.json["verdict"], done.json["on_probation"]) == ("probation", [name(3)])
    assert done.json["data"]["added"] == [name(3)]
    assert done.json["reasons"][0].startswith(f"probation: {name(3)}: expect_column_mean_to_be_between(")
    rev = done.json["data"]["rev"]
    assert resolve(place.project, rev).digests[name(3)] == record_at(place.project, rev)[name(3)].md5
    assert place.told_of(rev)
    [event] = told(place, 1)
    assert (event["rev"], event["partitions"]) == (rev, [name(3)])
    assert event["reasons"][0].startswith(f"{name(3)}: expect_column_mean_to_be_between(")

    [listed] = place.run("quarantine", "list", "--json").json
    assert (listed["entry"], listed["kind"], listed["released"]) == (name(3), "probation", None)
    assert "on probation" in place.run("quarantine", "list").out
    assert place.run("quarantine", "show", name(3), "--json").json["reasons"] == listed["reasons"]
    assert f"probation   {name(3)}; why: incumbent quarantine show {name(3)}\n" in place.run("status").out
    assert place.run("status", "--json").json["on_probation"] == [name(3)]


def test_the_same_file_again_is_the_same_version(place: Place, tmp_path: Path) -> None:
    before = resolve(place.project)
    file = month(tmp_path, 3, times=10)
    again = place.ingest(file)
    assert (again["verdict"], again["data"]["rev"]) == ("probation", before.rev)
    said = place.run("ingest", file).out
    assert f"on probation: {name(3)}; kept and scored, not trained on until it is released: incumbent" in said
    assert f"probation: data version {before.short} ({before.rev[:10]}); nothing in it is new" in said


def test_a_run_scores_it_and_trains_nothing(place: Place) -> None:
    done = retrained(place)
    assert (done["verdict"], done["on_probation"]) == ("probation", [name(3)])
    assert (done["plan"]["kind"], done["decision"]["kind"]) == ("skip", "skip")
    [reason] = done["decision"]["reasons"]
    assert reason.startswith(f"{name(3)} is on probation: expect_column_mean_to_be_between(")
    assert reason.endswith(f"release it with 'incumbent quarantine release {name(3)} --reason TEXT'")
    registry = open_registry(load_params(place.project), place.project)
    [score] = registry.scores([name(3)])
    assert (score["run"], score["champion"]["version"]) == (done["run"], done["champion"])
    gate = json.loads(registry.read_record(done["run"], "gate.json"))
    assert gate["on_probation"] == [name(3)]
    assert "run" in retrained(place)["decision"]["reasons"][0]


def test_what_comes_after_it_is_trained_on_without_it(place: Place, tmp_path: Path) -> None:
    assert place.ingest(month(tmp_path, 4))["verdict"] == "pass"
    done = retrained(place)
    assert done["plan"]["kind"] == "incremental", done["plan"]
    assert any(each.startswith(f"{name(3)} is on probation") for each in done["decision"]["reasons"])
    manifest = place.run("models", "show", done["challenger"], "--json").json
    assert set(manifest["data"]["partitions"]) == {name(1), name(2), name(4)}


def test_dvc_repro_leaves_it_out_too(place: Place) -> None:
    gate = place.run("stage", "gate", "--json")
    assert gate.code == 0, gate.err
    assert f"on probation: {name(3)}" in gate.err
    assert gate.json["on_probation"] == [name(3)]
    assert place.run("stage", "plan", "--json").json["partitions"] == [name(1), name(2), name(4)]


def test_two_are_news_and_call_for_a_full_training(place: Place, tmp_path: Path) -> None:
    done = place.ingest(month(tmp_path, 5, times=10))
    assert (done["verdict"], done["on_probation"], done["released"]) == ("warn", [], [name(3)])
    assert f"{name(3)} shows the same: two are news" in done["reasons"][0]
    entry = record_at(place.project)[name(3)]
    assert entry.released is not None
    assert (entry.released.by, entry.released.why) == (f"{name(5)} shows the same", "two are news")
    assert place.run("status", "--json").json["on_probation"] == []
    trained = retrained(place)
    assert trained["plan"]["kind"] == "full"
    assert trained["plan"]["reasons"][0].startswith(f"news: {name(5)} shows the same as {name(3)}: expect_")
    manifest = place.run("models", "show", trained["challenger"], "--json").json
    assert set(manifest["data"]["partitions"]) == {name(number) for number in (1, 2, 3, 4, 5)}


def test_what_was_released_teaches(place: Place, tmp_path: Path) -> None:
    done = place.ingest(month(tmp_path, 6, times=10))
    assert done["verdict"] == "warn"
    assert f"{name(3)} showed the same: {name(5)} shows the same: two are news" in done["reasons"][0]


def test_a_person_releases_and_a_release_that_died_can_be_repeated(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    july = month(tmp_path, 7, times=-10)
    with monkeypatch.context() as patch:
        patch.setattr("flows.ingest.announce_probation", dies)
        with pytest.raises(KeyboardInterrupt):
            place.ingest(july)
    assert place.ingest(july)["on_probation"] == [name(7)]
    # The file of March that came twice was one event.
    assert [each["partitions"] for each in told(place, 2)] == [[name(7)], [name(3)]]
    retrained(place)
    skipped = retrained(place)  # the month before is learned or held; of the data nothing else is left
    before = resolve(place.project)
    with monkeypatch.context() as patch:
        patch.setattr("flows.end_probation.announce", dies)
        with pytest.raises(KeyboardInterrupt):
            end_probation(place.project, name(7), "refunds are booked here now")
    rev = git(place.project, "rev-parse", "main")
    assert rev != before.rev
    assert rev not in place.events()
    done = place.run("quarantine", "release", name(7), "--reason", "again", "--json")
    assert done.code == 0, done.err
    assert (done.json["partition"], done.json["data"]["rev"]) == (name(7), rev)
    assert done.json["released_before"]["why"] == "refunds are booked here now"
    assert done.json["data"]["md5"] == before.md5
    assert place.told_of(rev)
    entry = record_at(place.project)[name(7)]
    assert entry.released is not None
    assert (entry.released.by, entry.released.why) == ("a person: tests", "refunds are booked here now")
    assert git(place.project, "rev-parse", "@{upstream}") == rev

    trained = retrained(place)
    assert trained["run"] > skipped["run"]
    assert trained["challenger"], "the same rows, and yet another decision"
    manifest = place.run("models", "show", trained["challenger"], "--json").json
    assert name(7) in manifest["data"]["partitions"]


def test_nothing_else_is_released(place: Place) -> None:
    fine = place.run("quarantine", "release", name(1), "--reason", "why not")
    assert (fine.code, f"{name(1)} is not on probation; nothing to release" in fine.err) == (1, True)
    none = place.run("quarantine", "release", name(12), "--reason", "why not")
    assert (none.code, f"in the data is called '{name(12)}'" in none.err) == (1, True)
    assert "Flow run" not in none.err
    again = place.run("quarantine", "release", name(3), "--reason", "again")
    assert again.code == 0, again.err
    news = f"{name(3)} is released already ({name(5)} shows the same: two are news): data version "
    assert again.out.startswith(news), again.out


def test_what_a_person_pushed_is_judged_by_the_run_and_released_alike(place: Place, tmp_path: Path) -> None:
    shutil.copyfile(month(tmp_path, 8, times=100), place.project / "data" / name(8))
    track_all(place.project, "By hand")
    done = retrained(place)
    assert done["on_probation"] == [name(8)]
    assert done["decision"]["kind"] == "skip" or name(8) not in str(done["plan"])
    released = place.run("quarantine", "release", name(8), "--reason", "prices are in cents", "--json")
    assert released.code == 0, released.err
    assert record_at(place.project)[name(8)].released is not None
    again = retrained(place)
    assert again["on_probation"] == []
    assert name(8) in place.run("models", "show", again["challenger"], "--json").json["data"]["partitions"]


def test_two_that_a_person_pushed_one_after_the_other_are_news(place: Place, tmp_path: Path) -> None:
    for number in (10, 11):
        shutil.copyfile(month(tmp_path, number, times=0.1), place.project / "data" / name(number))
        track_all(place.project, f"By hand: {number}")
    done = retrained(place, "--dry-run")
    assert done["on_probation"] == []
    assert done["plan"]["kind"] == "full"
    assert done["plan"]["reasons"][0].startswith(f"news: {name(11)} shows the same as {name(10)}: expect_")


def test_watch_notices_a_release_that_somebody_pushed(place: Place, tmp_path: Path) -> None:
    assert place.ingest(month(tmp_path, 9, times=1000))["on_probation"] == [name(9)]
    watch(place.project)
    other = clone(place, tmp_path / "other")
    commit_documents(other, changing(other, {name(9): None}), "Release by hand")
    pushed = git(other, "rev-parse", "HEAD")
    done = watch(place.project)
    assert done["data"]["rev"] == pushed
    assert place.told_of(pushed)
    assert watch(place.project)["data"] is None


def test_rows_that_come_back_from_quarantine_end_no_probation(place: Place, tmp_path: Path) -> None:
    done = place.ingest(month(tmp_path, 9, times=-500, great=3))
    assert (done["verdict"], done["on_probation"]) == ("probation", [name(9)])
    [entry] = done["quarantined"]
    released = place.run("quarantine", "release", entry, "--reason", "they are that great", "--json")
    assert released.code == 0, released.err
    digests = resolve(place.project).digests
    assert record_at(place.project)[name(9)].md5 == digests[name(9)]
    assert place.run("status", "--json").json["on_probation"] == [name(9)]


def test_with_warn_it_is_trained_on_and_with_block_it_is_quarantined(place: Place, tmp_path: Path) -> None:
    params = place.project / "params.yaml"
    before = params.read_text()
    try:
        change(params, {"gate": {"suspicious": "block"}})
        blocked = place.ingest(month(tmp_path, 12, times=-1000))
        assert (blocked["blocked"], blocked["decision"]["kind"]) == ([name(12)], "block")
        change(params, {"gate": {"suspicious": "warn"}})
        warned = place.ingest(month(tmp_path, 12, times=-1000))
        assert (warned["verdict"], warned["on_probation"]) == ("warn", [])
    finally:
        params.write_text(before)
    with pytest.raises(BadInput, match="is not on probation"):
        end_probation(place.project, name(4), "why not")
