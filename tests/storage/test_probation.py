"""Who is on probation is part of the data version's own commit, on the real git, DVC and S3."""

import os
from pathlib import Path

import pytest

from incumbent.errors import BadInput
from incumbent.gate.probation import Changes, Suspension, Suspicion
from incumbent.storage.dataset import arrivals
from incumbent.storage.dataset.arrivals import add_partitions, catch_up, commit_documents
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.probation import (
    accepted,
    changing,
    record_at,
    record_here,
    released_by_a_person,
)
from incumbent.storage.dataset.versions import PROBATION, resolve
from incumbent.tables.partitions import digest_of
from tests.storage.clones import identify, partition


def suspension(file: Path) -> Suspension:
    odd = Suspicion("mean of x", "mean of x: 1 to 2", "observed 9", 9.0)
    nothing = Suspicion("x: 'y' # Ä", "x: 'y' # Ä", "observed: -\n- ?", None)
    return Suspension(digest_of(file), "2026-06-01T00:00:00+00:00", (odd, nothing))


def suspending(*files: Path) -> Changes:
    return {file.name: suspension(file) for file in files}


def cloned(origin: Path, path: Path) -> Path:
    git(origin, "clone", "--quiet", str(origin), str(path))
    identify(path)
    return path


def test_a_partition_and_its_probation_are_one_commit(clone: Path, origin: Path, tmp_path: Path) -> None:
    file, before = partition(tmp_path, 3), git(clone, "rev-parse", "HEAD")
    version = add_partitions(clone, [file], documents=changing(clone, suspending(file)))
    assert git(clone, "rev-list", "--count", f"{before}..HEAD") == "1"
    assert version.rev == git(clone, "rev-parse", "HEAD")
    other = cloned(origin, tmp_path / "other")
    assert record_at(other) == record_here(clone) == suspending(file)
    assert record_at(other, before) == {}
    assert accepted(other, resolve(other)) == ("month-1.parquet", "month-2.parquet")
    assert add_partitions(clone, [file], documents=changing(clone, suspending(file))) == version


def test_a_release_is_a_data_version_of_its_own_with_the_same_rows(clone: Path, tmp_path: Path) -> None:
    file = partition(tmp_path, 3)
    version = add_partitions(clone, [file], documents=changing(clone, suspending(file)))
    entry = suspension(file)
    released = Suspension(
        entry.md5, entry.since, entry.suspicions, released_by_a_person(clone, "prices rose")
    )
    commit_documents(clone, changing(clone, {file.name: released}), "Release month-3")
    after = add_partitions(clone, [file])
    assert (after.md5, after.rev == version.rev) == (version.md5, False)
    assert after.rev == git(clone, "rev-parse", "HEAD")
    kept = record_at(clone)[file.name].released
    assert kept is not None
    assert (kept.by, kept.why) == ("a person: tests", "prices rose")
    assert file.name in accepted(clone, after)


def test_a_release_of_bytes_that_were_replaced_meanwhile_is_refused(
    clone: Path, origin: Path, tmp_path: Path
) -> None:
    file = partition(tmp_path, 3)
    add_partitions(clone, [file], documents=changing(clone, suspending(file)))
    about, entry = {file.name: digest_of(file)}, suspension(file)
    other = cloned(origin, tmp_path / "other")
    corrected = partition(tmp_path, 3, rows=7)
    add_partitions(other, [corrected], documents=changing(other, suspending(corrected)))
    with pytest.raises(BadInput, match=r"month-3\.parquet was to be changed from md5"):
        commit_documents(clone, changing(clone, {file.name: entry}), "Release month-3", about)
    assert record_at(clone) == suspending(corrected)


def test_two_clones_that_suspend_at_once_keep_both(clone: Path, origin: Path, tmp_path: Path) -> None:
    other = cloned(origin, tmp_path / "other")
    third, fourth = partition(tmp_path, 3), partition(tmp_path, 4)
    documents = changing(other, suspending(fourth))
    add_partitions(clone, [third], documents=changing(clone, suspending(third)))
    add_partitions(other, [fourth], documents=documents)
    assert set(record_at(other)) == {third.name, fourth.name}


def test_nobody_on_probation_is_no_file(clone: Path, tmp_path: Path) -> None:
    file = partition(tmp_path, 3)
    add_partitions(clone, [file], documents=changing(clone, suspending(file)))
    corrected = partition(tmp_path, 3, rows=7)
    add_partitions(clone, [corrected], documents=changing(clone, {file.name: None}))
    assert not (clone / PROBATION).exists()
    assert git(clone, "ls-files", PROBATION) == ""
    assert git(clone, "status", "--porcelain") == ""
    assert record_at(clone) == {}


def test_texts_are_written_and_removed_with_the_version(clone: Path, tmp_path: Path) -> None:
    learned, profile = "expectations/own.learned.json", "expectations/profiles/month-3.json"
    add_partitions(clone, [partition(tmp_path, 3)], documents={learned: "{}\n", profile: "[]\n"})
    assert (clone / learned).read_text() == "{}\n"
    before = git(clone, "rev-parse", "HEAD")
    add_partitions(clone, [partition(tmp_path, 3)], documents={learned: "{}\n", profile: "[]\n"})
    assert git(clone, "rev-parse", "HEAD") == before
    add_partitions(clone, [partition(tmp_path, 4)], documents={learned: '{"more": 1}\n', profile: None})
    assert git(clone, "ls-files", "expectations") == learned
    assert git(clone, "rev-list", "--count", f"{before}..HEAD") == "1"


