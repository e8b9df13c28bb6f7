"""A challenger waits for a person: approved once, refused for good, void when the champion moved."""

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from incumbent.errors import BadInput, Blocked, Conflict, IncumbentError, NotFound, StaleRun, Tampered
from incumbent.storage.registry.approval_request import ApprovalRequest
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.storage.s3.client import connect
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET
from tests.storage.calls import Crash, Moment, watched
from tests.storage.conftest import Publish

PENDING = "flights/pending.json"
REASONS = ("better than a by more than 0.0",)


def wait(registry: Registry, version: str) -> ApprovalRequest:
    """A whole run whose challenger won and waits."""
    return registry.approvals.ask(version, registry.start_run({}), registry.champion(), REASONS)


@pytest.fixture
def office(registry: Registry, publish: Publish) -> Registry:
    """a is champion; b, c and d were published only."""
    for version in "abcd":
        publish(version)
    registry.promote("a", registry.start_run({}), None, "")
    return registry


def versions(registry: Registry) -> list[str]:
    """Of all champions there were."""
    return [entry.version for entry in registry.history()]


def test_nothing_waits_at_first(registry: Registry) -> None:
    assert registry.approvals.latest() is None
    assert registry.approvals.waiting() is None
    assert registry.approvals.refusals() == []
    for answer in (registry.approvals.approve, registry.approvals.refuse):
        with pytest.raises(
            NotFound,
            match="model 'flights' has no version 'b'; no version waits for approval; see `incumbent models",
        ):
            answer("b", "fine", "ann")


def test_an_answer_for_another_version_names_what_waits(office: Registry) -> None:
    wait(office, "b")
    for answer in (office.approvals.approve, office.approvals.refuse):
        with pytest.raises(NotFound, match="model 'flights' has no version 'v999'; 'b' waits for approval"):
            answer("v999", "fine", "ann")
        with pytest.raises(NotFound, match="'c' of model 'flights' does not wait for approval: 'b' waits"):
            answer("c", "fine", "ann")
    office.approvals.refuse("b", "no", "ann")
    with pytest.raises(NotFound, match=r"'c' .* does not wait for approval: no version waits"):
        office.approvals.approve("c", "fine", "ann")


def test_an_approval_makes_it_champion_with_who_and_why(office: Registry) -> None:
    request = wait(office, "b")
    assert office.approvals.waiting() == request
    assert versions(office) == ["a"]
    champion = office.approvals.approve("b", "the slices look fine", "ann")
    assert office.champion() == champion
    assert (champion.op, champion.version, champion.replaced) == ("promote", "b", "a")
    assert (champion.run_seq, champion.by) == (request.run_seq, "ann")
    assert champion.reason == "approved: the slices look fine; better than a by more than 0.0"
    assert office.approvals.waiting() is None
    assert office.problems() == []


def test_a_first_model_waits_while_there_is_no_champion(registry: Registry, publish: Publish) -> None:
    publish("a")
    request = wait(registry, "a")
    assert (request.champion, request.txid) == (None, None)
    assert registry.champion() is None
    assert registry.approvals.approve("a", "go", "ann").replaced is None


def test_a_refusal_is_kept_for_good(office: Registry) -> None:
    wait(office, "b")
    refusal = office.approvals.refuse("b", "worse for the smallest airport", "bob")
    assert versions(office) == ["a"]
    assert office.approvals.waiting() is None
    wait(office, "c")
    assert office.approvals.refusals() == [refusal]
    answer = refusal.answer
    assert answer is not None
    assert (answer.kind, answer.by, answer.reason) == ("refused", "bob", "worse for the smallest airport")
    for use in (office.approvals.approve, office.approvals.refuse):
        with pytest.raises(BadInput, match=r"'b' was refused by bob: worse for .* promote b --force"):
            use("b", "and yet", "ann")
    assert versions(office) == ["a"]
    assert office.problems() == []


