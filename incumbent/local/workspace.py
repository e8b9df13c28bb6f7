"""A workspace: a folder of projects that share one stack. A project alone is a workspace of one."""

import os
import re
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

from incumbent.local.state import Stack

PARAMS, POINTER, DEPLOYMENTS = "params.yaml", "data.dvc", "prefect.yaml"
# Folders of folders, such as teams/prices/north; a walk through everything below would take too long.
DEPTH = 3
_OURS = re.compile(r"^name: incumbent\b", re.MULTILINE)


def stack_of(project: Path) -> Stack:
    """The stack that the project uses, started or not."""
    return Stack(root_of(project))


def root_of(project: Path) -> Path:
    """Folder of the project's stack: that of the workspace around it, else its own.

    A project with a stack of its own keeps it, and one that `projects_of` would not come to is no member.
    """
    project = project.resolve()
    if _has_own_stack(project):
        return project
    return next(filter(is_workspace, islice(_ways_up(project), DEPTH)), project)


def out_of_reach_of(project: Path) -> Path | None:
    """The workspace that the project is too deep in to be its member; None where there is none."""
    project = project.resolve()
    if _has_own_stack(project) or root_of(project) != project:
        return None
    return next(filter(is_workspace, _ways_up(project)), None)


def _has_own_stack(project: Path) -> bool:
    return (project / ".incumbent" / "stack.json").exists()


def _ways_up(project: Path) -> Iterator[Path]:
    """The folders around the project from which `projects_below` could come to it, the nearest first."""
    for below, folder in pairwise((project, *project.parents)):
        if below.name.startswith("."):
            return
        yield folder
        if (folder / PARAMS).exists():
            return


def is_workspace(folder: Path) -> bool:
    """Has it our deployments, which `up` makes and git keeps, but no project's parameters?"""
    if (folder / PARAMS).exists():
        return False
    try:
        return _OURS.search((folder / DEPLOYMENTS).read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def place_of(project: Path) -> str:
    """The project's folder below that of its stack, such as teams/prices; "." alone. Events carry it."""
    project = project.resolve()
    return project.relative_to(root_of(project)).as_posix()


def projects_of(root: Path) -> list[Path]:
    """The projects that use this folder's stack, by path; without those that have a stack of their own."""
    root = root.resolve()
    if (root / PARAMS).exists():
        return [root]
    return sorted(project for project in projects_below(root) if root_of(project) == root)


def projects_below(folder: Path) -> Iterator[Path]:
    """Folders with params.yaml and data.dvc, at most three levels down, and none within another."""
    return (path for path in _with_params(folder, DEPTH) if (path / POINTER).exists())


def without_data(root: Path) -> list[Path]:
    """Projects that would be members, if they had their data.dvc."""
    return [
        path
        for path in _with_params(root.resolve(), DEPTH)
        if (path / ".dvc").is_dir() and not (path / POINTER).exists() and root_of(path) == root.resolve()
    ]


def _with_params(folder: Path, depth: int) -> Iterator[Path]:
    for path in map(Path, sorted(_folders_in(folder))):
        if (path / PARAMS).exists():
            yield path
        elif depth > 1:
            yield from _with_params(path, depth - 1)


def _folders_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [
                each.path
                for each in entries
                if not each.name.startswith(".") and each.is_dir(follow_symlinks=False)
            ]
    except OSError:  # gone, or not ours to read
        return []
