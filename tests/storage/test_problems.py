"""Everything that is wrong is found, each with its address; what a crash leaves half done is not wrong."""

import json
import re
from collections.abc import Callable

import pytest

from incumbent.storage.registry.registry import Registry
from tests.storage.conftest import Publish


@pytest.fixture
def sound(registry: Registry, publish: Publish) -> Registry:
    """Versions a to d; a and b were in office, c is."""
    for version in "abcd":
        publish(version)
    for version in "abc":
        registry.promote(version, registry.start_run({}), registry.champion(), "")
    return registry


def altered(key: str, **changes: object) -> Callable[[Registry], None]:
    """A JSON document with other fields."""

    def do(registry: Registry) -> None:
        document = json.loads(registry.store.get(key).body)
        registry.store.put(key, json.dumps({**document, **changes}).encode())

    return do


def put(key: str, body: bytes) -> Callable[[Registry], None]:
    return lambda registry: registry.store.put(key, body)


def deleted(key: str) -> Callable[[Registry], None]:
    return lambda registry: registry.store.delete(key)


DAMAGE = [
    pytest.param(put("flights/versions/d/model.txt", b"D"), ["versions/d/model.txt is not what"], id="file"),
    pytest.param(deleted("flights/versions/d/model.txt"), ["versions/d/model.txt is missing"], id="no file"),
    pytest.param(
        put("flights/versions/d/manifest.json", b"{"), ["d/manifest.json is not the JSON"], id="JSON"
    ),
    pytest.param(
        altered("flights/versions/d/manifest.json", run_seq="7"), ["run_seq: Input should"], id="shape"
    ),
    pytest.param(altered("flights/versions/d/manifest.json", data=[]), ["data: Input should"], id="data"),
    pytest.param(altered("flights/versions/d/manifest.json", format=2), [": upgrade"], id="newer format"),
    pytest.param(
        altered("flights/versions/d/manifest.json", files={"x.pkl": {"sha256": "0" * 64, "size": 1}}),
        ["lists a file that incumbent never would: 'x.pkl'"],
        id="a pickle",
    ),
    pytest.param(put("flights/champion.json", b"<html>"), ["champion.json is not the JSON"], id="champion"),
    pytest.param(deleted("flights/champion.json"), ["champion.json is missing or older"], id="no champion"),
    pytest.param(
        altered("flights/log/000000000003.json", reason="because"), ["000000000003.json differs"], id="copy"
    ),
    pytest.param(
        altered("flights/log/000000000002.json", txid="x"),
        ["broken at entry 3"],
        id="log",
    ),
    pytest.param(deleted("flights/log/000000000001.json"), ["broken at entry 1"], id="no log"),
    pytest.param(deleted("flights/versions/c/manifest.json"), ["'c' is or was champion"], id="champion gone"),
    pytest.param(deleted("flights/versions/a/manifest.json"), ["'a' is or was champion"], id="former gone"),
]


def missing(problems: list[str], expected: list[str]) -> list[str]:
    """The expected messages that are not among the problems."""
    return [each for each in expected if not any(each in problem for problem in problems)]


@pytest.mark.parametrize(("damage", "expected"), DAMAGE)
def test_damage_is_found_with_its_address(
    damage: Callable[[Registry], None], expected: list[str], sound: Registry
) -> None:
    damage(sound)
    problems = sound.problems()
    assert missing(problems, expected) == []
    assert all(re.search(r"s3://incumbent/\S+/flights/", problem) for problem in problems)


def test_it_does_not_stop_at_the_first(sound: Registry) -> None:
    for key in ("versions/a/model.txt", "versions/b/model.txt", "versions/d/manifest.json", "champion.json"):
        sound.store.put(f"flights/{key}", b"?")
    sound.store.delete("flights/log/000000000001.json")
    expected = ["a/model.txt", "b/model.txt", "d/manifest.json", "champion.json", "broken at entry 1"]
    assert missing(sound.problems(), expected) == []


def test_two_bad_files_of_one_version_are_two_problems(registry: Registry, tmp_path) -> None:
    files = {name: tmp_path / name for name in ("model.txt", "metrics.json")}
    for path in files.values():
        path.write_text("{}")
    registry.publish("a", files, {})
    for name in files:
        registry.store.put(f"flights/versions/a/{name}", b"?")
    assert len(registry.problems()) == 2


def test_what_a_crash_left_is_no_problem(sound: Registry) -> None:
    sound.store.put("flights/versions/half/model.txt", b"")
    sound.store.delete("flights/log/000000000003.json")
    sound.start_run({})
    assert sound.problems() == []
