"""The registry on S3 is exactly what docs and DESIGN draw, and readable with any S3 tool."""

import json
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incumbent.errors import BadParams, NotFound
from incumbent.storage.registry.registry import Claimed, Registry
from incumbent.storage.s3.client import Connection
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET
from tests.storage.calls import watched
from tests.storage.conftest import Publish


def test_the_registry_lists_as_it_is_drawn(registry: Registry, publish: Publish) -> None:
    run = registry.start_run({"data": "rev1"})
    taken = registry.claim("d1g357", run, 60)
    publish("v1")
    first = registry.promote("v1", run, None, "")
    for name in ("gate.json", "plan.json", "decision.json", "report.html"):
        registry.record(run, name, b"{}\n")
    registry.put_score("2013-01.parquet", {"champion": 0.7})
    publish("v2")
    registry.approvals.ask("v2", registry.start_run({}), first, ("better",))
    registry.approvals.refuse("v2", "unfair", "ann")
    assert isinstance(taken, Claimed)
    registry.finish(taken.claim, {"champion": first.version})
    assert list(registry.store.list("flights/")) == [
        "flights/champion.json",
        "flights/claims/d1g357.json",
        "flights/log/000000000001.json",
        "flights/pending.json",
        "flights/refusals/000000000002.json",
        "flights/runs/000000000001/decision.json",
        "flights/runs/000000000001/gate.json",
        "flights/runs/000000000001/plan.json",
        "flights/runs/000000000001/report.html",
        "flights/runs/000000000001/start.json",
        "flights/runs/000000000002/start.json",
        "flights/scores/2013-01.parquet.json",
        "flights/versions/v1/manifest.json",
        "flights/versions/v1/model.txt",
        "flights/versions/v2/manifest.json",
        "flights/versions/v2/model.txt",
    ]


def test_documents_are_canonical_json(registry: Registry, publish: Publish) -> None:
    publish("v1")
    publish("v2")
    first = registry.promote("v1", registry.start_run({"who": "Zoë"}), None, "größer")
    registry.approvals.ask("v2", registry.start_run({}), first, ("besser für alle Größen",))
    registry.approvals.refuse("v2", "zu groß", "Zoë")
    for key in registry.store.list("flights/"):
        body = registry.store.get(key).body
        if key.endswith(".json"):
            text = json.dumps(json.loads(body), sort_keys=True, ensure_ascii=False)
            assert body == f"{text}\n".encode()


def test_run_numbers_rise_without_gaps(registry: Registry) -> None:
    assert [registry.start_run({}) for _ in range(12)] == list(range(1, 13))


def test_run_numbers_go_on_after_the_champions(registry: Registry, publish: Publish) -> None:
    publish("v1")
    registry.promote("v1", registry.start_run({}), None, "")
    registry.store.delete("flights/runs/000000000001/start.json")
    assert registry.start_run({}) == 2


def test_a_runs_start_tells_what_it_is_about(registry: Registry) -> None:
    start = json.loads(registry.read_record(registry.start_run({"data": "rev1"}), "start.json"))
    assert (start["data"], start["run_seq"]) == ("rev1", 1)
    assert {"at", "token", "format"} <= set(start)


def test_a_record_is_overwritten_by_a_retry(registry: Registry) -> None:
    key = registry.record(7, "gate.json", b"1")
    assert registry.record(7, "gate.json", b"2") == key == "flights/runs/000000000007/gate.json"
    assert registry.read_record(7, "gate.json") == b"2"
    with pytest.raises(NotFound):
        registry.read_record(8, "gate.json")


@pytest.mark.parametrize("name", ["start.json", "../champion.json", ""])
def test_a_record_cannot_take_another_files_place(name: str, registry: Registry) -> None:
    with pytest.raises(BadParams):
        registry.record(1, name, b"")


def test_scores_come_back_in_order_and_know_their_partition(registry: Registry) -> None:
    for partition in ("2013-02.parquet", "2013-01.parquet", "odd/näme ?.parquet"):
        registry.put_score(partition, {"champion": 0.7})
    registry.put_score("2013-01.parquet", {"champion": 0.8})
    seen = [(score["partition"], score["champion"]) for score in registry.scores()]
    assert seen == [("2013-01.parquet", 0.8), ("2013-02.parquet", 0.7), ("odd/näme ?.parquet", 0.7)]


def test_two_models_share_a_bucket(registry: Registry, publish: Publish) -> None:
    publish("v1")
    other = Registry(registry.store, "flights2")
    assert other.versions() == []
    assert other.start_run({}) == registry.start_run({}) == 1


def test_a_model_name_is_one_name(registry: Registry) -> None:
    with pytest.raises(BadParams, match="bad model name"):
        Registry(registry.store, "a/b")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.sets(st.integers(1, 100_000), max_size=8), left=st.sets(st.sampled_from(["x/y", "notes", "12/a"]))
)
def test_the_next_run_number_is_found_in_few_requests_among_many_runs(
    connection: Connection, runs: set[int], left: set[str]
) -> None:
    registry = Registry(Store(BUCKET, uuid.uuid4().hex, connection), "flights")
    for run in runs:
        registry.record(run, "decision.json", b"{}")
    for name in left:
        registry.store.put(f"flights/runs/{name}", b"not ours")
    with watched(connection) as calls:
        assert registry.start_run({}) == max(runs, default=0) + 1
    assert len(calls.seen) <= 45
    assert registry.start_run({}) == max(runs, default=0) + 2
