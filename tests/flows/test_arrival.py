"""Data arrives: by the landing prefix, by hand, twice, broken, in two clones at once, and under SIGKILL."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.monitor import monitor
from flows.release import release
from flows.watch import watch
from incumbent.errors import BadInput, NotFound
from incumbent.params import load_params
from incumbent.storage.dataset.arrivals import track_all
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.quarantine import open_quarantine
from incumbent.storage.dataset.versions import fetch, resolve
from tests.commands import IDENTITY, typed
from tests.flows.conftest import Project, run_dvc, within
from tests.flows.places import Place, clone, make_place

ROWS = 200


def rows(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(ROWS) + seed * ROWS, "x": rng.normal(size=ROWS).round(4)})
    return frame.assign(kind=rng.choice(["a", "b"], ROWS), y=frame["x"] + rng.normal(size=ROWS) > 0)


@pytest.fixture(scope="module")
def place(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("arrival")
    rows(0).to_csv(home / "2026-01.csv", index=False)
    with within(project.environment):
        init = ("--data", home / "2026-01.csv", "--target", "y", "--key", "id")
        yield make_place(home, "shop", project.environment, *init)


def test_what_landed_becomes_one_version_and_what_is_broken_holds_nobody_up(place: Place) -> None:
    place.landing.put("2026-02.csv", rows(2).to_csv(index=False).encode())
    place.landing.put("2026-03.parquet", rows(3).to_parquet(index=False))
    place.landing.put("2026-04.csv", b"id,x,kind,y\n1,2\n")
    place.landing.put("2026-05.csv", rows(5).drop(columns="x").to_csv(index=False).encode())
    place.landing.put("2026-06.csv.part", b"still on its way")
    done = place.ingest()
    assert done["data"]["added"] == ["2026-02.parquet", "2026-03.parquet"]
    assert sorted(done["blocked"]) == ["2026-04.csv", "2026-05.csv"]
    told = "\n".join(done["decision"]["reasons"])
    assert "2026-04.csv" in told
    assert "Expected Number of Columns: 4 Found: 2" in told
    assert "column 'x' must be as declared: declared as number, and missing in the file" in told
    assert place.partitions() == ["2026-01.parquet", "2026-02.parquet", "2026-03.parquet"]
    assert [found.key for found in place.landing.listing()] == ["2026-06.csv.part"]
    assert place.told_of(done["data"]["rev"])
    kept = open_quarantine(load_params(place.project)).entries()
    assert sorted(each["entry"].partition("-")[2] for each in kept) == ["2026-04.csv", "2026-05.csv"]


def test_a_refused_file_can_be_released_by_a_person(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "2026-07.csv"
    rows(7).assign(id=1).to_csv(file, index=False)  # the key is no key
    assert "2026-07.csv" in place.ingest(file)["blocked"]
    listed = place.run("quarantine", "list", "--json").json
    [entry] = [each["entry"] for each in listed if each["entry"].endswith("2026-07.csv")]
    release(place.project, entry, "ids are reused", tmp_path / "first")
    assert "2026-07.parquet" in place.partitions()
    looked = place.run("retrain", "--dry-run", "--json")
    assert looked.json["verdict"] == "warn", looked.err  # the retraining's gate knows of it
    run_dvc(place.project, place.environment, "pull", "--quiet", "data.dvc")
    staged = place.run("stage", "gate")
    assert staged.code == 0, staged.err  # and that of `dvc repro`
    assert "ids are reused" in (place.project / "pipeline" / "gate.json").read_text()
    done = place.run("quarantine", "release", entry, "--reason", "twice")
    assert (done.code, "Traceback" in done.err) == (1, False)
    assert "was released by" in done.err


def test_the_same_bytes_are_one_partition_and_other_bytes_a_correction(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "2026-08.csv"
    rows(8).to_csv(file, index=False)
    first = place.ingest(file)
    again = place.run("ingest", file)
    assert f"({first['data']['rev'][:10]}); nothing in it is new" in again.out, again.err
    rows(9).to_csv(file, index=False)
    corrected = place.ingest(file)["data"]
    assert (corrected["added"], corrected["changed"]) == ([], ["2026-08.parquet"])
    assert place.told_of(first["data"]["rev"], corrected["rev"])


def test_two_files_for_one_partition_lose_no_rows(place: Place) -> None:
    place.landing.put("north/30.csv", rows(41).to_csv(index=False).encode())
    place.landing.put("south/30.csv", rows(42).to_csv(index=False).encode())
    place.landing.put("one.csv", rows(43).to_csv(index=False).encode())
    time.sleep(1.1)  # S3 tells to the second which came first
    place.landing.put("one.parquet", rows(44).to_parquet(index=False))
    place.landing.put("notes.json", b"{}")
    done = place.ingest()
    assert done["data"]["added"] == ["north-30.parquet", "one.parquet", "south-30.parquet"]
    assert sorted(done["blocked"]) == ["notes.json", "one.parquet"]
    assert any("one.parquet comes from one.csv too" in reason for reason in done["decision"]["reasons"])
    held = [each["entry"].partition("-")[2] for each in open_quarantine(load_params(place.project)).entries()]
    assert {"notes.json", "one.parquet"} <= set(held)


def test_watch_tells_of_what_a_person_pushed_and_of_a_branch_that_was_forced(
    place: Place, tmp_path: Path
) -> None:
    other = clone(place, tmp_path / "scientist")
    (other / "data").mkdir()
    start = git(other, "rev-parse", "HEAD")
    rows(11).to_parquet(other / "data" / "only.parquet", index=False)
    pushed = track_all(other, "By hand").rev
    seen = watch(place.project)
    assert seen["data"]["rev"] == pushed
    assert not seen["data"]["rewound"]
    assert place.told_of(pushed)
    assert watch(place.project)["data"] is None
    git(other, "reset", "--quiet", "--hard", start)
    git(other, "push", "--quiet", "--force")
    assert watch(place.project)["data"]["rewound"]
    assert git(place.project, "rev-parse", "HEAD") == start
    rows(12).to_parquet(tmp_path / "2026-09.parquet", index=False)
    place.ingest(tmp_path / "2026-09.parquet")
    assert "only.parquet" not in place.partitions()  # what was withdrawn does not come back


def test_notify_tells_of_a_revision(place: Place) -> None:
    assert place.told_of(watch(place.project, "HEAD")["data"]["rev"])
    bad = place.run("notify", "--rev", "nowhere")
    assert (bad.code, "Traceback" in bad.err) == (1, False)
    assert "no revision 'nowhere'" in bad.err


def test_two_clones_that_never_pulled_the_data_both_get_theirs_in(place: Place, tmp_path: Path) -> None:
    before = set(place.partitions())
    clones = [clone(place, tmp_path / f"clone-{number}") for number in range(2)]
    files = [tmp_path / f"2027-0{number}.parquet" for number in range(1, 3)]
    for number, file in enumerate(files):
        rows(20 + number).to_parquet(file, index=False)

    def add(clone: Path, file: Path) -> str:
        done = typed("ingest", file, "--project", clone, "--json", **place.environment)
        assert done.code == 0, done.err
        return str(done.json["data"]["rev"])

    with ThreadPoolExecutor() as pool:
        revisions = list(pool.map(add, clones, files))
    assert set(place.partitions()) == before | {file.name for file in files}
    assert len(set(revisions)) == 2
    assert place.told_of(*revisions)


BERLIN = "Europe/Berlin"


def hourly(month: str, seed: int) -> pd.DataFrame:
    """The first 600 hours of a month, as a clock in Berlin shows them."""
    rng = np.random.default_rng(seed)
    times = pd.date_range(f"{month}-01 00:30", periods=600, freq="h", tz=BERLIN)
    frame = pd.DataFrame({"id": np.arange(600) + seed * 600, "at": times, "x": rng.normal(size=600)})
    return frame.assign(y=frame["x"] + rng.normal(size=600) > 0)


@pytest.fixture(scope="module")
def by_month(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Another project on the same stack: three months of Berlin, a partition each."""
    home = tmp_path_factory.mktemp("by-month")
    first = pd.concat([hourly(f"2025-0{number}", number) for number in (1, 2, 3)])
    first.to_parquet(home / "first.parquet", index=False)
    init = ("--data", home / "first.parquet", "--target", "y", "--key", "id", "--time", "at")
    by_month = make_place(home, "by-month", place.environment, *init)
    assert by_month.partitions() == [f"2025-0{n}.parquet" for n in (1, 2, 3)]
    return by_month


