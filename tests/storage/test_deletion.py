"""What nobody needs goes, in two steps; what anybody may need stays, whoever else is at it."""

import json
from datetime import timedelta

import pytest

from incumbent.errors import BadInput, NotFound, Tampered
from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.tombstones import Tombstones
from tests.storage.conftest import Publish

NOW = timedelta(0)


def actions(registry: Registry, keep: int, grace: timedelta = NOW, dry_run: bool = False) -> dict[str, str]:
    """What a gc does with each version."""
    return {fate.version: fate.action for fate in registry.gc(keep, grace=grace, dry_run=dry_run)}


def names(registry: Registry, version: str) -> list[str]:
    """The objects of a version."""
    top = f"flights/versions/{version}/"
    return [key.removeprefix(top) for key in registry.store.list(top)]


@pytest.fixture
def five(registry: Registry, publish: Publish) -> Registry:
    """Versions a to e, each newer than the one before; b in office."""
    for day, version in enumerate("abcde", start=1):
        publish(version, created=f"2026-11-0{day}T00:00:00+00:00")
    registry.promote("b", registry.start_run({}), None, "")
    return registry


def test_a_version_goes_in_two_steps(five: Registry) -> None:
    kept = {"b": "keep", "e": "keep"}
    assert actions(five, 1) == {**kept, "a": "mark", "c": "mark", "d": "mark"}
    assert actions(five, 1) == {**kept, "a": "delete", "c": "delete", "d": "delete"}
    assert actions(five, 1) == kept
    assert names(five, "a") == ["tombstone.json"]
    assert [manifest["version"] for manifest in five.versions()] == ["e", "b"]
    assert five.problems() == []


def test_nothing_goes_before_every_promotion_that_saw_no_mark_is_over(five: Registry) -> None:
    actions(five, 1)
    assert actions(five, 1, grace=timedelta(hours=1)) == {
        "a": "wait", "b": "keep", "c": "wait", "d": "wait", "e": "keep",
    }  # fmt: skip


def test_a_dry_run_changes_nothing(five: Registry) -> None:
    before = list(five.store.list())
    assert actions(five, 1, dry_run=True)["a"] == "mark"
    assert list(five.store.list()) == before


def test_a_marked_or_deleted_version_is_neither_promoted_nor_published(
    five: Registry, publish: Publish
) -> None:
    champion = five.champion()
    for state in ("marked for deletion", "deleted"):
        actions(five, 1)
        for use in (
            lambda: five.promote("c", five.start_run({}), five.champion(), ""),
            lambda: five.force("c", "by hand"),
        ):
            with pytest.raises(NotFound, match=f"'c' is {state}|no version 'c'"):
                use()
    with pytest.raises(NotFound, match=r"'c' is deleted .*choose another version"):
        publish("c", "other bytes")
    assert five.champion() == champion


def test_a_mark_is_taken_back_when_the_version_is_needed_again(five: Registry) -> None:
    actions(five, 1)
    assert actions(five, 3) == {"a": "delete", "b": "keep", "c": "unmark", "d": "unmark", "e": "keep"}
    assert actions(five, 3) == {"b": "keep", "c": "keep", "d": "keep", "e": "keep"}
    assert five.promote("c", five.start_run({}), five.champion(), "").version == "c"
    assert actions(five, 0)["d"] == "mark"


def test_a_promotion_that_did_not_see_the_mark_saves_the_version(five: Registry, monkeypatch) -> None:
    run, office = five.start_run({}), five.champion()
    move = five._champion_log.move

    def mark_first(*args, **how):  # type: ignore[no-untyped-def]
        assert actions(five, 1)["c"] == "mark"
        return move(*args, **how)

    monkeypatch.setattr(five._champion_log, "move", mark_first)
    five.promote("c", run, office, "")
    assert actions(five, 1)["c"] == "unmark"
    assert five.verify("c")
    assert five.problems() == []


