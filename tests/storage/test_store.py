"""The store's contract, on a real server."""

import hashlib
from pathlib import Path

import pytest

from incumbent.errors import BadParams, Conflict, NotFound, StorageUnavailable
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Store

HELLO_SHA256 = hashlib.sha256(b"hello").hexdigest()


def test_what_is_put_can_be_read(store: Store) -> None:
    store.put("a/b.json", b"1")
    store.put("a/b.json", b"2")
    assert store.get("a/b.json").body == b"2"


def test_an_absent_key_is_found_by_nobody(store: Store) -> None:
    assert store.find("absent") is None
    assert not store.exists("absent")
    for ask in (store.get, store.digest, lambda key: store.download(key, Path("nowhere"))):
        with pytest.raises(NotFound, match=r"nothing at s3://incumbent/.+/registry/absent"):
            ask("absent")


def test_a_key_exists_only_by_its_whole_name(store: Store) -> None:
    store.put("a/model.txt", b"1")
    assert [store.exists(key) for key in ("a/model.txt", "a/model", "a/", "a")] == [True, False, False, False]


def test_put_if_absent_never_overwrites(store: Store) -> None:
    assert store.put_if_absent("key", b"first")
    assert not store.put_if_absent("key", b"second")
    assert not store.put_if_absent("key", b"first"), "without doubt equal bytes are another's"
    assert store.get("key").body == b"first"


def test_replace_needs_the_etag_of_what_is_there(store: Store) -> None:
    store.put("key", b"1")
    first = store.get("key").etag
    second = store.replace("key", b"2", expected=first)
    assert store.get("key").etag == second
    with pytest.raises(Conflict, match="changed since it was read"):
        store.replace("key", b"3", expected=first)
    assert store.get("key").body == b"2"


def test_replace_of_an_absent_key_is_a_conflict(store: Store) -> None:
    with pytest.raises(Conflict):
        store.replace("absent", b"1", expected='"0123456789abcdef0123456789abcdef"')


def test_list_goes_through_all_pages_in_order(store: Store) -> None:
    keys = [f"many/{number:03d}" for number in range(25)]
    for key in (*keys, "other/1", "manyfold"):
        store.put(key, b"")
    assert list(store.list("many/", page_size=4)) == keys
    assert list(store.list("many/", after="many/019", page_size=4)) == keys[20:]
    assert list(store.list("nothing/")) == []


def test_many_objects_are_read_in_order_without_the_absent(store: Store) -> None:
    for number in range(20):
        store.put(f"n/{number:02d}", str(number).encode())
    found = store.find_all(["n/00", "n/99", *store.list("n/", after="n/00")])
    assert [item.body for _, item in found] == [str(number).encode() for number in range(20)]


def test_files_go_up_once_and_come_down_whole(store: Store, tmp_path: Path) -> None:
    source, target = tmp_path / "up", tmp_path / "down"
    source.write_bytes(b"hello" * 1_000_000)
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.upload("big", source, sha256)
    assert not store.upload("big", source, sha256)
    assert store.digest("big") == (sha256, 5_000_000)
    store.download("big", target)
    assert target.read_bytes() == source.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["down", "up"]


def test_a_file_that_changed_since_its_digest_was_taken_is_not_stored(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"world")
    with pytest.raises(StorageUnavailable, match=r"received other bytes .* than were announced"):
        store.upload("file", tmp_path / "file", HELLO_SHA256)
    assert not store.exists("file")


def test_an_empty_file_is_a_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    empty = hashlib.sha256(b"").hexdigest()
    assert store.upload("empty", tmp_path / "empty", empty)
    assert store.digest("empty") == (empty, 0)


def test_delete_is_harmless_twice(store: Store) -> None:
    store.put("key", b"1")
    store.delete("key")
    store.delete("key")
    assert not store.exists("key")


def test_two_prefixes_do_not_see_each_other(store: Store) -> None:
    store.put("key", b"1")
    outer = open_store(f"s3://{store.bucket}/{store.root.rpartition('/')[0]}")
    assert list(outer.list()) == ["registry/key"]
    assert list(open_store(f"{outer.url()}other").list()) == []


def test_the_self_test_runs_before_the_first_conditional_write_only(store: Store) -> None:
    store.put("plain", b"")
    assert list(store.list()) == ["plain"]
    store.put_if_absent("first", b"")
    assert list(store.list()) == [".selftest/conditions", "first", "plain"]


@pytest.mark.parametrize(
    ("address", "bucket", "root"),
    [
        ("s3://incumbent", "incumbent", ""),
        ("s3://incumbent/", "incumbent", ""),
        ("s3://incumbent/registry", "incumbent", "registry"),
        ("s3://my.bucket-1/team/models/", "my.bucket-1", "team/models"),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(address: str, bucket: str, root: str) -> None:
    opened = open_store(address)
    assert (opened.bucket, opened.root) == (bucket, root)


@pytest.mark.parametrize(
    "address",
    [
        *("", "s3://", "incumbent/registry", "http://incumbent/registry", "s3:///registry"),
        *(
            "s3://UPPER/x",
            "s3://a/x",
            "s3://bucket//x",
            "s3://bucket/../x",
            "s3://bucket/a b",
            "s3://bucket/x?y",
        ),
        *("s3://bucket/x\n", "s3://key:secret@bucket/x"),
    ],
)
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(BadParams, match="must look like s3://bucket/prefix"):
        open_store(address)
