"""The tests themselves are tested: a registry that lacks one safeguard must not pass them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings

from incumbent.errors import Blocked, Tampered
from incumbent.storage.registry import deletion, promotions
from incumbent.storage.registry.approval_request import ApprovalRequest
from incumbent.storage.registry.approvals import Approvals
from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.champion_log import ChampionLog
from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.tombstones import Tombstones
from incumbent.storage.s3.client import Connection, connect
from incumbent.storage.s3.store import Store
from tests.conftest import S3
from tests.storage.approval_machine import ApprovalMachine
from tests.storage.calls import Moment, watched
from tests.storage.conftest import Publish
from tests.storage.faulty_proxy import Faults, faulty_proxy
from tests.storage.machine import RegistryMachine, make_store
from tests.storage.test_approvals import both_at_once

CAUGHT = (AssertionError, Tampered, pytest.fail.Exception)


class Unconditional(Store):
    """Overwrites the champion whoever it is by now."""

    def replace(self, key: str, body: bytes, expected: str) -> str:
        self.put(key, body)
        return self.get(key).etag


def without_condition(patch: pytest.MonkeyPatch, machine: type[RegistryMachine]) -> None:
    def make(connection: Connection) -> Store:
        store = make_store(connection)
        return Unconditional(store.bucket, store.root, connection)

    patch.setattr(machine, "make_store", staticmethod(make))


def without_fence(patch: pytest.MonkeyPatch, machine: type[RegistryMachine]) -> None:
    def check(version: str, run_seq: int, current: Champion | None) -> None:
        if current is not None and version in current.blocked:
            raise Blocked

    patch.setattr(promotions, "check_promotable", check)


def without_ensured_log(patch: pytest.MonkeyPatch, machine: type[RegistryMachine]) -> None:
    patch.setattr(ChampionLog, "ensure_logged", lambda self, current: None)


def without_expiry(patch: pytest.MonkeyPatch, machine: type[RegistryMachine]) -> None:
    patch.setattr(ApprovalRequest, "expired", lambda self, champion: None)


def without_kept_refusals(patch: pytest.MonkeyPatch, machine: type[RegistryMachine]) -> None:
    patch.setattr(Approvals, "_keep_refusal", lambda self, request: None)


def without_provisional(patch: pytest.MonkeyPatch, machine: type[RegistryMachine]) -> None:
    def promote(self: promotions.Promotions, *args: Any, provisional: bool = False, **more: Any) -> Champion:
        return PROMOTE(self, *args, **more)

    patch.setattr(promotions.Promotions, "promote", promote)


PROMOTE = promotions.Promotions.promote


@pytest.mark.deep
@pytest.mark.parametrize(
    ("rules", "weaken"),
    [
        (RegistryMachine, without_condition),
        (RegistryMachine, without_fence),
        (RegistryMachine, without_ensured_log),
        (ApprovalMachine, without_expiry),
        (ApprovalMachine, without_kept_refusals),
        (RegistryMachine, without_provisional),
    ],
)
def test_the_machine_catches(
    rules: type[RegistryMachine],
    weaken: Callable[[pytest.MonkeyPatch, type[RegistryMachine]], None],
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Machine(rules):  # type: ignore[misc, valid-type]
        pass

    Machine.connection = connection
    Machine.TestCase.settings = settings(
        max_examples=60, stateful_step_count=8, derandomize=True, phases=[Phase.generate], database=None
    )
    weaken(monkeypatch, Machine)
    with pytest.raises(CAUGHT):
        Machine.TestCase("runTest").runTest()
    with capsys.disabled():
        print(f"\nmutant {weaken.__name__}: caught after {Machine.steps} states")


# --- out of the machine's reach: a lost answer, a collection or a refusal in the midst of a promotion


@pytest.fixture
def faults(s3: S3) -> Iterator[Faults]:
    with faulty_proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.mark.parametrize("own_retries", [False, True], ids=["as it is", "with boto3's retries"])
def test_a_lost_answer_is_settled_only_without_boto3s_own_retries(
    own_retries: bool, s3: S3, store: Store, faults: Faults
) -> None:
    clients = connect({**s3.environment, "AWS_ENDPOINT_URL": faults.endpoint})
    if own_retries:
        clients = replace(clients, writes=clients.reads)
    faults.add("500 after", key="/new")
    ours = Store(store.bucket, store.root, clients).put_if_absent("new", b"a nonce")
    assert store.get("new").body == b"a nonce"
    assert ours is not own_retries, "boto3 would report a write as refused that was committed"


def forgetful(patch: pytest.MonkeyPatch) -> None:
    """A collection that deletes what was marked without a second look at the champions."""
    decide = deletion._fate

    def fate(version, stored, state, need, *times):  # type: ignore[no-untyped-def]
        return decide(version, stored, state, None if state == "marked" else need, *times)

    patch.setattr(deletion, "_fate", fate)


@pytest.mark.parametrize("look_again", [True, False], ids=["as it is", "without a second look"])
def test_a_version_marked_during_its_promotion_is_saved_only_by_a_second_look(
    look_again: bool, registry: Registry, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in "ab":
        publish(version)
    first = registry.promote("a", registry.start_run({}), None, "")
    run = registry.start_run({})
    looked = Moment(2, after=True)  # after the list that shows no tombstone, and the manifest
    with watched(registry.store._s3, looked, lambda: registry.gc(0)):
        registry.promote("b", run, first, "")
    tombstones = Tombstones(registry.store, "flights")
    assert tombstones.find("b").state == "marked"  # type: ignore[union-attr]
    if not look_again:
        forgetful(monkeypatch)
    registry.gc(0, grace=timedelta(0))
    assert (registry.problems() == []) is look_again
    assert tombstones.find("b").state == ("withdrawn" if look_again else "deleted")  # type: ignore[union-attr]


def hasty(patch: pytest.MonkeyPatch) -> None:
    """An approval that moves the champion before anybody can know of it."""
    patch.setattr(
        Approvals,
        "_settle",
        lambda self, request, answer: request if answer.kind == "approved" else SETTLE(self, request, answer),
    )


SETTLE = Approvals._settle


@pytest.mark.parametrize("settles", [True, False], ids=["as it is", "without a word in pending.json"])
def test_an_approval_excludes_a_refusal_only_by_the_word_that_it_leaves_first(
    settles: bool, registry: Registry, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in "ab":
        publish(version)
    registry.promote("a", registry.start_run({}), None, "")
    if not settles:
        hasty(monkeypatch)
    caught = False
    try:
        both_at_once(registry, Moment(12, after=False))
    except AssertionError:
        caught = True
    assert caught is not settles
