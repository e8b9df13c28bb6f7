"""Who is in office, on a real server."""

import json
from dataclasses import replace

import pytest

from incumbent.errors import BadInput, Blocked, Conflict, NotFound, StaleRun, Tampered
from incumbent.storage.registry.registry import Champion, Registry
from tests.storage.conftest import Publish

CHAMPION = "flights/champion.json"


def promote(registry: Registry, version: str) -> Champion:
    """A whole run that ends well."""
    return registry.promote(version, registry.start_run({}), registry.champion(), f"{version} is better")


@pytest.fixture
def three(registry: Registry, publish: Publish) -> list[Champion]:
    """Versions a, b and c in office, one after the other; d was published only."""
    for version in "abcd":
        publish(version)
    return [promote(registry, version) for version in "abc"]


def test_at_first_there_is_no_champion(registry: Registry) -> None:
    assert registry.champion() is None
    assert registry.history() == []
    with pytest.raises(BadInput, match="'flights' has no champion yet"):
        registry.rollback(None, "")


def test_the_first_champion_replaces_nobody(registry: Registry, publish: Publish) -> None:
    publish("a")
    first = registry.promote("a", registry.start_run({}), None, "beats the baseline")
    assert first == registry.champion()
    assert (first.seq, first.op, first.version, first.replaced) == (1, "promote", "a", None)
    assert (first.prev_txid, first.run_seq, first.blocked) == (None, 1, ())
    assert first.reason == "beats the baseline"


def test_each_promotion_follows_from_the_one_before(registry: Registry, three: list[Champion]) -> None:
    assert registry.history() == three
    assert [entry.seq for entry in three] == [1, 2, 3]
    assert [entry.replaced for entry in three] == [None, "a", "b"]
    assert [entry.prev_txid for entry in three] == [None, three[0].txid, three[1].txid]
    assert [entry.run_seq for entry in three] == [1, 2, 3]


def test_a_promotion_takes_six_requests(registry: Registry, three: list[Champion]) -> None:
    run, seen = registry.start_run({}), []
    for client in (registry.store._s3.reads, registry.store._s3.writes):
        client.meta.events.register("before-send.s3", lambda request, **_: seen.append(request.method))
    registry.promote("d", run, three[-1], "")
    assert seen == ["GET", "GET", "GET", "PUT", "GET", "PUT"]


def test_who_loses_the_race_compares_again(registry: Registry, publish: Publish) -> None:
    for version in "abc":
        publish(version)
    first = promote(registry, "a")
    early, late = registry.start_run({}), registry.start_run({})
    second = registry.promote("b", early, first, "")
    with pytest.raises(Conflict, match=r"is now 'b' \(entry 2\), but 'c' was compared with 'a' \(entry 1\)"):
        registry.promote("c", late, first, "better than a")
    with pytest.raises(Conflict, match="was compared with none"):
        registry.promote("c", late, None, "better than nothing")
    assert registry.promote("c", late, second, "better than b").replaced == "b"


def test_a_slow_old_run_cannot_replace_a_newer_champion(registry: Registry, publish: Publish) -> None:
    publish("a")
    publish("b")
    slow = registry.start_run({})
    newer = promote(registry, "b")
    for compared_with in (newer, None):
        with pytest.raises(StaleRun, match=r"run 1 may not promote 'a': .*'b' comes from run 2"):
            registry.promote("a", slow, compared_with, "")
    assert registry.champion() == newer


def test_the_same_promotion_again_changes_nothing(registry: Registry, three: list[Champion]) -> None:
    assert registry.promote("c", 3, three[1], "a retried task") == three[2]
    assert registry.history() == three


def test_the_same_promotion_again_from_an_old_entry_of_its_version_changes_nothing(
    registry: Registry, publish: Publish
) -> None:
    publish("a")
    publish("b")
    old = promote(registry, "a")
    promote(registry, "b")
    run, current = registry.start_run({}), registry.champion()
    back = registry.promote("a", run, current, "better again")
    assert registry.promote("a", run, old, "a retried task") == back
    assert registry.history()[-1] == back


def test_one_run_promotes_one_version(registry: Registry, three: list[Champion]) -> None:
    with pytest.raises(StaleRun):
        registry.promote("d", 3, three[2], "")


def test_the_champion_cannot_be_promoted_again(registry: Registry, three: list[Champion]) -> None:
    with pytest.raises(BadInput, match="'c' is the champion already"):
        promote(registry, "c")


def test_a_version_without_manifest_cannot_be_promoted(registry: Registry, three: list[Champion]) -> None:
    registry.store.put("flights/versions/half/model.txt", b"uploaded before the crash")
    with pytest.raises(
        NotFound, match=r"no version 'half' .*manifest.json; list them with `incumbent models"
    ):
        promote(registry, "half")
    assert registry.champion() == three[-1]


