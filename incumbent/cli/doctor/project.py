"""The project itself: its files, its branch, its name and its place."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from incumbent.cli.doctor.finding import Doubtful, Finding, failed, tried
from incumbent.cli.workspace import require_in_reach
from incumbent.errors import BadInput
from incumbent.local.names import require_own_name
from incumbent.local.workspace import POINTER, is_workspace, root_of
from incumbent.storage.dataset.branch import repository_of
from incumbent.storage.dataset.git import file_at, git, require_branch
from incumbent.storage.dataset.remotes import try_push

GIT_TIMEOUT = 5.0  # seconds; ssh needs several round trips
# Of what git has of the project, the part without which no command works.
NEEDED = (POINTER, ".dvc", "expectations")


def check_project(project: Path) -> Iterator[Finding]:
    """Is it whole, on a branch that can be pushed, and the only one of its name?"""
    branch = tried("git branch", lambda: _branch(project))
    yield branch
    if branch.state == "ok":
        yield tried("git push", lambda: _push(project))
    if (repository_of(project) / ".git").exists():
        yield tried("project's files", lambda: _files(project))
    root = root_of(project)
    if is_workspace(root):
        yield tried("dataset.name", lambda: _name(project, root))
    try:
        require_in_reach(project)
    except BadInput as error:
        yield failed("workspace", str(error))


def _branch(project: Path) -> str:
    if not (repository_of(project) / ".git").exists():
        raise BadInput(
            f"{project} is in no git repository, and each version of its data is a commit; bring its .git "
            "back, or clone the project again"
        )
    require_branch(project)
    return git(project, "symbolic-ref", "--short", "HEAD")


def _push(project: Path) -> str:
    upstream = try_push(project, GIT_TIMEOUT)
    if upstream is None:
        raise Doubtful(
            "the branch has no upstream, so data versions stay in this clone; 'git remote add origin URL' "
            "and 'git push --set-upstream origin HEAD' let others have them"
        )
    return f"may push to {upstream}"


def _files(project: Path) -> str:
    """Of the files that HEAD has, those that are gone."""
    gone = git(project, "diff", "-z", "--name-only", "--diff-filter=D", "--relative", "HEAD", "--", *NEEDED)
    if names := gone.strip("\0").split("\0") if gone else []:
        raise BadInput(
            f"gone, though git has them: {', '.join(names)}; "
            f"'git -C {project} checkout HEAD -- {shlex.join(names)}' brings them back"
        )
    if file_at(project, "HEAD", POINTER) is None:
        raise Doubtful(f"HEAD has no {POINTER}, so there are no data; 'incumbent ingest FILE…' adds some")
    return "all there"


def _name(project: Path, root: Path) -> str:
    require_own_name(project)
    return f"no other project of {root} has it"
