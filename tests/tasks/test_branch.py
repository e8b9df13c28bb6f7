"""What commits to the branch is refused where HEAD is on none, before it takes anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incumbent.errors import BadInput
from incumbent.storage.dataset.arrivals import add_partitions, commit_documents
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.new_project import require_room
from tasks.arrival import take
from tasks.monitor import keep_labels
from tasks.probation import end_probation
from tasks.release import recover
from tests.storage.clones import identify, partition

PARAMS = """
dataset: {name: north, target: y}
registry: {address: s3://nowhere/registry}
landing: {address: s3://nowhere/landing}
"""
ACTIONS: dict[str, Callable[[Path, Path], Any]] = {
    "ingest of files": lambda project, file: take.fn(project, [file]),
    "ingest of what landed": lambda project, _: take.fn(project, None),
    "release of an entry": lambda project, folder: recover.fn(project, "0123456789ab-x", folder),
    "release of a partition": lambda project, _: end_probation.fn(project, "x.parquet", "fine"),
    "labels": lambda project, file: keep_labels.fn(project, [file]),
    "a version": lambda project, file: add_partitions(project, [file]),
    "documents": lambda project, _: commit_documents(project, {"notes": "new"}, "Note"),
    "a project in the repository": lambda project, _: require_room(project / "new", []),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "north"
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(project))
    identify(project)
    (project / "params.yaml").write_text(PARAMS)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Begin")
    return project


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_detached_head_is_refused(
    action: Callable[[Path, Path], Any], project: Path, tmp_path: Path
) -> None:
    git(project, "checkout", "--quiet", "--detach")
    with pytest.raises(BadInput, match=f"on no branch.*run 'git -C {project} switch main', then this again"):
        action(project, partition(tmp_path, 1))
    assert git(project, "status", "--porcelain") == ""


def test_of_several_branches_one_is_to_be_chosen(project: Path) -> None:
    git(project, "branch", "trial")
    git(project, "checkout", "--quiet", "--detach")
    with pytest.raises(BadInput, match=r"switch BRANCH' \(main, trial\), then this again"):
        commit_documents(project, {"notes": "new"}, "Note")