def rows_of(place: Place, name: str) -> pd.DataFrame:
    [path] = fetch(place.project, resolve(place.project), [name])
    return pd.read_parquet(path)


def test_a_whole_local_month_is_one_partition(by_month: Place, tmp_path: Path) -> None:
    hourly("2025-04", 4).to_parquet(tmp_path / "april.parquet", index=False)
    done = by_month.ingest(tmp_path / "april.parquet")
    assert (done["data"]["added"], done["data"]["changed"]) == (["2025-04.parquet"], [])


def test_late_rows_are_blocked_with_the_way_in_and_then_join_their_month(
    by_month: Place, tmp_path: Path
) -> None:
    march = hourly("2025-03", 3)
    late = pd.concat([march.head(1).assign(x=0.25), march.tail(1).assign(id=7_000)])
    file = tmp_path / "late.parquet"
    late.to_parquet(file, index=False)
    told = "\n".join(by_month.ingest(file)["decision"]["reasons"])
    assert "2025-03.parquet has 600 rows and would have 2; with landing.partition: month a file" in told
    assert f"midnight in {BERLIN} (landing.zone); if these are late rows, landing.late: append" in told

    params = by_month.project / "params.yaml"
    params.write_text(params.read_text().replace("late: correct", "late: append"))
    more = tmp_path / "more.parquet"
    march.tail(1).assign(id=7_001).to_parquet(more, index=False)
    done = by_month.ingest(file, more)  # two files for one month
    assert (done["verdict"], done["data"]["changed"]) == ("pass", ["2025-03.parquet"])
    month = rows_of(by_month, "2025-03.parquet")
    assert (month["id"].head(600) == march["id"]).all()
    assert month["id"].tail(2).tolist() == [7_000, 7_001]
    assert month["x"].iloc[0] == 0.25
    assert by_month.ingest(file, more)["data"]["rev"] == done["data"]["rev"]


