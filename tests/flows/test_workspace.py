"""Five projects on one stack: each arrival is decided by its own model, and none disturbs its neighbours."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.poll import poll
from incumbent.local.environment import environment
from incumbent.params import load_params
from incumbent.storage.dataset.arrivals import add_partitions
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.versions import resolve
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.registry.retrainings import Retrainings
from incumbent.storage.s3.address import open_store
from incumbent.tables.partitions import DataVersion, Diff
from tasks.announcement import Version, announce
from tasks.runs import LEASE_SECONDS
from tests.building import ROOT
from tests.commands import called
from tests.flows.conftest import change, editing, within
from tests.flows.test_watching import eventually
from tests.prefect_api import prefect_api
from tests.storage.clones import identify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a stack of its own, on a busy machine

NAMES = ("north", "east", "south", "west", "centre")
QUICK = {"search": {"trials": 2, "folds": 3}}
# Two projects each have a module `own`. That of the north is slow, so that others come meanwhile.
OWN = """
import time
def features(frame):
    time.sleep({pause})
    return frame[["age"]].assign(**{{"{column}": frame["age"] * 2}})[["{column}"]]
"""
SLOW = {"north": ("doubled_in_the_north", 0.5), "east": ("doubled_in_the_east", 0.0)}


@dataclass(frozen=True)
class Team:
    """A workspace with its stack up, and tables that wait to arrive."""

    root: Path
    tables: Path

    def __getitem__(self, name: str) -> Path:
        return self.root / "shops" / name

    def table(self, name: str, number: int) -> Path:
        """400 customers of a shop, of the same kind each time."""
        path = self.tables / name / f"part-{number}.parquet"
        path.parent.mkdir(exist_ok=True)
        rng = np.random.default_rng([number, *name.encode()])
        age, price = rng.integers(18, 80, 400), rng.random(400) * 100
        buys = rng.random(400) < 1 / (1 + np.exp(-(age - 45) / 8 - (price - 50) / 25))
        columns = {"id": number * 400 + np.arange(400), "age": age, "price": price, "buys": buys.astype(int)}
        pd.DataFrame(columns).to_parquet(path, index=False)
        return path

    def arrive(self, name: str, number: int) -> DataVersion:
        """The next table becomes a version, and an event announces it."""
        version = add_partitions(self[name], [table := self.table(name, number)])
        announce.fn(self[name], Version(version, Diff(added=(table.name,))))
        return version

    def records(self, name: str) -> list[dict[str, Any]]:
        """The decision records of a model, in the order of its runs; those on disk, which cost no request."""
        kept = sorted((self[name] / ".incumbent" / "runs").glob("0*/outcome.json"))
        return [json.loads(each.read_text()) for each in kept]

    def decided(self, name: str, version: DataVersion) -> list[dict[str, Any]]:
        """The decisions on a version, without the records of runs that left it to another."""
        records = (each for each in self.records(name) if each["data"]["md5"] == version.md5)
        return [each for each in records if each["decision"]["kind"] != "skip"]

    def at_work(self, name: str) -> int | None:
        return Retrainings(open_registry(load_params(self[name]), self[name])).at_work(LEASE_SECONDS)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """One stack, started before there was any project in the folder; tests say when to poll."""
    home = tmp_path_factory.mktemp("workspace")
    team = Team(home / "team", home / "tables")
    for folder in (team.root / "shops", team.tables):
        folder.mkdir(parents=True)
    shutil.copyfile(ROOT / "incumbent/cli/templates/project/prefect.yaml", team.root / "prefect.yaml")
    with editing(team.root / "prefect.yaml") as document:
        for deployment in document["deployments"]:
            deployment.pop("schedules", None)
    started = called("up", "--workspace", team.root, project=team.root)
    assert started.code == 0, started.err
    try:
        for name in NAMES:
            made = called(
                "init", "--data", team.table(name, 0), "--target", "buys", "--key", "id", project=team[name]
            )
            assert made.code == 0, made.err
            adjust(team[name])
        with within(environment(team.root)):
            yield team
    finally:
        assert called("down", project=team.root).code == 0


def adjust(project: Path) -> None:
    changes: dict[str, Any] = dict(QUICK)
    if project.name in SLOW:
        column, pause = SLOW[project.name]
        (project / "own.py").write_text(OWN.format(column=column, pause=pause))
        changes["features"] = {"function": "own:features"}
    change(project / "params.yaml", changes)
    identify(project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Search less")


@pytest.fixture(scope="module")
def first(team: Team) -> dict[str, list[dict[str, Any]]]:
    """The records of the first runs, which one look at the workspace started."""
    answer = poll(team.root)
    assert answer == {"projects": 5, "busy": 5, "problems": {}}
    eventually(lambda: all(team.records(name) for name in NAMES), 600)
    return {name: team.records(name) for name in NAMES}


def test_a_member_has_no_stack_of_its_own(team: Team) -> None:
    for name in NAMES:
        assert not (team[name] / "prefect.yaml").exists()
        assert environment(team[name]) == environment(team.root)
        assert git(team[name], "status", "--porcelain") == ""
        assert f"url = s3://incumbent/dvc/{name}\n" in (team[name] / ".dvc" / "config").read_text()


def test_the_doctor_checks_the_stack_and_each_project(team: Team) -> None:
    done = called("doctor", "--json", project=team.root)
    checks = {each["check"]: each for each in done.json["checks"]}
    stack = {"S3", "S3 permissions", "pool cpu", "workers of cpu", "queue retrain", "deployments", "triggers"}
    assert {name for name in stack if checks[name]["state"] != "ok"} == set()
    for name in NAMES:
        assert checks[f"shops/{name}"]["state"] == "warning"
        assert checks[f"shops/{name}"]["says"].startswith("the branch has no upstream")


def test_a_second_dataset_of_one_name_is_refused(team: Team) -> None:
    project = team.root / "elsewhere" / "north"
    done = called("init", "--data", team.table("north", 0), "--target", "buys", project=project)
    assert done.code == 1
    assert f"has a dataset 'north' already, in {team['north']}" in done.err
    assert not project.exists()


def test_each_model_decides_its_own_version_once(team: Team, first: dict[str, list[dict[str, Any]]]) -> None:
    for name in NAMES:
        [record] = first[name]
        assert record["data"]["md5"] == resolve(team[name]).md5
        assert record["challenger"] == "v1", record


def test_modules_of_one_name_are_each_projects_own(team: Team, first: dict[str, Any]) -> None:
    for name, (column, _) in SLOW.items():
        manifest = open_registry(load_params(team[name]), team[name]).manifest("v1")
        assert column in json.dumps(manifest["schema"])
        assert first[name]


def test_of_a_flood_on_one_model_nothing_is_lost_and_no_other_waits_for_its_trainings(
    team: Team, first: dict[str, Any]
) -> None:
    versions = [team.arrive("north", 1)]
    assert eventually(lambda: team.at_work("north"), 60)
    versions += [team.arrive("north", number) for number in (2, 3)]
    other = team.arrive("south", 1)
    assert eventually(lambda: team.decided("north", versions[-1]) and team.decided("south", other), 600)
    assert eventually(lambda: not team.at_work("north"), 60)

    records = team.records("north")
    for version in versions:  # decided, or left to the run that decided a later one
        about = [each for each in records if each["data"]["md5"] == version.md5]
        assert about, version.short
        assert len(team.decided("north", version)) <= 1
    left = [each for each in records if "is retraining 'north'" in " ".join(each["decision"]["reasons"])]
    assert left, records
    assert all(each["decision"]["kind"] == "skip" for each in left)
    began = {name: start(team, name, records_of[-1]) for name, records_of in by_decision(team).items()}
    assert began["south"] < began["north"]


def by_decision(team: Team) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [each for each in team.records(name) if each["decision"]["kind"] != "skip"]
        for name in ("north", "south")
    }


def start(team: Team, name: str, record: dict[str, Any]) -> datetime:
    """When the run of this record began."""
    registry = open_registry(load_params(team[name]), team[name])
    return datetime.fromisoformat(json.loads(registry.read_record(record["run"], "start.json"))["at"])


def test_what_fails_in_one_project_is_told_and_holds_up_no_other(team: Team, first: dict[str, Any]) -> None:
    landing = open_store("s3://incumbent/landing/centre")
    landing.put("part-1.parquet", team.table("centre", 1).read_bytes())
    params = team["west"] / "params.yaml"
    sound = params.read_text()
    params.write_text(sound + "sede: 1\n")
    try:
        answer = poll(team.root)
    finally:
        params.write_text(sound)
    assert list(answer["problems"]) == ["shops/west"]
    assert "unknown key 'sede'" in answer["problems"]["shops/west"]
    assert eventually(lambda: any("'sede'" in each for each in alerts(team)), 60)
    assert not list(landing.list())
    version = resolve(team["centre"])
    assert "part-1.parquet" in version.digests
    assert eventually(lambda: team.decided("centre", version), 300)


def alerts(team: Team) -> list[str]:
    wanted = {"deployments": {"name": {"any_": ["alert"]}}}
    with prefect_api(environment(team.root)) as prefect:
        runs = prefect.post("flow_runs/filter", json=wanted).raise_for_status().json()
    return [
        run["parameters"].get("details", "") for run in runs if "shops/west" in run["parameters"]["subject"]
    ]


def test_monitor_runs_where_something_was_predicted(
    team: Team, first: dict[str, Any], tmp_path: Path
) -> None:
    done = called("score", team.table("south", 9), tmp_path / "out.csv", project=team["south"])
    assert done.code == 0, done.err
    assert poll(team.root)["busy"] == 1
    assert eventually(lambda: (team["south"] / ".incumbent" / "monitored.json").exists(), 60)


def test_once_all_is_seen_to_a_look_finds_nothing(team: Team, first: dict[str, Any]) -> None:
    assert poll(team.root)["busy"] == 0


def test_status_shows_every_model(team: Team, first: dict[str, Any]) -> None:
    done = called("status", "--json", project=team.root)
    assert done.code == 0, done.err
    models = {each["project"]: each for each in done.json["models"]}
    assert sorted(models) == sorted(f"shops/{name}" for name in NAMES)
    assert all(each["decision"]["kind"] != "skip" for each in models.values())
    assert models["shops/north"]["champion"]
    text = called("status", project=team.root).out
    assert all(f"shops/{name}" in text for name in NAMES)
    [alone] = [called("status", "--json", project=team["north"]).json]
    assert (alone["model"], alone["workspace"]) == ("north", str(team.root))


def test_a_member_does_not_stop_the_others_stack(team: Team) -> None:
    done = called("down", project=team["north"])
    assert done.code == 1
    assert f"that of the workspace {team.root}, which 4 other projects use" in done.err
    assert f"incumbent down --project {team.root}" in done.err
