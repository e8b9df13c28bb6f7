"""A fresh prefix on the real server for every test."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from incumbent.storage.registry import Registry
from incumbent.storage.s3_client import Connection, connect
from incumbent.storage.store import Store
from tests.conftest import BUCKET, S3

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
