"""A project made by `incumbent init`, with its stack up and nothing that trains in it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flows.ingest import ingest
from incumbent.local import stack
from incumbent.local.environment import environment
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.versions import resolve
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Store
from tests.flows.conftest import within
from tests.flows.test_init import incumbent
from tests.prefect_api import prefect_api


@dataclass(frozen=True)
class Place:
    """A project made by `init`, its bare origin, and its stack; nothing trains here."""

    project: Path
    origin: Path
    environment: dict[str, str] = field(repr=False)

    @property
    def landing(self) -> Store:
        return open_store("s3://incumbent/landing/shop")

    def partitions(self) -> list[str]:
        git(self.project, "pull", "--quiet", "--ff-only")
        return [partition.name for partition in resolve(self.project).partitions]

    def ingest(self, *files: Path) -> dict[str, Any]:
        """`incumbent ingest FILES` without the command's start."""
        return dict(ingest(self.project, list(files) or None))

    def told_of(self, *revisions: str) -> bool:
        """Once each? The server needs a moment from taking an event to showing it."""
        for _ in range(20):
            seen = self.events()
            if set(revisions) <= set(seen):
                break
            time.sleep(0.5)
        return [seen.count(revision) for revision in revisions] == [1] * len(revisions)

    def events(self) -> list[str]:
        """The revisions that the server was told of, one for each event that it keeps."""
        body = {"filter": {"event": {"name": ["dataset.version.created"]}}, "limit": 50}
        with prefect_api(self.environment) as prefect:
            answer = prefect.post("events/filter", json=body).raise_for_status().json()
        return [event["payload"]["rev"] for event in answer["events"]]


@contextmanager
def opened(home: Path, *init: str | Path) -> Iterator[Place]:
    """`incumbent init INIT` in a folder of `home`, pushed to an origin beside it, then `incumbent up`."""
    project, origin = home / "shop", home / "origin.git"
    made = incumbent("init", *init, "--project", project)
    assert made.returncode == 0, made.stderr
    _without_deployments(project)
    git(home, "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    for name, value in (("user.name", "tests"), ("user.email", "tests@incumbent.invalid")):
        git(project, "config", name, value)
    git(project, "push", "--quiet", "--set-upstream", "origin", "main")
    up = incumbent("up", "--project", project)
    assert up.returncode == 0, up.stderr
    try:
        with within(environment(project)):
            yield Place(project, origin, environment(project))
    finally:
        stack.down(project, print)


def clone(place: Place, path: Path) -> Path:
    git(place.origin, "clone", "--quiet", str(place.origin), str(path))
    for name, value in (("user.name", "tests"), ("user.email", "tests@incumbent.invalid")):
        git(path, "config", name, value)
    return path


def _without_deployments(project: Path) -> None:
    """Only what never starts by itself."""
    yaml = YAML()
    deployed = yaml.load((project / "prefect.yaml").read_text())
    deployed["deployments"] = [each for each in deployed["deployments"] if each["name"] == "watch"]
    deployed["deployments"][0]["schedules"] = []
    with (project / "prefect.yaml").open("w") as stream:
        yaml.dump(deployed, stream)
    git(project, "commit", "--quiet", "--all", "--message", "Nothing starts by itself")
