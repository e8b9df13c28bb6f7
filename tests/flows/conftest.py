"""Real flights in a project on the local stack that all flows share; other projects are guests on it."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from ruamel.yaml import YAML

from incumbent.demo.flights import load_flights, write_months
from incumbent.local import processes, stack
from incumbent.local.environment import environment
from incumbent.storage.dataset.arrivals import track_all
from incumbent.storage.dataset.git import git
from tests.commands import Done, called, prefect_at, typed
from tests.prefect_api import prefect_api
from tests.storage.clones import identify

REPOSITORY = Path(__file__).parents[2]
PARTS = [
    "expectations",
    "prefect.yaml",
    "dvc.yaml",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
]
# The demo's own parameters with a smaller search: the tests are about the joints, not the score.
SMALL = {
    "search": {"trials": 2, "folds": 3},
    "learner": {"rounds": 40},
    "promotion": {"window": 2},
    "retrain": {"max_decay": 0.2, "max_growth": 2.0},
}


@dataclass(frozen=True)
class Project:
    """A project with its stack up; `months` are real flights, by month from 1."""

    path: Path
    months: dict[int, Path]
    environment: dict[str, str] = field(repr=False)

    def run(self, *args: str | Path, **changes: str) -> Done:
        """`incumbent ARGS` in this process, with some variables changed."""
        return called(*args, project=self.path, **changes)

    def typed(self, *args: str | Path, **changes: str) -> Done:
        """The same in a process of its own, as a user types it."""
        return typed(*args, "--project", self.path, **changes)

    def git(self, *args: str) -> str:
        return git(self.path, *args)

    def api(self, path: str, body: dict[str, Any]) -> Any:
        with prefect_api(self.environment) as prefect:
            return prefect.post(path, json=body).raise_for_status().json()

    @cached_property
    def s3(self) -> Any:
        """The AWS client, pointed at the local S3."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )

    def listing(self, prefix: str = "registry/") -> list[str]:
        """What the AWS client lists in the bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="incumbent", Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def champion(self) -> str:
        """The version in office."""
        found = self.s3.get_object(Bucket="incumbent", Key="registry/flights/champion.json")
        return str(json.loads(found["Body"].read())["version"])

    def trace(self) -> tuple[str, str, list[str], bytes]:
        """What a refusal must leave as it was: branch, work tree, versions, champion."""
        versions = [key for key in self.listing() if "/versions/" in key]
        champion = self.s3.get_object(Bucket="incumbent", Key="registry/flights/champion.json")
        return (
            self.git("rev-parse", "main"),
            self.git("status", "--porcelain"),
            versions,
            champion["Body"].read(),
        )

    def branch_with(self, name: str, *files: Path) -> str:
        """A data version as a person makes one without `incumbent`; returns its branch."""
        start = self.git("rev-parse", "--abbrev-ref", "HEAD")
        self.git("checkout", "--quiet", "-b", name)
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in self.environment.items():
                patch.setenv(variable, value)
            (self.path / "data").mkdir(exist_ok=True)
            for tracked in (self.path / "data").iterdir():
                tracked.unlink()
            for file in files:
                shutil.copyfile(file, self.path / "data" / file.name)
            track_all(self.path, f"Only {', '.join(file.name for file in files)}")
        self.git("checkout", "--quiet", start)
        shutil.rmtree(self.path / "data")
        return name


@contextmanager
def running(home: Path, months: dict[int, Path], **changes: dict[str, Any]) -> Iterator[Project]:
    """A project with its stack up, its parameters changed; only January is in the data."""
    origin, path = home / "origin.git", home / "flights"
    origin.mkdir()
    git(origin, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(origin, "clone", "--quiet", str(origin), str(path))
    _fill(path, changes)
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", "Start")
    git(path, "push", "--quiet", "--set-upstream", "origin", "main")
    stack.up(path, print)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(path).items():
                patch.setenv(name, value)
            (path / "data").mkdir()
            shutil.copyfile(months[1], path / "data" / months[1].name)
            track_all(path, "Add January")
        yield Project(path, months, environment(path))
    finally:
        stack.down(path, print)
        assert not processes.strays(stack.Stack(path.resolve())), "a process outlived 'down'"


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """All flights of 2013, a file a month, by month from 1."""
    written = write_months(load_flights(), tmp_path_factory.mktemp("months"))
    return dict(enumerate(written, start=1))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, year: dict[int, Path]) -> Iterator[Project]:
    """Only January is in the data; February to April wait to arrive."""
    with running(tmp_path_factory.mktemp("project"), year) as project:
        yield project


@pytest.fixture(scope="session")
def first(project: Project) -> dict[str, Any]:
    """The first champion, made by hand."""
    done = project.typed("retrain", "--json")
    assert done.code == 0, done.err
    return dict(done.json)


@pytest.fixture(scope="session")
def arrival(project: Project, first: dict[str, Any]) -> dict[str, Any]:
    """February arrives; the decision of the run that its event started on a worker."""
    done = project.typed("ingest", project.months[2], "--json")
    assert done.code == 0, done.err
    return wait_for_decision(project, done.json["data"]["rev"])


@contextmanager
def within(variables: dict[str, str]) -> Iterator[None]:
    """A stack is this process's, too."""
    with pytest.MonkeyPatch.context() as patch, prefect_at(variables):
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def inside(project: Project) -> Iterator[Project]:
    """The project's stack is also this process's."""
    with within(project.environment):
        yield project


