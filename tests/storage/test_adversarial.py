"""Somebody spoils what the registry keeps: refused by name, the champion stays, nothing is left behind."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from incumbent.errors import BadInput, BadParams, IncumbentError, NotFound, Tampered
from incumbent.storage.registry.registry import Champion, Registry
from tests.storage.conftest import Publish

MODEL, MANIFEST = "flights/versions/b/model.txt", "flights/versions/b/manifest.json"
TOMBSTONE = "flights/versions/b/tombstone.json"


def put(key: str, body: bytes) -> Callable[[Registry], None]:
    return lambda registry: registry.store.put(key, body)


def remove(key: str) -> Callable[[Registry], None]:
    return lambda registry: registry.store.delete(key)


def copy(source: str, target: str) -> Callable[[Registry], None]:
    return lambda registry: registry.store.put(target, registry.store.get(source).body)


def edit(key: str, change: Callable[[dict], object]) -> Callable[[Registry], None]:  # type: ignore[type-arg]
    def do(registry: Registry) -> None:
        document = json.loads(registry.store.get(key).body)
        change(document)
        registry.store.put(key, json.dumps(document).encode())

    return do


def list_as(**listing: object) -> Callable[[Registry], None]:
    return edit(MANIFEST, lambda manifest: manifest["files"]["model.txt"].update(listing))


DAMAGES = [
    pytest.param(put(MODEL, b"B"), Tampered, "model.txt is not what was published", id="flipped bit"),
    pytest.param(put(MODEL, b""), Tampered, "it has 0 bytes", id="emptied"),
    pytest.param(put(MODEL, b"bb"), Tampered, "it has 2 bytes", id="bytes appended"),
    pytest.param(remove(MODEL), Tampered, "model.txt is missing, though", id="file missing"),
    pytest.param(
        copy("flights/versions/a/model.txt", MODEL), Tampered, "is not what was", id="another version's file"
    ),
    pytest.param(
        copy("flights/versions/a/manifest.json", MANIFEST),
        Tampered,
        "is not the manifest of version 'b'",
        id="another version's manifest",
    ),
    pytest.param(list_as(size=2), Tampered, "the manifest says 2 bytes", id="size edited"),
    pytest.param(list_as(sha256="0" * 64), Tampered, "is not what was published", id="digest edited"),
    pytest.param(list_as(sha256="Z" * 64), Tampered, "lists a file that incumbent never", id="no digest"),
    pytest.param(
        edit(MANIFEST, lambda manifest: manifest.update(files={"../../x.txt": {}})),
        Tampered,
        "lists a file that incumbent never",
        id="path out of the folder",
    ),
    pytest.param(edit(MANIFEST, lambda manifest: manifest.pop("files")), Tampered, "files:", id="no files"),
    pytest.param(
        edit(MANIFEST, lambda manifest: manifest.update(parent=7)), Tampered, "parent:", id="parent no name"
    ),
    pytest.param(put(MANIFEST, b'{"format": 1'), Tampered, "is not the JSON", id="manifest truncated"),
    pytest.param(put(MANIFEST, b"<html>"), Tampered, "is not the JSON", id="manifest a web page"),
    pytest.param(put(MANIFEST, b"\x80\x04]."), Tampered, "is not the JSON", id="manifest a pickle"),
    pytest.param(put(MANIFEST, b"[" * 100_000), Tampered, "is not the JSON", id="manifest a nesting bomb"),
    pytest.param(
        edit(MANIFEST, lambda manifest: manifest.update(format=2)), BadInput, "upgrade", id="newer format"
    ),
    pytest.param(remove(MANIFEST), NotFound, "no version 'b'", id="manifest missing"),
]


@pytest.fixture
def champion(registry: Registry, publish: Publish) -> Champion:
    """c, which replaced b, which replaced a."""
    for version in "abc":
        publish(version)
        registry.promote(version, registry.start_run({}), registry.champion(), "")
    current = registry.champion()
    assert current is not None
    return current


@pytest.mark.parametrize(("damage", "error", "message"), DAMAGES)
def test_a_spoilt_version_is_refused_by_everybody(
    damage: Callable[[Registry], None],
    error: type[IncumbentError],
    message: str,
    registry: Registry,
    champion: Champion,
    tmp_path: Path,
) -> None:
    damage(registry)
    folder = tmp_path / "pulled"
    for use in (
        lambda: registry.pull("b", folder),
        lambda: registry.verify("b"),
        lambda: registry.force("b", "I want it"),
        lambda: registry.rollback(None, "c is bad"),
        lambda: registry.rollback("b", "c is bad"),
    ):
        with pytest.raises(error, match=message):
            use()
    assert registry.champion() == champion == registry.history()[-1]
    assert not folder.exists() or list(folder.iterdir()) == []
    (problem,) = registry.problems()
    assert "/versions/b/" in problem


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "model.bin", "model.txt.pickle"])
def test_a_format_that_runs_code_is_not_published(name: str, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04].")
    with pytest.raises(BadParams, match="is no format that is safe to open"):
        registry.publish("a", {name: tmp_path / name}, {})
    assert list(registry.store.list()) == []


def test_a_marked_version_is_not_promoted_and_its_name_stays_burnt(
    registry: Registry, champion: Champion, publish: Publish
) -> None:
    publish("d")
    publish("e", created="2026-11-02T00:00:00+00:00")
    registry.gc(1)
    run = registry.start_run({})
    for attempt in (lambda: registry.promote("d", run, champion, ""), lambda: registry.force("d", "please")):
        with pytest.raises(NotFound, match=r"'d' is marked for deletion .*/d/tombstone.json"):
            attempt()
    registry.gc(1, grace=timedelta(0))
    for text in ("d", "other bytes"):
        with pytest.raises(NotFound, match="'d' is deleted"):
            publish("d", text)
    assert registry.champion() == champion