def test_late_rows_pass_the_gate_with_their_month_or_wait_in_quarantine(
    by_month: Place, tmp_path: Path
) -> None:
    params = by_month.project / "params.yaml"
    params.write_text(params.read_text().replace("late: correct", "late: append"))
    before = rows_of(by_month, "2025-02.parquet")
    file = tmp_path / "twice.parquet"
    pd.concat([before.head(1).assign(id=8_000)] * 2).to_parquet(file, index=False)
    blocked = by_month.ingest(file)
    assert blocked["blocked"] == ["twice.parquet"]
    assert "2 of 602 rows" in "\n".join(blocked["decision"]["reasons"])
    [held] = [
        each["entry"]
        for each in open_quarantine(load_params(by_month.project)).entries()
        if each["entry"].endswith("-twice.parquet")
    ]
    release(by_month.project, held, "both are meant", tmp_path / "released")
    assert len(rows_of(by_month, "2025-02.parquet")) == len(before) + 2


def test_folders_arrive_with_the_columns_that_they_name(place: Place, tmp_path: Path) -> None:
    for month in ("2029-01", "2029-02"):
        (tmp_path / "out" / f"month={month}").mkdir(parents=True)
    rows(51).to_csv(tmp_path / "out" / "month=2029-01" / "0.csv", index=False)
    rows(52).to_csv(tmp_path / "out" / "month=2029-02" / "0.csv", index=False)
    done = place.ingest(tmp_path / "out")
    assert done["data"]["added"] == ["month=2029-01-0.parquet", "month=2029-02-0.parquet"]
    place.landing.put("month=2029-03/0.csv", rows(53).to_csv(index=False).encode())
    assert place.ingest()["data"]["added"] == ["month=2029-03-0.parquet"]


