"""The landing prefix and quarantine on a real server."""

import uuid
from pathlib import Path, PurePosixPath

import pytest

from incumbent.errors import BadInput, NotFound
from incumbent.storage.dataset.landing import Landing
from incumbent.storage.dataset.quarantine import Quarantine
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Store
from incumbent.tables.partitions import Partition
from incumbent.tables.sources import Source
from tests.conftest import S3


@pytest.fixture
def store(s3: S3) -> Store:
    return open_store(f"{s3.address}/{uuid.uuid4().hex}/flights")


def test_files_are_taken_in_the_order_they_landed_with_their_bytes(store: Store, tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "deep/a.csv"):
        store.put(name, name.encode())
    taken = list(Landing(store).take(tmp_path))
    written = [found.written for found in Landing(store).waiting()]
    assert sorted(landed.key for landed in taken) == ["a.csv", "b.csv", "deep/a.csv"]
    assert written == sorted(written)
    assert all(landed.path.read_text() == landed.key for landed in taken)
    assert "deep-a.csv" in {landed.path.name for landed in taken}
    assert len({landed.path for landed in taken}) == 3


def test_what_is_not_finished_or_hidden_is_left_alone(store: Store, tmp_path: Path) -> None:
    for name in ("_SUCCESS", ".hidden.csv", "x.csv.part", "x.tmp", "_temporary/0/x.csv"):
        store.put(name, b"-")
    assert list(Landing(store).take(tmp_path)) == []


def test_a_file_that_was_overwritten_meanwhile_stays(store: Store, tmp_path: Path) -> None:
    store.put("kept.csv", b"old")
    store.put("gone.csv", b"old")
    kept, gone = sorted(Landing(store).take(tmp_path), key=lambda landed: landed.key, reverse=True)
    store.put("kept.csv", b"new")
    assert not Landing(store).clear(kept)
    assert Landing(store).clear(gone)
    assert Landing(store).clear(gone)  # a run that was repeated
    assert [found.key for found in Landing(store).waiting()] == ["kept.csv"]
    assert store.get("kept.csv").body == b"new"


def test_a_refused_file_is_kept_once_with_its_reasons(store: Store, tmp_path: Path) -> None:
    quarantine, file = Quarantine(store), tmp_path / "march.csv"
    file.write_bytes(b"a,b\n1\n")
    entry = quarantine.keep(Source(file, PurePosixPath(file.name)), ["critical: ragged"], 7)
    assert quarantine.keep(Source(file, PurePosixPath(file.name)), ["critical: ragged"], 8) == entry
    [about] = quarantine.entries()
    assert about == quarantine.show(entry)
    assert (about["reasons"], about["run"], about["released"]) == (["critical: ragged"], 7, None)
    back = quarantine.fetch(entry, tmp_path / "back")
    assert (back.name, back.path.read_bytes()) == ("march", file.read_bytes())


def test_a_refused_file_comes_back_with_the_folders_that_it_lay_in(store: Store, tmp_path: Path) -> None:
    quarantine, file = Quarantine(store), tmp_path / "data.csv"
    file.write_bytes(b"y\n1\n")
    entry = quarantine.keep(Source(file, PurePosixPath("month=2025-01/data.csv")), ["why"], 7)
    assert entry.endswith("-month=2025-01-data.csv")
    back = quarantine.fetch(entry, tmp_path / "back")
    assert (back.name, back.columns) == ("month=2025-01-data", {"month": "2025-01"})


def test_a_file_is_released_once_and_stays_on_record(store: Store, tmp_path: Path) -> None:
    quarantine, file = Quarantine(store), tmp_path / "march.csv"
    file.write_bytes(b"-")
    entry = quarantine.keep(Source(file, PurePosixPath(file.name)), ["why"], 7)
    quarantine.mark_released(entry, "checked by hand", "abc", ["0123"])
    data = [Partition("march.parquet", "0123"), Partition("april.parquet", "4567")]
    [(name, told)] = quarantine.let_pass(data).items()
    assert (name, told.endswith("let it pass: checked by hand")) == ("march.parquet", True)
    assert quarantine.show(entry)["released"]["reason"] == "checked by hand"
    assert quarantine.require_held(entry)["released"]  # until the event is sent it can be repeated
    quarantine.mark_announced(entry)
    with pytest.raises(BadInput, match=f"'{entry}' was released by "):
        quarantine.require_held(entry)
    assert quarantine.keep(Source(file, PurePosixPath(file.name)), ["again"], 9) == entry
    assert (quarantine.show(entry)["released"], quarantine.show(entry)["run"]) == (None, 9)
    assert quarantine.show(entry)["before"]["released"]["reason"] == "checked by hand"
    with pytest.raises(NotFound, match="incumbent quarantine list"):
        quarantine.show("nothing")


def test_rows_are_kept_once_and_again_when_they_come_with_other_rows(store: Store, tmp_path: Path) -> None:
    quarantine = Quarantine(store)
    aside, rest = tmp_path / "march.parquet", tmp_path / "rest" / "march.parquet"
    rest.parent.mkdir()
    aside.write_bytes(b"rows")
    rest.write_bytes(b"rest")
    entry = quarantine.keep_rows(aside, 3, rest, ["quarantine: negative"])
    assert quarantine.keep_rows(aside, 3, rest, ["quarantine: negative"]) == entry
    [about] = quarantine.entries()
    assert (about["kind"], about["partition"], about["rows"]) == ("rows", "march.parquet", 3)
    assert quarantine.fetch(entry, tmp_path / "back").path.read_bytes() == b"rows"
    rest.write_bytes(b"corrected")
    assert quarantine.keep_rows(aside, 3, rest, ["quarantine: negative"]) == entry
    [again] = quarantine.entries()
    assert again["before"] == about
    assert again["md5"] != about["md5"]