def test_a_former_champion_may_come_back_by_a_new_comparison(
    registry: Registry, three: list[Champion]
) -> None:
    assert promote(registry, "a").replaced == "c"


# --- rollback


def test_rollback_restores_the_replaced_version_and_blocks_the_bad_one(
    registry: Registry, three: list[Champion]
) -> None:
    back = registry.rollback(None, "c predicts nonsense")
    assert (back.seq, back.op, back.version, back.replaced) == (4, "rollback", "b", "c")
    assert (back.run_seq, back.blocked, back.reason) == (3, ("c",), "c predicts nonsense")
    assert registry.champion() == back
    assert registry.history() == [*three, back]


def test_two_rollbacks_go_two_back(registry: Registry, three: list[Champion]) -> None:
    registry.rollback(None, "")
    second = registry.rollback(None, "")
    assert (second.version, second.blocked) == ("a", ("c", "b"))
    with pytest.raises(BadInput, match="no unblocked version was champion before 'a'"):
        registry.rollback(None, "")


def test_rollback_passes_over_a_blocked_version(registry: Registry, three: list[Champion]) -> None:
    registry.rollback("a", "c is bad")
    promote(registry, "b")
    promote(registry, "d")
    registry.rollback("a", "d is bad, b too")
    registry.rollback("b", "a was worse")
    assert registry.champion().blocked == ("c", "d", "a")  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="nothing to roll back to"):
        registry.rollback(None, "")


def test_a_blocked_version_cannot_be_promoted(registry: Registry, three: list[Champion]) -> None:
    registry.rollback(None, "")
    with pytest.raises(Blocked, match=r"'c' was rolled back and is blocked; .*--to c`"):
        promote(registry, "c")
    promote(registry, "d")
    with pytest.raises(Blocked):
        promote(registry, "c")


def test_naming_a_blocked_version_unblocks_it(registry: Registry, three: list[Champion]) -> None:
    registry.rollback(None, "c looks bad")
    back = registry.rollback("c", "it was the data")
    assert (back.version, back.blocked) == ("c", ("b",))


def test_a_run_from_before_the_rollback_may_promote_after_it(
    registry: Registry, three: list[Champion]
) -> None:
    run = registry.start_run({})
    back = registry.rollback(None, "")
    with pytest.raises(Conflict):
        registry.promote("d", run, three[-1], "compared before the rollback")
    assert registry.promote("d", run, back, "").seq == 5


def test_a_champion_that_left_and_came_back_is_another_champion(
    registry: Registry, three: list[Champion]
) -> None:
    run = registry.start_run({})
    registry.rollback("b", "")
    registry.rollback("c", "")
    with pytest.raises(Conflict, match=r"now 'c' \(entry 5\), but 'd' was compared with 'c' \(entry 3\)"):
        registry.promote("d", run, three[-1], "")


@pytest.mark.parametrize(
    ("to", "message"),
    [("c", "'c' is the champion already"), ("d", "'d' never was champion"), ("x", "'x' never was champion")],
)
def test_rollback_goes_to_former_champions_only(
    to: str, message: str, registry: Registry, three: list[Champion]
) -> None:
    with pytest.raises(BadInput, match=message):
        registry.rollback(to, "")
    assert registry.champion() == three[-1]


def test_rollback_refuses_a_damaged_target(registry: Registry, three: list[Champion]) -> None:
    registry.store.put("flights/versions/b/model.txt", b"B")
    with pytest.raises(Tampered, match=r"versions/b/model.txt is not what was published"):
        registry.rollback(None, "")
    assert registry.rollback("a", "").version == "a"


# --- crashes and tampering


def test_a_crash_before_the_log_is_healed_by_the_next(registry: Registry, three: list[Champion]) -> None:
    registry.store.delete("flights/log/000000000003.json")
    assert registry.history() == three
    promote(registry, "d")
    assert registry.history()[:3] == three
    assert registry.store.exists("flights/log/000000000003.json")


def test_the_log_is_a_copy_of_every_champion(registry: Registry, three: list[Champion]) -> None:
    last = registry.store.get("flights/log/000000000003.json")
    assert last.body == registry.store.get(CHAMPION).body
    document = json.loads(last.body)
    assert document.pop("format") == 1
    assert sorted(document) == sorted(
        ["seq", "txid", "prev_txid", "op", "version", "replaced", "run_seq", "blocked", "at", "by", "reason"]
    )


