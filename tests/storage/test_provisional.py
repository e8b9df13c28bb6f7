"""A provisional champion: marked in the log, replaced and rolled back like any other."""

import json

from incumbent.challenger.contest import OfficeGain
from incumbent.compare import ArrivalGain
from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.rivals import rivals_of
from tests.building import ROOT
from tests.storage.conftest import Publish


def test_a_provisional_champion_is_marked_until_the_next_one(registry: Registry, publish: Publish) -> None:
    for version in "ab":
        publish(version)
    run = registry.start_run({})
    first = registry.promote("a", run, None, "nothing tells yet", provisional=True)
    assert (first.op, first.provisional) == ("provisional", True)
    assert registry.promote("a", run, first, "nothing tells yet", provisional=True) == first
    assert next(rivals_of(ROOT, registry, first)).provisional
    second = registry.promote("b", registry.start_run({}), first, "shown to be better")
    assert not second.provisional
    assert [entry.op for entry in registry.history()] == ["provisional", "promote"]
    assert registry.rollback(None, "worse after all").version == "a"
    assert registry.problems() == []


def test_a_provisional_winner_that_a_person_approves_stays_provisional(
    registry: Registry, publish: Publish
) -> None:
    publish("a")
    run = registry.start_run({})
    registry.approvals.ask("a", run, None, ("nothing tells yet",), provisional=True)
    assert registry.approvals.approve("a", "we need one", "ann").provisional


def test_the_gains_of_a_time_in_office_are_those_of_later_runs_against_this_entry(
    registry: Registry, publish: Publish
) -> None:
    for version in "ab":
        publish(version)
    champion = registry.promote("a", registry.start_run({}), None, "")
    gains = [OfficeGain((f"{day}.parquet",), ArrivalGain(0.01 * day, 0.02, 9.0, 100)) for day in range(3)]
    documents = [{"txid": champion.txid, "office": gain.to_json()} for gain in gains]
    documents.insert(1, {"txid": "of another champion", "office": gains[0].to_json()})
    documents.insert(2, {"txid": champion.txid, "office": None})  # no arrival that could judge
    documents.insert(3, {"txid": champion.txid})  # a run of an earlier release
    for document in documents:
        registry.record(registry.start_run({}), "comparison.json", json.dumps(document).encode())
    assert next(rivals_of(ROOT, registry, champion)).office() == gains
