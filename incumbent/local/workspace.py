"""A workspace: a folder of projects that share one stack. A project alone is a workspace of one."""

import os
import re
from collections.abc import Iterator
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

    A project with a stack of its own keeps it, and one below `.incumbent`, such as the demo's, is no member.
    """
    project = project.resolve()
    if (project / ".incumbent" / "stack.json").exists():
        return project
    for folder in project.parents:
        if folder.name == ".incumbent":
            break
        if is_workspace(folder):
            return folder
    return project


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


def projects_below(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Folders with params.yaml and data.dvc, at most three levels down, and none within another."""
    for path in map(Path, sorted(_folders_in(folder))):
        if (path / PARAMS).exists() and (path / POINTER).exists():
            yield path
        elif depth > 1 and not (path / PARAMS).exists():
            yield from projects_below(path, depth - 1)


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
