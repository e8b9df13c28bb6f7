"""Data versions on the real DVC, git and S3: add without the history, read without a checkout."""

import hashlib
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from incumbent.errors import BadInput, IncumbentError, NotFound, StorageUnavailable, Tampered
from incumbent.storage.dataset import arrivals
from incumbent.storage.dataset.arrivals import add_partitions, catch_up
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.versions import arrivals_of, fetch, resolve
from incumbent.storage.s3.client import Connection
from tests.conftest import BUCKET
from tests.storage.clones import identify, partition
from tests.storage.conftest import REMOTE


def test_a_partition_is_added_without_pulling_the_others(clone: Path, tmp_path: Path) -> None:
    version = add_partitions(clone, [partition(tmp_path, 3)])
    assert [p.name for p in version.partitions] == ["month-1.parquet", "month-2.parquet", "month-3.parquet"]
    assert [file.name for file in (clone / "data").iterdir()] == ["month-3.parquet"]
    cached = [file for file in (clone / ".dvc" / "cache").rglob("*") if file.is_file()]
    assert len(cached) <= 3  # the new file and listings; never the other partitions


def test_the_new_version_reaches_every_other_clone(clone: Path, origin: Path, tmp_path: Path) -> None:
    added = partition(tmp_path, 3)
    version = add_partitions(clone, [added])
    other = tmp_path / "other"
    git(origin, "clone", "--quiet", str(origin), str(other))
    seen = resolve(other)
    assert seen == version
    (path,) = fetch(other, seen, ["month-3.parquet"])
    assert path.read_bytes() == added.read_bytes()


def test_the_same_bytes_again_are_the_same_version(clone: Path, tmp_path: Path) -> None:
    file = partition(tmp_path, 3)
    first = add_partitions(clone, [file])
    assert add_partitions(clone, [file]) == first


def test_other_bytes_under_a_known_name_are_a_correction(clone: Path, tmp_path: Path) -> None:
    before = resolve(clone)
    corrected = partition(tmp_path, 1, rows=7)
    after = add_partitions(clone, [corrected])
    digests = {p.name: p.md5 for p in after.partitions}
    assert digests["month-1.parquet"] == hashlib.md5(corrected.read_bytes()).hexdigest()
    assert digests["month-2.parquet"] == {p.name: p.md5 for p in before.partitions}["month-2.parquet"]


