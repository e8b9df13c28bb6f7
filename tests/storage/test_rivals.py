"""In which order former champions take the place of one that is broken."""

from pathlib import Path

import numpy as np

from incumbent.challenger import OUT_OF_SAMPLE
from incumbent.features.out_of_sample import OutOfSample
from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.rivals import predicted_by, rivals_of
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


def test_what_an_update_continues_is_read_back_to_the_full_training(
    tmp_path: Path, registry: Registry
) -> None:
    zero = np.zeros(1, dtype=np.int32)
    for version, parent in (("a", None), ("b", "a"), ("c", "b")):
        kept = OutOfSample((f"partition of {version}",), zero, zero, np.zeros((1, 1), dtype="float32"))
        kept.save(tmp_path / OUT_OF_SAMPLE)
        about = {"created": "2026-11-01T00:00:00+00:00", "parent": parent}
        registry.publish(version, {OUT_OF_SAMPLE: tmp_path / OUT_OF_SAMPLE}, about)
    partitions = predicted_by(tmp_path, registry, "c").partitions
    assert partitions == ("partition of c", "partition of b", "partition of a")
