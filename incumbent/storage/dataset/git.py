"""The git commands that we use, each with its errors as ours."""

import subprocess
from pathlib import Path

from incumbent.errors import BadInput, NotFound


class Rejected(BadInput):
    """Somebody else pushed first."""


def git(project: Path, *args: str) -> str:
    """Run git in the project; its output without the last newline. Raises BadInput with git's message."""
    command = ["git", "-C", str(project), *args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    except FileNotFoundError as error:
        raise BadInput("git is not installed, or not on PATH; the data's versions are kept in it") from error
    if done.returncode != 0:
        raise BadInput(f"git {args[0]} failed in {project}: {' '.join(done.stderr.split()) or 'no message'}")
    return done.stdout.rstrip("\n")


def commit_of(project: Path, rev: str) -> str:
    """The full commit id of a revision. Raises NotFound, and BadInput outside of a repository."""
    try:
        return git(project, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    except BadInput as error:
        if "no message" not in str(
            error
        ):  # with --quiet, only an unknown revision gives no message; this is no repository
            raise
        raise NotFound(
            f"no revision '{rev}' in {project.resolve()}; list the versions with 'git log -- data.dvc'"
        ) from error


def require_branch(project: Path) -> None:
    """Raise BadInput where HEAD is on no branch: a commit there is lost at the next checkout."""
    try:
        git(project, "symbolic-ref", "--quiet", "HEAD")
    except BadInput as error:
        if "no message" not in str(error):  # no repository
            raise
        branches = git(project, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()
        branch = branches[0] if len(branches) == 1 else "BRANCH"
        others = f" ({', '.join(branches)})" if len(branches) > 1 else ""
        raise BadInput(
            f"HEAD of {project} is at commit {commit_of(project, 'HEAD')[:10]} and on no branch, so a commit "
            f"there would be lost at the next checkout; run 'git -C {project} switch {branch}'{others}, then "
            "this again"
        ) from error


def folder_of(project: Path) -> str:
    """The project's folder in its repository, such as models/flights; "" at the top."""
    return git(project, "rev-parse", "--show-prefix").rstrip("/")


def file_at(project: Path, commit: str, path: str) -> str | None:
    """The text of the project's file in a commit; None if it is not there."""
    try:
        return git(project, "show", f"{commit}:./{path}")
    except BadInput:
        return None


def has_upstream(project: Path) -> bool:
    """Does the current branch track a branch of a remote?"""
    try:
        git(project, "rev-parse", "--abbrev-ref", "@{upstream}")
    except BadInput:
        return False
    return True


def push(project: Path) -> None:
    """Push the branch to its upstream. Raises Rejected when that has commits which the branch lacks."""
    try:
        git(project, "push", "--quiet")
    except BadInput as error:
        if "[rejected]" in str(error) or "fetch first" in str(error) or "cannot lock ref" in str(error):
            raise Rejected(f"{error}; somebody else pushed meanwhile") from error
        raise


def last_change(project: Path, rev: str, *paths: str) -> str | None:
    """The newest commit up to `rev` that changed one of the paths; None if there is none."""
    return git(project, "log", "-1", "--format=%H", rev, "--", *paths) or None


def is_ancestor(project: Path, old: str, new: str) -> bool:
    """Is `old` an ancestor of `new`? Also False when `old` is no longer known here."""
    try:
        git(project, "merge-base", "--is-ancestor", old, new)
    except BadInput:
        return False
    return True
