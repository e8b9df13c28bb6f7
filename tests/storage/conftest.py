"""A fresh prefix on the real server for every test."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incumbent.storage.dataset.arrivals import track_all
from incumbent.storage.dataset.git import git
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.client import Connection, connect
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET, S3
from tests.storage.clones import identify, partition
from tests.storage.faulty_proxy import Faults, faulty_proxy

Publish = Callable[..., dict[str, object]]
CREATED = "2026-11-01T00:00:00+00:00"
REMOTE = "dvc-of-clones"
"""The prefix of DVC's remote. Whoever spoils bytes there spoils some that no other test reads."""


@pytest.fixture(scope="session")
def connection(s3: S3) -> Connection:
    """Clients are slow to make and stateless: one pair for all tests."""
    return connect()


@pytest.fixture
def store(connection: Connection) -> Store:
    """An empty store."""
    return Store(BUCKET, f"{uuid.uuid4().hex}/registry", connection)


@pytest.fixture(scope="module")
def proxied(s3: S3) -> Iterator[tuple[Faults, Connection]]:
    """The proxy, and clients through it whose timeouts are short enough for a test."""
    with faulty_proxy(s3.endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setattr("incumbent.storage.s3.client.READ_TIMEOUT", 2)
        yield proxy, connect({**s3.environment, "AWS_ENDPOINT_URL": proxy.endpoint})


@pytest.fixture
def faults(proxied: tuple[Faults, Connection]) -> Faults:
    """The faults of this test, and what the proxy served."""
    proxied[0].coming.clear()
    proxied[0].served.clear()
    return proxied[0]


@pytest.fixture
def shaky(proxied: tuple[Faults, Connection], store: Store) -> Store:
    """The same place as `store`, seen through the proxy."""
    return Store(store.bucket, store.root, proxied[1])


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


@pytest.fixture(scope="session")
def first_version(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository with a first version of two partitions."""
    home = tmp_path_factory.mktemp("first-version")
    bare, first = home / "origin.git", home / "first"
    bare.mkdir()
    git(bare, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(bare, "clone", "--quiet", str(bare), str(first))
    identify(first)
    (first / ".dvc").mkdir()
    (first / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    autostage = true\n    remote = store\n"
        f"['remote \"store\"']\n    url = s3://{BUCKET}/{REMOTE}\n"
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
def origin(first_version: Path, tmp_path: Path) -> Path:
    """The first version's repository, for this test alone; its DVC remote is every test's."""
    bare = tmp_path / "origin.git"
    shutil.copytree(first_version, bare)
    return bare


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone that never pulled any data."""
    path = tmp_path / "clone"
    git(origin, "clone", "--quiet", str(origin), str(path))
    identify(path)
    return path
