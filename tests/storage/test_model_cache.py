"""Models on this machine: fetched once, checked every time, and one request to know who is in office."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incumbent.errors import NotFound
from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.model_cache import champion_cached, pull_cached
from tests.storage.calls import watched
from tests.storage.conftest import Publish


@pytest.fixture
def project(tmp_path: Path, registry: Registry, publish: Publish) -> Path:
    """With a in office, read once."""
    publish("a")
    registry.promote("a", registry.start_run({}), None, "")
    assert champion_cached(tmp_path, registry) == registry.champion()
    pull_cached(tmp_path, registry, "a")
    return tmp_path


@pytest.fixture
def answers(registry: Registry) -> Iterator[list[tuple[int, bytes]]]:
    """Status and body of all answers, as they came."""
    seen: list[tuple[int, bytes]] = []

    def note(http_response: Any, **_: object) -> None:
        streamed = http_response.status_code == 200 and http_response.headers.get("Content-Length") != "0"
        seen.append((http_response.status_code, b"a body" if streamed else http_response.content))

    events = registry.store._s3.reads.meta.events
    events.register("after-call.s3.GetObject", note)
    yield seen
    events.unregister("after-call.s3.GetObject", note)


def test_a_warm_champion_is_one_conditional_request_without_a_body(
    project: Path, registry: Registry, answers: list[tuple[int, bytes]]
) -> None:
    with watched(registry.store._s3) as calls:
        champion = champion_cached(project, registry)
        assert champion is not None
        folder, manifest = pull_cached(project, registry, champion.version)
    assert champion == registry.champion()
    assert calls.methods == ["GET"]
    assert calls.seen[0][1].endswith("/flights/champion.json")
    assert answers[0] == (304, b"")
    assert ((folder / "model.txt").read_text(), manifest["version"]) == ("a", "a")


def test_a_new_champion_is_seen_at_once(
    project: Path, registry: Registry, publish: Publish, answers: list[tuple[int, bytes]]
) -> None:
    publish("b")
    second = registry.promote("b", registry.start_run({}), registry.champion(), "")
    answers.clear()
    assert champion_cached(project, registry) == second
    assert [status for status, _ in answers] == [200]
    assert champion_cached(project, registry) == second
    assert [status for status, _ in answers] == [200, 304]


@pytest.mark.parametrize(
    "kept", ["", "{}", "[]", '{"etag": "x", "body": "<html>"}', '{"etag": 1, "body": {}}', "\x00"]
)
def test_a_damaged_note_of_the_champion_costs_one_read(kept: str, project: Path, registry: Registry) -> None:
    (note,) = (project / ".incumbent").rglob("champion.json")
    note.write_text(kept)
    assert champion_cached(project, registry) == registry.champion()
    assert json.loads(note.read_text())["etag"]


def test_a_damaged_file_is_fetched_anew(project: Path, registry: Registry) -> None:
    (model,) = (project / ".incumbent").rglob("model.txt")
    model.write_text("b")
    with watched(registry.store._s3) as calls:
        pull_cached(project, registry, "a")
    assert model.read_text() == "a"
    assert calls.methods == ["GET", "GET"]


def test_an_unknown_version_leaves_nothing(project: Path, registry: Registry) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(NotFound):
        pull_cached(project, registry, "x")
    assert sorted(project.rglob("*")) == before
