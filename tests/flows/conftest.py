"""A project of its own on a local stack of its own, with real flights; the commands as a user types them."""

import json
import os
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
from incumbent.storage.dataset.arrivals import track_all
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from ruamel.yaml import YAML

from incumbent.demo.flights import load_flights, write_months
from incumbent.local import stack
from incumbent.local.environment import environment
from incumbent.storage.dataset.git import git
from tests.prefect_api import prefect_api

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
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """A project with its stack up; `months` are real flights, by month from 1."""

    path: Path
    months: dict[int, Path]
    environment: dict[str, str] = field(repr=False)

    def run(self, *args: str | Path, **changes: str) -> Done:
        """`incumbent ARGS` in a process of its own, with some variables changed."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PREFECT_"))}
        done = subprocess.run(
            [sys.executable, "-m", "incumbent", *map(str, args), "--project", str(self.path)],
            env={**own, **changes},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

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
def running(home: Path, **changes: dict[str, Any]) -> Iterator[Project]:
    """A project with its stack up, its parameters changed; only January is in the data."""
    origin, path = home / "origin.git", home / "flights"
    origin.mkdir()
    git(origin, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(origin, "clone", "--quiet", str(origin), str(path))
    _fill(path, changes)
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", "Start")
    git(path, "push", "--quiet", "--set-upstream", "origin", "main")
    months = write_months(load_flights(), home / "months")
    stack.up(path, print)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(path).items():
                patch.setenv(name, value)
            (path / "data").mkdir()
            shutil.copyfile(months[0], path / "data" / months[0].name)
            track_all(path, "Add January")
        yield Project(path, dict(enumerate(months, start=1)), environment(path))
    finally:
        stack.down(path, print)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Only January is in the data; February to April wait to arrive."""
    with running(tmp_path_factory.mktemp("project")) as project:
        yield project


@pytest.fixture(scope="session")
def first(project: Project) -> dict[str, Any]:
    """The first champion, made by hand."""
    done = project.run("retrain", "--json")
    assert done.code == 0, done.err
    return dict(done.json)


@pytest.fixture(scope="session")
def arrival(project: Project, first: dict[str, Any]) -> dict[str, Any]:
    """February arrives; the decision of the run that its event started on a worker."""
    done = project.run("ingest", project.months[2], "--json")
    assert done.code == 0, done.err
    return wait_for_decision(project, done.json["data"]["rev"])


@contextmanager
def within(variables: dict[str, str]) -> Iterator[None]:
    """A stack is this process's, too. Prefect's senders stay with the server that they were made for."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        named = (PREFECT_API_URL, PREFECT_API_AUTH_STRING)
        with temporary_settings({setting: variables[setting.name] for setting in named}):
            try:
                yield
            finally:
                EventsWorker.drain_all()
                APILogWorker.drain_all()


@pytest.fixture
def inside(project: Project) -> Iterator[Project]:
    """The project's stack is also this process's."""
    with within(project.environment):
        yield project


def run_dvc(project: Path, environment: dict[str, str], *args: str) -> None:
    """DVC's own command, as a user would type it, with this interpreter's programs first on PATH."""
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
    yaml = YAML()
    params = yaml.load((REPOSITORY / "params.yaml").read_text())
    for section, values in (*SMALL.items(), *changes.items()):
        params[section].update(values)
    with (path / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    deployed = yaml.load((path / "prefect.yaml").read_text())
    for deployment in deployed["deployments"]:
        if "arrival" in deployment["tags"]:
            deployment["schedules"] = []  # tests say themselves when it is time to look
    with (path / "prefect.yaml").open("w") as stream:
        yaml.dump(deployed, stream)
    git(path, "config", "user.name", "tests")
    git(path, "config", "user.email", "tests@incumbent.invalid")