def run_dvc(project: Path, environment: dict[str, str], *args: str) -> str:
    """What DVC's own command prints, as a user types it, this interpreter's programs first on PATH."""
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args],
        cwd=project,
        env={**environment, "PATH": path, "HOME": str(project)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for_decision(project: Project, rev: str, seconds: float = 120) -> dict[str, Any]:
    """The outcome of the run on this data revision that an event started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for file in (project.path / ".incumbent" / "runs").glob("*/outcome.json"):
            outcome = json.loads(file.read_text())
            started_by_event = outcome["started_by"].startswith("event ")
            if outcome["data"]["rev"] == rev and started_by_event:
                return dict(outcome)
        time.sleep(0.5)
    raise AssertionError(f"no decision on {rev} in {seconds} s; see {project.path}/.incumbent/logs")


def _fill(path: Path, changes: dict[str, dict[str, Any]]) -> None:
    for name in PARTS:
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = REPOSITORY / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
    shutil.copyfile(REPOSITORY / "params.yaml", path / "params.yaml")
    change(path / "params.yaml", SMALL)
    change(path / "params.yaml", changes)
    ignore_guests(path / "prefect.yaml")
    identify(path)


@contextmanager
def edited(project: Project, **sections: Any) -> Iterator[None]:
    """params.yaml with other values, as an edit of the user's that is taken back."""
    params = project.path / "params.yaml"
    before = params.read_text()
    change(params, sections)
    try:
        yield
    finally:
        params.write_text(before)


def change(params: Path, sections: dict[str, Any]) -> None:
    """Give the file other values; of a section, those that are named."""
    with editing(params) as tree:
        for name, values in sections.items():
            if isinstance(values, dict):
                tree.setdefault(name, {}).update(values)
            else:
                tree[name] = values


@contextmanager
def editing(file: Path) -> Iterator[Any]:
    """What a YAML file holds, to be changed; written back with its comments."""
    yaml = YAML()
    document = yaml.load(file.read_text())
    yield document
    with file.open("w") as stream:
        yaml.dump(document, stream)


def ignore_guests(deployments: Path) -> None:
    """What other projects announce starts nothing, nor does the clock: tests say what runs when."""
    with editing(deployments) as document:
        for deployment in document["deployments"]:
            deployment.pop("schedules", None)
            for trigger in deployment.get("triggers", ()):
                resource = trigger["match"]["prefect.resource.id"]
                if resource in ("incumbent.dataset.*", "incumbent.model.*"):
                    trigger["match"]["prefect.resource.id"] = resource.replace("*", "flights")
