"""Whose remote is it, and which folder is the same project?"""

import shutil
from pathlib import Path

import pytest

from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.remotes import is_same_project, is_same_repository
from tests.storage.clones import identify


@pytest.mark.parametrize(
    ("address", "same"),
    [
        pytest.param("https://git.example.com/team/loans.git", True, id="https"),
        pytest.param("https://token@git.example.com/team/loans", True, id="a token, no ending"),
        pytest.param("ssh://git@git.example.com/team/loans.git/", True, id="ssh"),
        pytest.param("https://git.example.com/team/loans-2.git", False, id="another repository"),
        pytest.param("https://other.example.com/team/loans.git", False, id="another host"),
    ],
)
def test_a_repository_is_the_same_by_whatever_protocol(clone: Path, address: str, same: bool) -> None:
    git(clone, "remote", "set-url", "origin", "git@git.example.com:team/loans.git")
    assert is_same_repository(clone, address) == same


def test_another_clone_is_the_same_project_and_another_repository_is_not(clone: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(clone), str(tmp_path / "second"))
    assert is_same_project(clone, tmp_path / "second")
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    identify(other)
    git(other, "commit", "--quiet", "--allow-empty", "--message", "Another project")
    assert not is_same_project(clone, other)
    assert not is_same_project(clone, tmp_path / "no-folder")


def test_two_folders_of_one_repository_are_two_projects(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", str(tmp_path / "models"))
    identify(tmp_path / "models")
    for name in ("loans", "shop"):
        (tmp_path / "models" / name).mkdir()
        (tmp_path / "models" / name / "params.yaml").touch()
    git(tmp_path / "models", "add", "--all")
    git(tmp_path / "models", "commit", "--quiet", "--message", "Start")
    shutil.copytree(tmp_path / "models", tmp_path / "clone")
    assert is_same_project(tmp_path / "models" / "loans", tmp_path / "clone" / "loans")
    assert not is_same_project(tmp_path / "models" / "loans", tmp_path / "clone" / "shop")
