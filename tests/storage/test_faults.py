"""S3 fails at the worst moment: what was committed is known to be, what was not is not claimed to be."""

from pathlib import Path

import pytest

from incumbent.errors import Conflict, StorageUnavailable, Tampered
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.storage.s3.store import Store
from tests.storage.conftest import Publish
from tests.storage.faulty_proxy import Faults

PASSING = [
    pytest.param("503", 3, id="three 503"),
    pytest.param("409", 2, id="two 409"),
    pytest.param("500 before", 1, id="500 without commit"),
    pytest.param("500 after", 1, id="500 after the commit"),
    pytest.param("500 after", 2, id="500 twice after the commit"),
    pytest.param("garbled", 1, id="garbled XML after the commit"),
    pytest.param("reset before", 1, id="reset before the commit"),
    pytest.param("reset after", 1, id="reset after the commit"),
    pytest.param("blackhole", 1, id="no answer"),
]
LANDED = [param for param in PASSING if "after" in str(param.id)]


@pytest.fixture
def shaky_registry(shaky: Store) -> Registry:
    """The same registry as `registry`, seen through the proxy."""
    return Registry(shaky, "flights")


@pytest.fixture
def first(registry: Registry, publish: Publish) -> Champion:
    """Version a in office; b and c published; runs 1 to 3 started."""
    for version in "abc":
        publish(version)
    champion = registry.promote("a", registry.start_run({}), None, "")
    assert [registry.start_run({}), registry.start_run({})] == [2, 3]
    return champion


@pytest.mark.parametrize(("kind", "times"), PASSING)
def test_a_put_if_absent_is_settled(kind, times, shaky: Store, faults: Faults, store: Store) -> None:
    faults.add(kind, key="/new", times=times)
    assert shaky.put_if_absent("new", b"nonce")
    assert store.get("new").body == b"nonce"


@pytest.mark.parametrize(("kind", "times"), LANDED)
def test_a_put_if_absent_does_not_take_anothers_for_its_own(
    kind, times, shaky: Store, faults: Faults, store: Store
) -> None:
    store.put("old", b"theirs")
    faults.add(kind, key="/old", times=times)
    assert not shaky.put_if_absent("old", b"ours")
    assert store.get("old").body == b"theirs"


@pytest.mark.parametrize(("kind", "times"), PASSING)
def test_a_promotion_is_settled(
    kind, times, first: Champion, shaky_registry: Registry, faults: Faults, registry: Registry
) -> None:
    faults.add(kind, key="/champion.json", times=times)
    second = shaky_registry.promote("b", 2, first, "")
    assert registry.history() == [first, second]


@pytest.mark.parametrize(("kind", "times"), LANDED)
def test_a_log_entry_is_settled(
    kind, times, first: Champion, shaky_registry: Registry, faults: Faults, registry: Registry
) -> None:
    faults.add(kind, key="/log/000000000002.json", times=times)
    second = shaky_registry.promote("b", 2, first, "")
    assert registry.store.get("flights/log/000000000002.json").body == second.body()


@pytest.mark.parametrize(("kind", "times"), LANDED)
def test_a_published_file_is_settled(
    kind, times, shaky_registry: Registry, faults: Faults, tmp_path: Path, registry: Registry
) -> None:
    (tmp_path / "model.txt").write_bytes(b"tree")
    faults.add(kind, key="/model.txt", times=times)
    faults.add(kind, key="/manifest.json", times=times)
    shaky_registry.publish("v", {"model.txt": tmp_path / "model.txt"}, {})
    assert registry.verify("v") == registry.versions()[0]


@pytest.mark.parametrize("kind", ["500 after", "reset after"])
def test_a_promotion_counts_that_was_followed_by_another_before_we_heard_of_it(
    kind, first: Champion, shaky_registry: Registry, faults: Faults, registry: Registry
) -> None:
    faults.add(
        kind, key="/champion.json", meanwhile=lambda: registry.promote("c", 3, registry.champion(), "")
    )
    second = shaky_registry.promote("b", 2, first, "")
    assert [entry.version for entry in registry.history()] == ["a", "b", "c"]
    assert registry.history()[1].txid == second.txid