GOOD = {
    "format": 1,
    "seq": 1,
    "txid": "t",
    "prev_txid": None,
    "op": "promote",
    "version": "a",
    "replaced": None,
    "run_seq": 1,
    "blocked": [],
    "at": "2026-11-01T00:00:00+00:00",
    "reason": "",
}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "is not the JSON", id="empty"),
        pytest.param(b"<html>", "is not the JSON", id="html"),
        pytest.param(b'{"seq": 1', "is not the JSON", id="truncated"),
        pytest.param(b"\xff\xfe\x00", "is not the JSON", id="not text"),
        pytest.param(b"[" * 100_000, "is not the JSON", id="deeply nested"),
        pytest.param(b'{"format": 1, "seq": NaN}', "NaN is not JSON", id="NaN"),
        pytest.param(b"[]", "format number is missing", id="list"),
        pytest.param(b"{}", "format number is missing", id="no fields"),
        pytest.param(b'{"format": 1}', "seq: Field required", id="fields missing"),
        pytest.param(json.dumps({**GOOD, "seq": "1"}), "seq: Input should be a valid integer", id="type"),
        pytest.param(json.dumps({**GOOD, "seq": 0}), "seq: Input should be greater", id="range"),
        pytest.param(json.dumps({**GOOD, "op": "coup"}), "op: Input should be 'promote'", id="unknown op"),
        pytest.param(json.dumps({**GOOD, "blocked": "a"}), "blocked: ", id="text for a list"),
    ],
)
def test_a_garbage_champion_is_refused(body: bytes | str, message: str, registry: Registry) -> None:
    registry.store.put(CHAMPION, body.encode() if isinstance(body, str) else body)
    for use in (registry.champion, registry.history, lambda: registry.rollback(None, "")):
        with pytest.raises(Tampered, match=f"{registry.store.url(CHAMPION)}.*{message}"):
            use()


def test_a_newer_format_asks_for_an_upgrade(registry: Registry) -> None:
    registry.store.put(CHAMPION, json.dumps({**GOOD, "format": 2}).encode())
    with pytest.raises(BadInput, match=r"format 2, .*: upgrade"):
        registry.champion()


@pytest.mark.parametrize(
    ("seq", "field", "value"),
    [(1, "version", "d"), (1, "run_seq", 9), (2, "txid", "forged"), (2, "run_seq", 1), (3, "version", "d")],
)
def test_an_altered_log_is_seen(
    seq: int, field: str, value: object, registry: Registry, three: list[Champion]
) -> None:
    key = f"flights/log/{seq:012d}.json"
    registry.store.put(key, json.dumps({**json.loads(registry.store.get(key).body), field: value}).encode())
    with pytest.raises(Tampered, match=r"altered"):
        registry.history()
    if seq == 3:
        with pytest.raises(Tampered, match=r"log/000000000003.json differs from .*champion.json"):
            promote(registry, "d")


def test_a_forged_next_entry_is_seen(registry: Registry, three: list[Champion]) -> None:
    registry.store.put("flights/log/000000000004.json", registry.store.get(CHAMPION).body)
    with pytest.raises(Tampered, match=r"log/000000000004.json differs from .*champion.json"):
        promote(registry, "d")


def test_a_champion_without_its_etag_overwrites_nobody(registry: Registry, three: list[Champion]) -> None:
    # As a promotion returns it whose answer was lost until others had moved on; S3 ignores an empty If-Match.
    overtaken = replace(three[1], etag="")
    with pytest.raises(Conflict, match=r"is now 'c' \(entry 3\), but 'd' was compared with 'b' \(entry 2\)"):
        registry.promote("d", registry.start_run({}), overtaken, "")
    assert registry.history() == three


def test_a_lost_pointer_is_not_taken_for_a_vacancy(registry: Registry, three: list[Champion]) -> None:
    last = registry.store.get(CHAMPION).body
    registry.store.delete(CHAMPION)
    repair = r"champion.json is missing or older than .*; to repair it, copy the last entry of the log"
    for use in (lambda: promote(registry, "d"), registry.history):
        with pytest.raises(Tampered, match=repair):
            use()
    registry.store.put(CHAMPION, last)
    assert promote(registry, "d").seq == 4


def test_a_pointer_that_was_set_back_is_seen(registry: Registry, three: list[Champion]) -> None:
    registry.store.put(CHAMPION, registry.store.get("flights/log/000000000002.json").body)
    with pytest.raises(Tampered, match=r"champion.json is missing or older than .*000000000003.json"):
        registry.history()


def test_a_missing_log_entry_is_seen(registry: Registry, three: list[Champion]) -> None:
    registry.store.delete("flights/log/000000000002.json")
    with pytest.raises(Tampered, match="broken at entry 2"):
        registry.history()
