"""A fresh prefix on the real server for every test."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from incumbent.storage.dataset.arrivals import track_all
from incumbent.storage.dataset.git import git
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.client import Connection, connect
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET, S3
from tests.storage.clones import identify, partition

Publish = Callable[..., dict[str, object]]
CREATED = "2026-11-01T00:00:00+00:00"


@pytest.fixture(scope="session")
def connection(s3: S3) -> Connection:
    """Clients are slow to make and stateless: one pair for all tests."""
    return connect()


@pytest.fixture
def store(connection: Connection) -> Store:
    """An empty store."""
    return Store(BUCKET, f"{uuid.uuid4().hex}/registry", connection)


@pytest.fixture
def registry(store: Store) -> Registry:
    """An empty registry."""
    return Registry(store, "flights")


@pytest.fixture
def publish(registry: Registry, tmp_path: Path) -> Publish:
    """Publish a version with a small file whose content is the version's name, or `text`."""

    def do(
        version: str, text: str | None = None, created: str = CREATED, **more: object
    ) -> dict[str, object]:
        model = tmp_path / f"{version}.txt"
        model.write_text(text or version)
        about = {"learner": "lightgbm", "created": created, **more}
        return registry.publish(version, {"model.txt": model}, about)

    return do


@pytest.fixture
def origin(s3: S3, tmp_path: Path) -> Path:
    """A bare repository with a first version of two partitions; its DVC remote is a fresh prefix."""
    bare, first = tmp_path / "origin.git", tmp_path / "first"
    bare.mkdir()
    git(bare, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(bare, "clone", "--quiet", str(bare), str(first))
    identify(first)
    (first / ".dvc").mkdir()
    (first / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    autostage = true\n    remote = store\n"
        f"['remote \"store\"']\n    url = s3://{BUCKET}/dvc-{tmp_path.name}\n"
    )
    (first / ".gitignore").write_text(".incumbent/\n")
    git(first, "add", "--all")
    git(first, "commit", "--quiet", "--message", "Start")
    git(first, "push", "--quiet", "--set-upstream", "origin", "main")
    for month in (1, 2):
        (first / "data").mkdir(exist_ok=True)
        partition(first / "data", month)
    track_all(first, "First version")
    return bare


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone that never pulled any data."""
    path = tmp_path / "clone"
    git(origin, "clone", "--quiet", str(origin), str(path))
    identify(path)
    return path