def test_the_same_answer_again_changes_nothing(office: Registry) -> None:
    wait(office, "b")
    champion = office.approvals.approve("b", "fine", "ann")
    assert office.approvals.approve("b", "fine for me, too", "bob") == champion
    wait(office, "c")
    refusal = office.approvals.refuse("c", "no", "ann")
    assert office.approvals.refuse("c", "no!", "bob") == refusal
    assert versions(office) == ["a", "b"]


def test_what_was_approved_can_not_be_refused(office: Registry) -> None:
    wait(office, "b")
    office.approvals.approve("b", "fine", "ann")
    with pytest.raises(BadInput, match=r"'b' was approved by ann at .*models rollback"):
        office.approvals.refuse("b", "no", "bob")
    assert versions(office) == ["a", "b"]


@pytest.mark.parametrize(
    ("reason", "by", "said"), [(" ", "ann", "need a reason"), ("fine", "", "the name of")]
)
def test_an_answer_names_a_reason_and_a_person(reason: str, by: str, said: str, office: Registry) -> None:
    request = wait(office, "b")
    for answer in (office.approvals.approve, office.approvals.refuse):
        with pytest.raises(BadInput, match=said):
            answer("b", reason, by)
    assert office.approvals.waiting() == request


# --- it expires


def promoted(registry: Registry) -> None:
    registry.promote("c", registry.start_run({}), registry.champion(), "")


def forced(registry: Registry) -> None:
    registry.force("c", "urgent")


def rolled_back(registry: Registry) -> None:
    promoted(registry)
    registry.rollback(None, "c was bad")


def held(registry: Registry) -> None:
    run = registry.start_run({})
    registry.approvals.expire(run, f"run {run} made 'c', which it held")


def replaced(registry: Registry) -> None:
    wait(registry, "c")


EXPIRY = [
    pytest.param(
        promoted, r"compared with champion 'a', and the champion is now 'c' \(entry 2\)", id="promote"
    ),
    pytest.param(forced, r"compared with champion 'a', and the champion is now 'c'", id="force"),
    pytest.param(
        rolled_back, r"compared with champion 'a', and the champion is now 'a' \(entry 3\)", id="back"
    ),
    pytest.param(held, r"run 3 made 'c', which it held", id="a newer challenger"),
    pytest.param(replaced, "does not wait for approval: 'c' waits", id="a newer winner"),
]


@pytest.mark.parametrize(("event", "said"), EXPIRY)
def test_an_expired_one_can_be_neither_approved_nor_refused(
    event: Callable[[Registry], None], said: str, office: Registry
) -> None:
    wait(office, "b")
    event(office)
    before = office.history()
    waiting = office.approvals.waiting()
    assert waiting is None or waiting.version == "c"
    for answer in (office.approvals.approve, office.approvals.refuse):
        with pytest.raises(BadInput, match=said):
            answer("b", "fine", "ann")
    assert office.history() == before
    assert office.approvals.refusals() == []
    assert office.problems() == []


def test_an_older_run_neither_replaces_nor_ends_a_newer_ones_wait(office: Registry) -> None:
    slow = office.start_run({})
    request = wait(office, "c")
    with pytest.raises(StaleRun, match=r"run 2 may not let 'b' wait .* run 3 let 'c' wait, which won"):
        office.approvals.ask("b", slow, office.champion(), REASONS)
    office.approvals.expire(slow, "it was slow")
    assert office.approvals.waiting() == request


def test_a_retried_run_finds_its_request_or_its_refusal(office: Registry) -> None:
    run, champion = office.start_run({}), office.champion()
    request = office.approvals.ask("b", run, champion, REASONS)
    assert office.approvals.ask("b", run, champion, REASONS) == request
    refusal = office.approvals.refuse("b", "no", "ann")
    assert office.approvals.ask("b", run, champion, REASONS) == refusal


# --- a shadow, which a later run finds better


def shadow_asks(registry: Registry, made_by: int, asked_by: int) -> ApprovalRequest:
    champion = registry.champion()
    return registry.approvals.ask("b", made_by, champion, REASONS, asked_by=asked_by)


