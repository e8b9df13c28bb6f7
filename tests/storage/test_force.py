"""Promoted by force: verified, fenced, and on the record with who and why."""

import getpass
import socket

import pytest

from incumbent.errors import BadInput, Blocked, NotFound, StaleRun, Tampered
from incumbent.storage.registry.champion import champion_at
from incumbent.storage.registry.registry import Registry
from tests.storage.conftest import Publish


@pytest.fixture
def office(registry: Registry, publish: Publish) -> Registry:
    """Versions a to d; a in office, a run under way."""
    for version in "abcd":
        publish(version)
    registry.promote("a", registry.start_run({}), None, "")
    registry.start_run({})
    return registry


def test_force_replaces_whoever_is_in_office_and_says_who_did_it(office: Registry) -> None:
    forced = office.force("b", "the auditor wants it")
    assert (forced.op, forced.version, forced.replaced, forced.run_seq) == ("force", "b", "a", 3)
    assert forced.reason == "the auditor wants it"
    assert forced.by == f"{getpass.getuser()}@{socket.gethostname()}"
    assert office.history()[-1] == office.champion() == forced


def test_the_first_champion_may_come_by_force(registry: Registry, publish: Publish) -> None:
    publish("a")
    assert registry.force("a", "to begin with").seq == 1
    assert len(registry.history()) == 1


def test_a_run_that_was_under_way_cannot_undo_it(office: Registry) -> None:
    forced = office.force("b", "now")
    with pytest.raises(StaleRun, match="the champion 'b' comes from run 3"):
        office.promote("c", 2, forced, "a slow run")


def test_force_wins_against_a_run_that_comes_between(office: Registry, monkeypatch) -> None:
    start, rivals = office._promotions._start_run, iter(["c"])

    def start_beside_a_rival(about):  # type: ignore[no-untyped-def]
        mine = start(about)
        for version in rivals:
            office.promote(version, office.start_run({}), office.champion(), "a later run")
        return mine

    monkeypatch.setattr(office._promotions, "_start_run", start_beside_a_rival)
    assert office.force("b", "now").replaced == "c"


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_reason_is_needed(reason: str, office: Registry) -> None:
    with pytest.raises(BadInput, match="needs a reason"):
        office.force("b", reason)


def test_a_blocked_version_is_refused_with_the_way_out(office: Registry) -> None:
    office.force("b", "now")
    office.rollback(None, "b is bad")
    with pytest.raises(Blocked, match=r"`incumbent models rollback --to b`"):
        office.force("b", "all the same")
    assert office.rollback("b", "it was the data").version == "b"


def test_damaged_missing_and_present_ones_are_refused(office: Registry) -> None:
    office.store.put("flights/versions/b/model.txt", b"B")
    before = office.champion()
    with pytest.raises(Tampered, match=r"b/model.txt is not what was published"):
        office.force("b", "now")
    with pytest.raises(NotFound, match="no version 'x'"):
        office.force("x", "now")
    with pytest.raises(BadInput, match="'a' is the champion already"):
        office.force("a", "now")
    assert office.champion() == before


def test_two_rollbacks_go_back_over_a_forced_one(office: Registry) -> None:
    office.force("b", "now")
    office.promote("c", office.start_run({}), office.champion(), "")
    assert [office.rollback(None, "").version for _ in range(2)] == ["b", "a"]


def test_who_was_champion_at_a_time(office: Registry) -> None:
    first, second = *office.history(), office.force("b", "now")
    history = office.history()
    assert champion_at(history, first.at) == first
    assert champion_at(history, second.at.replace("+00:00", "Z")) == second
    assert champion_at(history, "2999-01-01T00:00:00+02:00") == second
    assert champion_at(history, "2001-01-01T00:00:00Z") is None
    for bad, message in (
        ("yesterday", "is no time in ISO 8601"),
        ("2026-11-01T10:00:00", "has no time zone"),
    ):
        with pytest.raises(BadInput, match=message):
            champion_at(history, bad)