KILLS = [
    ("flows.ingest", "quarantine_blocked", "after"),
    ("incumbent.storage.dataset.arrivals", "push", "before"),
    ("incumbent.storage.dataset.arrivals", "push", "after"),
    ("flows.ingest", "announce", "after"),
]


def test_rows_without_a_label_get_theirs_by_the_key(place: Place, tmp_path: Path) -> None:
    frame, file = rows(20), tmp_path / "2027-01.parquet"
    empty = np.arange(ROWS) % 2 == 0
    frame.assign(y=frame["y"].astype(object).mask(empty, None)).to_parquet(file, index=False)
    done = place.ingest(file)
    assert (done["verdict"], done["unlabelled"]) == ("pass", ROWS // 2)
    frame.loc[empty, ["id", "y"]].to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(NotFound, match="no champion yet"):  # there are no predictions to judge either
        monitor(place.project, [tmp_path / "labels.csv"])
    version = resolve(place.project)
    assert version.rev != done["data"]["rev"]
    [path] = fetch(place.project, version, [file.name])
    assert pd.read_parquet(path)["y"].tolist() == frame["y"].tolist()
    assert place.told_of(version.rev)
    assert not list((place.project / ".incumbent" / "arrivals").iterdir())


def test_labels_of_no_known_class_stop_at_the_door_and_nobody_lets_them_pass(
    place: Place, tmp_path: Path
) -> None:
    file = tmp_path / "2027-05.parquet"
    rows(61).assign(y=np.resize(["yes", "YES", "no"], ROWS)).to_parquet(file, index=False)
    params = place.project / "params.yaml"
    before = params.read_text()
    try:
        params.write_text(
            before.replace('"y": boolean', '"y": text')
            .replace("positive: true", "positive: yes")
            .replace("classes: [false, true]", "classes: [no, yes]")
        )
        done = place.ingest(file)
        [reason] = [each for each in done["decision"]["reasons"] if each.startswith("critical")]
        assert "2027-05.parquet" in reason
        assert f"y holds 'YES' in {ROWS // 3 + 1} rows; known: 'no', 'yes'" in reason
        held = open_quarantine(load_params(place.project)).entries()
        [entry] = [each["entry"] for each in held if each["entry"].endswith(file.name)]
        with pytest.raises(BadInput, match="can't be released as it is"):
            release(place.project, entry, "it looks fine", tmp_path / "out")
    finally:
        params.write_text(before)
    assert file.name not in place.partitions()


def test_a_run_that_is_killed_anywhere_loses_and_doubles_nothing(place: Place, tmp_path: Path) -> None:
    waiting = [each.key for each in place.landing.listing()]
    place.landing.put("2028-01.csv", rows(31).to_csv(index=False).encode())
    place.landing.put("2028-02.csv", b"no,table\n1\n")
    before, kept = place.partitions(), open_quarantine(load_params(place.project)).entries()
    runner = tmp_path / "runner.py"
    runner.write_text(RUNNER)
    for kill in KILLS:
        died = subprocess.run(
            [sys.executable, runner, place.project, *kill],
            env={**os.environ, **IDENTITY}, capture_output=True, check=False,
        )  # fmt: skip
        assert died.returncode == -9, died.stderr.decode()[-2000:]
        assert "2028-01.csv" in [each.key for each in place.landing.listing()]
    assert place.ingest()["blocked"] == ["2028-02.csv"]
    assert place.partitions() == sorted([*before, "2028-01.parquet"])
    assert git(place.project, "status", "--porcelain", "--untracked-files=no") == ""
    assert [each.key for each in place.landing.listing()] == waiting
    assert len(open_quarantine(load_params(place.project)).entries()) == len(kept) + 1
    assert place.told_of(git(place.project, "rev-parse", "HEAD"))


RUNNER = textwrap.dedent(
    """
    import importlib, os, signal, sys
    from pathlib import Path
    from incumbent.cli.options import enter

    project, module, name, when = enter(Path(sys.argv[1])), *sys.argv[2:]
    from flows.ingest import ingest
    there = importlib.import_module(module)
    real = getattr(there, name)

    def dies(*args):
        if when == "after":
            real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(there, name, dies)
    ingest(project)
    """
)