def test_a_shadow_waits_until_a_run_after_the_one_that_asked_has_a_challenger(office: Registry) -> None:
    made_by, asked_by = office.start_run({}), office.start_run({})
    request = shadow_asks(office, made_by, asked_by)
    office.approvals.expire(asked_by, "the same run held its own challenger")
    assert office.approvals.waiting() == request
    later = office.start_run({})
    again = shadow_asks(office, made_by, later)
    assert (again.run_seq, again.since) == (made_by, later)
    office.approvals.expire(later, "held")
    assert office.approvals.waiting() == again
    office.approvals.expire(office.start_run({}), "held")
    assert office.approvals.waiting() is None
    last = shadow_asks(office, made_by, office.start_run({}))  # still better at the next arrival
    assert office.approvals.waiting() == last
    champion = office.approvals.approve("b", "fine", "ann")
    assert (champion.version, champion.run_seq) == ("b", made_by)
    assert office.problems() == []


def test_a_shadow_that_was_refused_is_not_asked_for_again(office: Registry) -> None:
    made_by = office.start_run({})
    shadow_asks(office, made_by, office.start_run({}))
    refusal = office.approvals.refuse("b", "no", "ann")
    wait(office, "c")
    assert shadow_asks(office, made_by, office.start_run({})) == refusal
    waiting = office.approvals.waiting()
    assert waiting is not None
    assert waiting.version == "c"


def test_the_own_winner_of_a_run_comes_after_the_shadow(office: Registry) -> None:
    made_by, run = office.start_run({}), office.start_run({})
    shadow_asks(office, made_by, run)
    own = office.approvals.ask("c", run, office.champion(), REASONS)
    assert office.approvals.waiting() == own
    with pytest.raises(
        StaleRun, match=f"run {run} may not let 'b' wait for approval: run {run} let 'c' wait"
    ):
        shadow_asks(office, made_by, run)


def test_an_approval_of_a_shadow_that_died_half_way_is_not_lost(office: Registry) -> None:
    made_by = office.start_run({})
    shadow_asks(office, made_by, office.start_run({}))
    for call in count(1):
        with watched(office.store._s3, Moment(call, after=True)), suppress(Crash):
            office.approvals.approve("b", "fine", "ann")
        half = office.approvals.latest()
        if half and half.answer:
            break
    assert versions(office) == ["a"]
    assert shadow_asks(office, made_by, office.start_run({})) == half
    assert office.approvals.approve("b", "fine", "ann").by == "ann"


def test_a_run_that_met_a_former_champion_compares_again(office: Registry) -> None:
    run, met = office.start_run({}), office.champion()
    back = rolled_back_to_a(office)
    with pytest.raises(Conflict, match=r"'b' waits in vain: .*now 'a' \(entry 3\); compare again"):
        office.approvals.ask("b", run + 2, met, REASONS)
    assert office.approvals.waiting() is None
    assert office.approvals.ask("b", run + 2, back, REASONS).txid == back.txid
    assert office.approvals.approve("b", "fine", "ann").version == "b"


def rolled_back_to_a(registry: Registry) -> Champion:
    rolled_back(registry)
    champion = registry.champion()
    assert champion is not None
    registry.start_run({})
    return champion


def test_what_could_not_be_promoted_does_not_wait(office: Registry) -> None:
    promoted(office)
    office.rollback(None, "c was bad")
    for version, error in (("c", Blocked), ("a", BadInput), ("x", NotFound)):
        with pytest.raises(error):
            wait(office, version)
    assert office.approvals.latest() is None


def test_a_damaged_version_is_not_approved(office: Registry) -> None:
    request = wait(office, "b")
    office.store.put("flights/versions/b/model.txt", b"?")
    with pytest.raises(Tampered, match=r"b/model.txt is not what was published"):
        office.approvals.approve("b", "fine", "ann")
    assert office.approvals.waiting() == request