@pytest.mark.parametrize("kind", ["500 before", "reset before", "409"])
def test_a_promotion_does_not_count_if_another_came_first(
    kind, first: Champion, shaky_registry: Registry, faults: Faults, registry: Registry
) -> None:
    faults.add(kind, key="/champion.json", meanwhile=lambda: registry.promote("b", 2, first, ""))
    with pytest.raises(Conflict, match="compare again"):
        shaky_registry.promote("c", 3, first, "")
    assert [entry.version for entry in registry.history()] == ["a", "b"]


@pytest.mark.parametrize("kind", ["409", "503", "reset before"])
def test_endless_trouble_ends_in_a_clear_refusal(
    kind, first: Champion, shaky_registry: Registry, faults: Faults, registry: Registry, monkeypatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    faults.add(kind, key="/champion.json", times=99)
    with pytest.raises(StorageUnavailable, match=r"flights/champion.json.*running again is safe"):
        shaky_registry.promote("b", 2, first, "")
    assert registry.history() == [first]


def test_after_a_commit_that_stayed_unknown_the_same_call_finds_it_done(
    first: Champion, shaky_registry: Registry, faults: Faults, registry: Registry, monkeypatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    faults.add("500 after", key="/champion.json", times=99)
    with pytest.raises(StorageUnavailable):
        shaky_registry.promote("b", 2, first, "")
    faults.coming.clear()
    again = shaky_registry.promote("b", 2, first, "")
    assert registry.history() == [first, again]


def test_a_wrong_clock_is_named(shaky: Store, faults: Faults) -> None:
    faults.add("skew", method="GET", key="/key", times=99)
    with pytest.raises(StorageUnavailable, match="this machine's clock is wrong"):
        shaky.get("key")


@pytest.mark.parametrize("kind", ["truncate", "reset after", "503", "garbled"])
def test_a_broken_read_is_read_again(
    kind, shaky: Store, faults: Faults, store: Store, tmp_path: Path
) -> None:
    store.put("key", b"0123456789" * 1000)
    for read in (lambda: shaky.get("key").body, lambda: shaky.digest("key")[1]):
        faults.add(kind, method="GET", key="/key")
        assert read() in (b"0123456789" * 1000, 10_000)
    faults.add(kind, method="GET", key="/key")
    shaky.download("key", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"0123456789" * 1000


def test_an_absence_whose_answer_broke_off_is_an_absence(shaky: Store, faults: Faults) -> None:
    faults.add("truncate", method="GET", key="/absent")
    assert shaky.find("absent") is None


def test_an_absence_that_is_never_explained_is_not_believed(
    shaky: Store, faults: Faults, monkeypatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    faults.add("truncate", method="GET", key="/absent", times=99)
    with pytest.raises(StorageUnavailable, match=r"without saying what is missing|broke off"):
        shaky.find("absent")


def test_a_no_that_breaks_off_is_asked_again(shaky: Store, faults: Faults, store: Store) -> None:
    store.put("key", b"1")
    faults.add("reset mid-body", method="PUT", key="/key")
    with pytest.raises(Conflict):
        shaky.replace("key", b"2", expected='"0123456789abcdef0123456789abcdef"')
    assert store.get("key").body == b"1"


def test_a_read_that_always_breaks_leaves_no_half_file(
    shaky: Store, faults: Faults, store: Store, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    store.put("key", b"0123456789")
    faults.add("truncate", method="GET", key="/key", times=99)
    with pytest.raises(StorageUnavailable, match="broke off"):
        shaky.download("key", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_bit_that_flips_on_the_way_never_gets_into_a_model(
    shaky_registry: Registry, faults: Faults, publish: Publish, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    publish("v", "0123456789")
    faults.add("corrupt", method="GET", key="/model.txt", times=99)
    with pytest.raises(Tampered, match=r"model.txt"):
        shaky_registry.pull("v", tmp_path / "pulled")
    assert list((tmp_path / "pulled").iterdir()) == []