def test_of_two_gcs_that_disagree_one_has_its_way(five: Registry, monkeypatch) -> None:
    actions(five, 1)
    move = Tombstones.move

    def withdraw_first(self, version, known, state, why):  # type: ignore[no-untyped-def]
        if state == "deleted":
            assert move(self, version, known, "withdrawn", "the other gc keeps more")
        return move(self, version, known, state, why)

    monkeypatch.setattr(Tombstones, "move", withdraw_first)
    assert actions(five, 1) == {"a": "wait", "b": "keep", "c": "wait", "d": "wait", "e": "keep"}
    assert all(five.verify(version) for version in "abcde")


@pytest.mark.parametrize("after", range(3))
def test_an_interrupted_deletion_is_finished_by_the_next(after: int, five: Registry, monkeypatch) -> None:
    actions(five, 1)
    delete, left = five.store.delete, iter(range(after))

    def crash(key: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        delete(key)

    with monkeypatch.context() as patch:
        patch.setattr(five.store, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            actions(five, 1)
    assert five.problems() == []
    actions(five, 5)
    actions(five, 1)
    actions(five, 1)
    assert [names(five, version) for version in "acd"] == [["tombstone.json"]] * 3


def test_champions_of_all_times_and_parents_of_what_stays_are_needed(
    registry: Registry, publish: Publish, tmp_path
) -> None:
    (tmp_path / "model.txt").write_text("tree")
    for day, (version, parent) in enumerate(
        [("a", None), ("b", "a"), ("c", "b"), ("d", None), ("e", "c")], 1
    ):
        about = {"created": f"2026-11-0{day}T00:00:00+00:00", "parent": parent}
        registry.publish(version, {"model.txt": tmp_path / "model.txt"}, about)
    assert {f.version: f.why for f in registry.gc(1) if f.action == "keep"} == {
        "e": "among the newest 1",
        "c": "parent of e, which can't be rebuilt without it",
        "b": "parent of c, which can't be rebuilt without it",
        "a": "parent of b, which can't be rebuilt without it",
    }
    publish("f")
    publish("g")
    for version in "fg":
        registry.promote(version, registry.start_run({}), registry.champion(), "")
    registry.rollback(None, "")
    assert {f.version for f in registry.gc(0) if f.action == "keep"} == {"f", "g"}


def test_what_is_being_written_stays_for_a_day(registry: Registry, monkeypatch) -> None:
    registry.store.put("flights/versions/half/model.txt", b"")
    assert actions(registry, 0) == {"half": "keep"}
    monkeypatch.setattr("incumbent.storage.registry.deletion.UPLOAD", NOW)
    assert [actions(registry, 0) for _ in range(3)] == [{"half": "mark"}, {"half": "delete"}, {}]


def test_fewer_than_no_versions_cannot_be_kept(registry: Registry) -> None:
    with pytest.raises(BadInput, match="can't be below zero"):
        registry.gc(-1)


def test_the_last_held_challenger_stays_as_arrivals_still_judge_it(
    registry: Registry, publish: Publish
) -> None:
    publish("v1", run_seq=registry.start_run({}))
    first = registry.promote("v1", 1, None, "")
    for run, kind in enumerate(("hold", "hold", "reject", "promote"), start=2):
        publish(f"v{registry.start_run({})}", run_seq=run, created=f"2026-11-0{run}T00:00:00+00:00")
        registry.record(run, "decision.json", json.dumps({"decision": {"kind": kind}}).encode())
    assert registry.last_held(first) == "v3"
    assert actions(registry, 1) == {"v1": "keep", "v2": "mark", "v3": "keep", "v4": "mark", "v5": "keep"}


def test_a_damaged_decision_is_told_by_its_address(registry: Registry, publish: Publish) -> None:
    publish("v1", run_seq=registry.start_run({}))
    first = registry.promote("v1", 1, None, "")
    publish(f"v{registry.start_run({})}", run_seq=2)
    registry.record(2, "decision.json", b"<html>")
    for use in (lambda: registry.last_held(first), lambda: registry.gc(1)):
        with pytest.raises(Tampered, match=r"runs/000000000002/decision.json is not a decision"):
            use()