def test_deletion_leaves_what_waits(office: Registry) -> None:
    wait(office, "b")
    for _ in range(2):
        office.gc(0, grace=timedelta(0))
    assert {manifest["version"] for manifest in office.versions()} == {"a", "b"}
    assert office.approvals.approve("b", "fine", "ann").version == "b"
    assert office.problems() == []


def test_a_marked_version_is_not_approved_until_its_mark_is_withdrawn(office: Registry) -> None:
    office.gc(0)
    wait_unmarked = office.start_run({})
    with pytest.raises(NotFound, match="'b' is marked for deletion"):
        office.approvals.ask("b", wait_unmarked, office.champion(), REASONS)


# --- damage


DAMAGES = [
    pytest.param(PENDING, b"<html>", r"pending.json is not the JSON", id="pending"),
    pytest.param("flights/refusals/000000000002.json", b"{}", r"format number is missing", id="refusal"),
]


@pytest.mark.parametrize(("key", "body", "said"), DAMAGES)
def test_damage_is_refused_and_listed(key: str, body: bytes, said: str, office: Registry) -> None:
    wait(office, "b")
    office.approvals.refuse("b", "no", "ann")
    office.store.put(key, body)
    with pytest.raises(Tampered, match=said):
        office.approvals.refusals()
    assert any(said in problem for problem in office.problems())
    assert versions(office) == ["a"]


def edit(registry: Registry, key: str, **changes: object) -> None:
    document = json.loads(registry.store.get(key).body)
    registry.store.put(key, json.dumps({**document, **changes}).encode())


def test_an_altered_refusal_is_listed(office: Registry) -> None:
    wait(office, "b")
    office.approvals.refuse("b", "no", "ann")
    edit(office, "flights/refusals/000000000002.json", version="c")
    [problem] = office.problems()
    assert "refusals/000000000002.json differs from" in problem


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"txid": "x"}, "names entry 'x', which the log"),
        ({"version": "z"}, "'z' waits for approval and is missing"),
    ],
)
def test_a_request_that_no_run_made_is_listed(
    changes: dict[str, object], said: str, office: Registry
) -> None:
    wait(office, "b")
    edit(office, PENDING, **changes)
    [problem] = office.problems()
    assert said in problem


# --- at once, and interrupted


def attempt(act: Callable[[], object]) -> object:
    try:
        return act()
    except (BadInput, Conflict) as error:
        return error


def test_of_an_approval_and_a_refusal_at_once_one_counts(office: Registry) -> None:
    for version in "bcd":
        wait(office, version)
        acts = [
            partial(office.approvals.approve, version, "yes", "ann"),
            partial(office.approvals.refuse, version, "no", "bob"),
        ]
        with ThreadPoolExecutor(2) as pool:
            yes, no = pool.map(attempt, acts)
        assert isinstance(yes, Champion) is not isinstance(no, ApprovalRequest), (yes, no)
        assert (versions(office)[-1] == version) is isinstance(yes, Champion)
    assert office.problems() == []


def test_two_who_approve_at_once_agree(office: Registry) -> None:
    wait(office, "b")
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: office.approvals.approve("b", "yes", name), ["ann", "bob"]))
    assert done[0] == done[1] == office.champion()
    assert versions(office) == ["a", "b"]


def test_an_approval_while_a_run_promotes_never_overrules_it(office: Registry) -> None:
    wait(office, "b")
    run, met = office.start_run({}), office.champion()
    acts = [
        lambda: office.approvals.approve("b", "yes", "ann"),
        lambda: office.promote("c", run, met, "better"),
    ]
    with ThreadPoolExecutor(2) as pool:
        approved, won = pool.map(attempt, acts)
    assert isinstance(approved, Champion) is not isinstance(won, Champion), (approved, won)
    assert versions(office) == ["a", "b" if isinstance(approved, Champion) else "c"]
    assert office.problems() == []


