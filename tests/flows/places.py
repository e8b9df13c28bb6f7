"""A project made by `incumbent init`, a guest on the stack of the flights; nothing starts by itself in it."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.ingest import ingest
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.new_project import push_what_is_here
from incumbent.storage.dataset.versions import resolve
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Store
from tests.commands import Done, called, typed
from tests.prefect_api import prefect_api
from tests.storage.clones import identify


@dataclass(frozen=True)
class Place:
    """A project made by `init`, its bare origin, and the servers that it uses; nothing trains here."""

    project: Path
    origin: Path
    environment: dict[str, str] = field(repr=False)

    @property
    def landing(self) -> Store:
        return open_store(f"s3://incumbent/landing/{self.project.name}")

    def run(self, *args: str | Path) -> Done:
        """`incumbent ARGS` in this process."""
        return called(*args, project=self.project, **self.environment)

    def typed(self, *args: str | Path) -> Done:
        """The same in a process of its own, as a user types it."""
        return typed(*args, "--project", self.project, **self.environment)

    def partitions(self) -> list[str]:
        git(self.project, "pull", "--quiet", "--ff-only")
        return [partition.name for partition in resolve(self.project).partitions]

    def ingest(self, *files: Path) -> dict[str, Any]:
        """`incumbent ingest FILES` without the command's start."""
        return dict(ingest(self.project, list(files) or None))

    def told_of(self, *revisions: str) -> bool:
        """Once each? The server needs a moment from taking an event to showing it."""
        for _ in range(20):
            events = self.events()
            if set(revisions) <= set(events):
                break
            time.sleep(0.5)
        return [events.count(revision) for revision in revisions] == [1] * len(revisions)

    def events(self) -> list[str]:
        """The revisions that the server was told of, one for each event that it keeps."""
        body = {"filter": {"event": {"name": ["dataset.version.created"]}}, "limit": 50}
        with prefect_api(self.environment) as prefect:
            answer = prefect.post("events/filter", json=body).raise_for_status().json()
        return [event["payload"]["rev"] for event in answer["events"]]


def make_place(home: Path, name: str, servers: dict[str, str], *init: str | Path) -> Place:
    """`incumbent init INIT` in a folder of `home`, pushed to an origin beside it, its data to the remote."""
    project, origin = home / name, home / "origin.git"
    made = called("init", *init, project=project)
    assert made.code == 0, made.err
    git(home, "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    identify(project)
    git(project, "push", "--quiet", "--set-upstream", "origin", "main")
    push_what_is_here(project)
    return Place(project, origin, servers)


def clone(place: Place, path: Path) -> Path:
    git(place.origin, "clone", "--quiet", str(place.origin), str(path))
    identify(path)
    return path