def state(clone: Path) -> tuple[str, str, dict[str, bytes]]:
    files = {
        str(file.relative_to(clone)): file.read_bytes()
        for folder in ("data", "expectations")
        for file in sorted((clone / folder).rglob("*"))
        if file.is_file()
    }
    return git(clone, "rev-parse", "HEAD"), git(clone, "status", "--porcelain"), files


def test_a_push_that_is_refused_takes_the_record_back(clone: Path, origin: Path, tmp_path: Path) -> None:
    third, fourth = partition(tmp_path, 3), partition(tmp_path, 4)
    add_partitions(clone, [third], documents=changing(clone, suspending(third)))
    before = state(clone)
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'this branch is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    profile = {"expectations/profiles/month-4.json": "[]\n"}
    with pytest.raises(BadInput, match="this branch is protected"):
        add_partitions(
            clone,
            [fourth],
            documents={**changing(clone, {third.name: None, **suspending(fourth)}), **profile},
        )
    with pytest.raises(BadInput, match="this branch is protected"):
        commit_documents(clone, changing(clone, {third.name: None}), "Release month-3")
    assert state(clone) == before


def killed(clone: Path, at: str, files: list[Path], changes: Changes) -> None:
    """An arrival, or without files a release, that dies at a git command; os._exit runs no clean-up."""
    child = os.fork()
    if child == 0:
        arrivals.git = lambda *args: os._exit(9) if args[1] == at else git(*args)  # type: ignore[assignment]
        arrivals.push = lambda _: os._exit(9)
        documents = {**changing(clone, changes), "expectations/profiles/month-4.json": "[]\n"}
        if files:
            add_partitions(clone, files, documents=documents)
        commit_documents(clone, documents, "Release month-3")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("at", ["add", "commit", "push"])
@pytest.mark.parametrize("what", ["arrival", "release"])
def test_what_was_killed_leaves_no_record_behind(clone: Path, tmp_path: Path, at: str, what: str) -> None:
    third, fourth = partition(tmp_path, 3), partition(tmp_path, 4)
    add_partitions(clone, [third], documents=changing(clone, suspending(third)))
    before = state(clone)
    files = [fourth] if what == "arrival" else []
    changes = {third.name: None, **(suspending(fourth) if files else {})}
    killed(clone, at, files, changes)
    assert state(clone) != before
    catch_up(clone)
    assert state(clone) == before


def test_a_release_leaves_a_persons_own_work_alone(clone: Path, tmp_path: Path) -> None:
    file = partition(tmp_path, 3)
    add_partitions(clone, [file], documents=changing(clone, suspending(file)))
    pointer = clone / "data.dvc"
    pointer.write_text(pointer.read_text() + "desc: edited by hand\n")
    killed(clone, "commit", [], {file.name: None})
    commit_documents(clone, changing(clone, {file.name: None}), "Release month-3")
    assert "edited by hand" in pointer.read_text()
    assert git(clone, "status", "--porcelain") == " M data.dvc"


def test_a_record_with_changes_of_a_persons_own_is_not_overwritten(clone: Path, tmp_path: Path) -> None:
    file = partition(tmp_path, 3)
    (clone / "expectations").mkdir()
    (clone / PROBATION).write_text("# mine\n")
    with pytest.raises(BadInput, match=r"probation\.yaml has changes that are not committed"):
        add_partitions(clone, [file], documents=changing(clone, suspending(file)))
    assert (clone / PROBATION).read_text() == "# mine\n"


VALID = f"md5: {'a' * 32}\n  since: 2026-05-31T14:30:00+00:00"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# mine\nmonth-3.parquet: [", "line 2: no YAML: "),
        ("month-3.parquet: {}\nmonth-3.parquet: {}\n", "line 2: no YAML: found duplicate key"),
        ("- month-3.parquet", "line 1: input should be a valid dictionary"),
        (
            f"month-2.parquet:\n  {VALID}\n  suspicions: []\n"
            "month-3.parquet:\n  since: now\n  suspicions: []\n",
            "line 5: month-3.parquet.md5: field required",
        ),
        (
            f"month-3.parquet:\n  {VALID}\n  suspicions:\n  - about: x\n    expectation: x\n"
            "    observed: x\n    value: high\n",
            "line 8: month-3.parquet.suspicions.0.value: input should be a valid number",
        ),
        (
            f"month-3.parquet:\n  md5: {'a' * 32}\n  since: yesterday\n  suspicions: []\n",
            "line 3: month-3.parquet.since: 'yesterday' is no time; write one like 2026-05-31T14:30:00+00:00",
        ),
        (
            f"month-3.parquet:\n  {VALID.replace('aa', 'xx')}\n  suspicions: []\n",
            "line 2: month-3.parquet.md5: string should match pattern '^[0-9a-f]{32}$'",
        ),
    ],
)
def test_a_record_that_can_not_be_read_says_where_and_what_to_do(clone: Path, text: str, told: str) -> None:
    (clone / "expectations").mkdir()
    (clone / PROBATION).write_text(text)
    for read in (record_here, record_at):
        with pytest.raises(BadInput) as error:
            read(clone)
        assert f"expectations/probation.yaml can't be read: {told}" in str(error.value)
        assert "take the file back as it was with 'git checkout COMMIT -- expectations" in str(error.value)
        git(clone, "add", PROBATION)
        git(clone, "commit", "--quiet", "--allow-empty", "--message", "By hand")