@pytest.mark.parametrize("call", range(1, 14))
def test_a_promotion_at_any_moment_of_an_approval_leaves_one_successor(call: int, office: Registry) -> None:
    wait(office, "b")
    run, met = office.start_run({}), office.champion()
    other = lambda: attempt(lambda: office.promote("c", run, met, "better"))  # noqa: E731
    with watched(office.store._s3, Moment(call, after=False), other):
        approved = attempt(lambda: office.approvals.approve("b", "yes", "ann"))
    assert versions(office) == ["a", "b" if isinstance(approved, Champion) else "c"]
    if isinstance(approved, IncumbentError):
        assert "has expired: it was compared with champion 'a'" in str(approved)
    assert office.problems() == []


@pytest.mark.parametrize("call", range(1, 14))
def test_a_refusal_at_any_moment_of_an_approval_excludes_it(call: int, office: Registry) -> None:
    both_at_once(office, Moment(call, after=False))


def both_at_once(registry: Registry, moment: Moment) -> None:
    """Bob refuses in the midst of Ann's approval; one of them counts."""
    wait(registry, "b")
    refused: list[object] = []
    refuse = lambda: refused.append(attempt(lambda: registry.approvals.refuse("b", "no", "bob")))  # noqa: E731
    with watched(registry.store._s3, moment, refuse):
        approved = attempt(lambda: registry.approvals.approve("b", "yes", "ann"))
    no = [each for each in refused if isinstance(each, ApprovalRequest)]
    assert isinstance(approved, Champion) is not bool(no), (approved, refused)
    assert versions(registry)[1:] == (["b"] if isinstance(approved, Champion) else [])
    assert registry.approvals.refusals() == no
    assert registry.problems() == []


def approve(registry: Registry) -> None:
    registry.approvals.approve("b", "yes", "ann")


def refuse(registry: Registry) -> None:
    registry.approvals.refuse("b", "no", "ann")


def ask(registry: Registry) -> None:
    registry.approvals.ask("c", 3, registry.champion(), REASONS)


def expire(registry: Registry) -> None:
    registry.approvals.expire(3, "run 3 held 'c'")


@pytest.mark.parametrize("act", [approve, refuse, ask, expire], ids=lambda act: act.__name__)
def test_kill_9_at_any_call_is_harmless_and_the_same_again_ends_it(
    act: Callable[[Registry], None], registry: Registry, publish: Publish
) -> None:
    unused = connect()
    deaths, status = 0, signal.SIGKILL.value
    while status == signal.SIGKILL:
        moment, root = Moment(deaths // 2 + 1, after=deaths % 2 == 1), f"{registry.store.root}/{deaths}"
        here = Registry(Store(BUCKET, root, registry.store._s3), "flights")
        copy_of_office(registry, here, publish)
        status = die(Registry(Store(BUCKET, root, unused), "flights"), act, moment)
        deaths += 1
        assert here.problems() == [], f"after a death at {moment}"
        act(here)
        assert here.problems() == []
        assert versions(here) == (["a", "b"] if act is approve else ["a"])
        assert len(here.approvals.refusals()) == (act is refuse)
        waiting = here.approvals.waiting()
        assert (waiting.version if waiting else None) == ("c" if act is ask else None)
    assert status == 0, "the last one has no such call, and ends well"
    assert deaths > 2 * 2


def copy_of_office(source: Registry, target: Registry, publish: Publish) -> None:
    """a is champion, b waits, c is published by run 3."""
    if not source.versions():
        for version in "abc":
            publish(version)
        source.promote("a", source.start_run({}), None, "")
        wait(source, "b")
        source.start_run({})
    for key in list(source.store.list("flights/")):
        target.store.put(key, source.store.get(key).body)


def die(registry: Registry, act: Callable[[Registry], None], moment: Moment) -> int:
    """The status of a forked child that kills itself at this moment."""
    child = os.fork()
    if child == 0:
        try:
            with watched(registry.store._s3, moment, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                act(registry)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]
