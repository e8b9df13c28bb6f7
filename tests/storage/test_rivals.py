"""In which order former champions take the place of one that is broken."""

from pathlib import Path

from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.rivals import rivals_of
from tests.storage.calls import watched
from tests.storage.conftest import Publish


def in_office(registry: Registry, publish: Publish, *versions: str) -> None:
    """One after the other."""
    for version in versions:
        publish(version)
        registry.promote(version, registry.start_run({}), registry.champion(), "")


def test_the_champion_comes_first_then_the_latest_of_those_before_it(
    tmp_path: Path, registry: Registry, publish: Publish
) -> None:
    in_office(registry, publish, "a", "b", "c")
    names = [rival.version for rival in rivals_of(tmp_path, registry, registry.champion())]
    assert names == ["c", "b", "a"]


def test_who_was_rolled_back_is_no_rival(tmp_path: Path, registry: Registry, publish: Publish) -> None:
    in_office(registry, publish, "a", "b", "c")
    registry.rollback(None, "c is worse")
    names = [rival.version for rival in rivals_of(tmp_path, registry, registry.champion())]
    assert names == ["b", "a"]


def test_without_a_champion_there_is_no_rival(tmp_path: Path, registry: Registry) -> None:
    assert list(rivals_of(tmp_path, registry, None)) == []


def test_the_history_is_read_only_when_the_champion_does_not_do(
    tmp_path: Path, registry: Registry, publish: Publish
) -> None:
    in_office(registry, publish, "a", "b")
    champion = registry.champion()
    with watched(registry.store._s3) as calls:
        assert next(rivals_of(tmp_path, registry, champion)).version == "b"
    assert calls.seen == []
