"""Who looks at the champion again asks S3 one thing, and hears nothing new if nothing is."""

from pathlib import Path

import pytest

from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.model_cache import champion_cached, pull_cached
from tests.storage.conftest import Publish

Seen = list[tuple[str, int]]


@pytest.fixture
def seen(registry: Registry) -> Seen:
    """Each request's method with its answer's status."""
    calls: Seen = []
    for client in (registry.store._s3.reads, registry.store._s3.writes):

        def note(http_response, model, **_):  # type: ignore[no-untyped-def]
            calls.append((model.http["method"], http_response.status_code))
            assert http_response.status_code != 304 or http_response.content == b""

        client.meta.events.register("after-call.s3", note)
    return calls


@pytest.fixture
def office(registry: Registry, publish: Publish) -> Registry:
    """Version a in office, b published."""
    for version in "ab":
        publish(version)
    registry.promote("a", registry.start_run({}), None, "")
    return registry


def load(office: Registry, folder: Path) -> str:
    """Champion and files, as a service would at each look."""
    champion = champion_cached(folder, office)
    assert champion == office.history()[-1]
    return (pull_cached(folder, office, champion.version)[0] / "model.txt").read_text()


def test_a_known_champion_costs_one_request_without_a_body(office: Registry, seen: Seen) -> None:
    known = office.champion()
    seen.clear()
    assert office.champion(known) is not None
    assert office.champion(known) == known
    assert seen == [("GET", 304)] * 2
    office.promote("b", office.start_run({}), known, "")
    assert office.champion(known) == office.champion()


def test_a_warm_load_costs_one_request_without_a_body(office: Registry, seen: Seen, tmp_path: Path) -> None:
    assert load(office, tmp_path) == "a"
    seen.clear()
    champion = champion_cached(tmp_path, office)
    assert champion is not None
    pull_cached(tmp_path, office, champion.version)
    assert seen == [("GET", 304)]


def test_a_new_champion_is_seen_at_the_next_look(office: Registry, tmp_path: Path) -> None:
    load(office, tmp_path)
    office.promote("b", office.start_run({}), office.champion(), "")
    assert load(office, tmp_path) == "b"
    office.rollback(None, "")
    assert load(office, tmp_path) == "a"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"etag": 1, "body": 2}', b'{"etag": "", "body": "{}"}'])
def test_a_garbled_cache_is_ignored(body: bytes, office: Registry, tmp_path: Path) -> None:
    load(office, tmp_path)
    (cached,) = tmp_path.glob(".incumbent/cache/models/*/champion.json")
    cached.write_bytes(body)
    assert load(office, tmp_path) == "a"


def test_a_damaged_file_in_the_cache_is_fetched_again(office: Registry, tmp_path: Path) -> None:
    load(office, tmp_path)
    for name in ("model.txt", "manifest.json"):
        (cached,) = tmp_path.glob(f".incumbent/cache/models/*/a/{name}")
        cached.write_text("damaged")
        assert load(office, tmp_path) == "a"


def test_without_a_champion_there_is_none(registry: Registry, tmp_path: Path) -> None:
    assert champion_cached(tmp_path, registry) is None