def test_an_old_version_can_be_read_beside_the_new_one(clone: Path, tmp_path: Path) -> None:
    old = resolve(clone)
    add_partitions(clone, [partition(tmp_path, 1, rows=7)])
    (path,) = fetch(clone, resolve(clone, old.rev), ["month-1.parquet"])
    assert len(pd.read_parquet(path)) == 100


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_SECRET_ACCESS_KEY", "wrong")],
    ids=["unreachable", "wrong credentials"],
)
def test_a_push_that_fails_leaves_the_project_as_it_was(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    add_partitions(clone, [partition(tmp_path, 3)])
    before = state(clone)
    monkeypatch.setenv(variable, value)
    with pytest.raises(StorageUnavailable, match="AWS_ENDPOINT_URL"):
        add_partitions(clone, [partition(tmp_path, 4), partition(tmp_path, 3, rows=9)])
    assert state(clone) == before


def test_a_commit_that_cannot_be_pushed_is_taken_back(clone: Path, origin: Path, tmp_path: Path) -> None:
    before = state(clone)
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'this branch is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(BadInput, match="this branch is protected"):
        add_partitions(clone, [partition(tmp_path, 3)])
    assert state(clone) == before
    hook.unlink()
    assert len(add_partitions(clone, [partition(tmp_path, 3)]).partitions) == 3


def test_bytes_that_differ_from_the_version_are_refused(
    clone: Path, connection: Connection, tmp_path: Path
) -> None:
    version = add_partitions(clone, [partition(tmp_path, 7, rows=7)])
    md5 = {p.name: p.md5 for p in version.partitions}["month-7.parquet"]
    forget_local_copies(clone)
    poisoned = f"{REMOTE}/files/md5/{md5[:2]}/{md5[2:]}"
    connection.reads.head_object(Bucket=BUCKET, Key=poisoned)
    connection.reads.put_object(Bucket=BUCKET, Key=poisoned, Body=b"PAR1 something else PAR1")
    with pytest.raises(Tampered, match=md5):
        fetch(clone, version, ["month-7.parquet"])
    assert not list((clone / ".incumbent" / "cache").rglob("*.parquet"))


def test_a_version_whose_bytes_were_never_pushed_says_what_to_do(
    clone: Path, connection: Connection, tmp_path: Path
) -> None:
    version = add_partitions(clone, [partition(tmp_path, 8, rows=8)])
    md5 = {p.name: p.md5 for p in version.partitions}["month-8.parquet"]
    forget_local_copies(clone)
    key = f"{REMOTE}/files/md5/{md5[:2]}/{md5[2:]}"
    connection.reads.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(NotFound, match="dvc push"):
        fetch(clone, version, ["month-8.parquet"])


def forget_local_copies(clone: Path) -> None:
    """As in a clone that never pulled the data."""
    for kept in (clone / "data", clone / ".dvc" / "cache", clone / ".incumbent"):
        shutil.rmtree(kept, ignore_errors=True)


def test_an_uncommitted_pointer_is_not_overwritten(clone: Path, tmp_path: Path) -> None:
    pointer = clone / "data.dvc"
    pointer.write_text(pointer.read_text() + "desc: edited by hand\n")
    with pytest.raises(BadInput, match=r"data\.dvc has changes"):
        add_partitions(clone, [partition(tmp_path, 3)])
    assert "edited by hand" in pointer.read_text()


def test_an_unknown_revision_is_named(clone: Path) -> None:
    with pytest.raises(NotFound, match="no revision 'v99'"):
        resolve(clone, "v99")


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(IncumbentError, match=str(tmp_path)):
        resolve(tmp_path)


def state(clone: Path) -> tuple[str, str, dict[str, bytes]]:
    files = {file.name: file.read_bytes() for file in sorted((clone / "data").glob("*"))}
    shutil.rmtree(clone / ".incumbent", ignore_errors=True)
    return git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain"), files


def killed_before_the_commit(clone: Path, file: Path) -> None:
    """An arrival that dies when data.dvc is changed already; os._exit runs no clean-up, as SIGKILL."""
    child = os.fork()
    if child == 0:
        arrivals.git = lambda *args: os._exit(9) if args[1] == "commit" else git(*args)  # type: ignore[assignment]
        add_partitions(clone, [file])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert git(clone, "status", "--porcelain", "--", "data.dvc")


def test_what_a_killed_arrival_left_does_not_keep_the_branch_from_moving(
    clone: Path, origin: Path, tmp_path: Path
) -> None:
    killed_before_the_commit(clone, partition(tmp_path, 3))
    other = tmp_path / "other"
    git(origin, "clone", "--quiet", str(origin), str(other))
    identify(other)
    added = add_partitions(other, [partition(tmp_path, 4)])
    catch_up(clone)
    assert git(clone, "rev-parse", "HEAD") == added.rev
    assert [p.name for p in add_partitions(clone, [partition(tmp_path, 3)]).partitions] == [
        f"month-{number}.parquet" for number in (1, 2, 3, 4)
    ]


def test_a_commit_that_a_person_made_meanwhile_is_not_taken_back(clone: Path, tmp_path: Path) -> None:
    killed_before_the_commit(clone, partition(tmp_path, 3))
    (clone / "notes.md").write_text("mine\n")
    git(clone, "add", "notes.md")
    git(clone, "commit", "--quiet", "-m", "Notes", "--", "notes.md")
    add_partitions(clone, [partition(tmp_path, 3)])
    assert git(clone, "log", "--format=%s").splitlines()[:2] == ["Add month-3 to the data", "Notes"]
    assert (clone / "notes.md").read_text() == "mine\n"


def test_a_code_commit_is_no_new_version(clone: Path, tmp_path: Path) -> None:
    file = partition(tmp_path, 3)
    first = add_partitions(clone, [file])
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Code")
    assert add_partitions(clone, [file]) == first


def test_what_was_withdrawn_upstream_does_not_come_back(clone: Path, origin: Path, tmp_path: Path) -> None:
    before = git(clone, "rev-parse", "HEAD")
    add_partitions(clone, [partition(tmp_path, 3)])
    git(origin, "update-ref", "refs/heads/main", before)
    version = add_partitions(clone, [partition(tmp_path, 4)])
    assert [p.name for p in version.partitions] == [f"month-{number}.parquet" for number in (1, 2, 4)]


def test_partitions_are_grouped_by_the_commit_that_brought_their_bytes(clone: Path, tmp_path: Path) -> None:
    add_partitions(clone, [partition(tmp_path, 3), partition(tmp_path, 4)])
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Code")
    version = add_partitions(clone, [partition(tmp_path, 3, rows=7), partition(tmp_path, 5)])
    first, second, third, fourth, fifth = (f"month-{number}.parquet" for number in (1, 2, 3, 4, 5))
    wanted = {**version.digests, "month-6.parquet": "not committed"}
    groups = arrivals_of(clone, version.rev, wanted)
    assert [set(group) for group in groups] == [{first, second}, {fourth}, {third, fifth, "month-6.parquet"}]
    assert arrivals_of(clone, version.rev, {}) == []
