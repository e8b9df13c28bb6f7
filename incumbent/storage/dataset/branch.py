"""Has the branch, or its upstream, moved? The least that git can be asked."""

import json
from pathlib import Path

from incumbent.storage.dataset.arrivals import arrivals_locked
from incumbent.storage.dataset.git import git, has_upstream, last_change
from incumbent.storage.dataset.versions import VERSIONED
from incumbent.tables.atomic import atomic_write


def tips(project: Path) -> str:
    """Commit of the branch, and of its upstream, which is fetched; the same text while neither moves."""
    if not has_upstream(project):
        return git(project, "rev-parse", "HEAD")
    with arrivals_locked(project):
        git(project, "fetch", "--quiet")
    return git(project, "rev-parse", "HEAD", "@{upstream}")


def newest_version(project: Path, known_tips: str) -> str | None:
    """The commit of the newest data version on the branch or its upstream; None without data."""
    return last_change(project, known_tips.split()[-1], *VERSIONED)


def repository_of(project: Path) -> Path:
    """Folder of the git repository around the project, without asking git; the project if there is none."""
    return next((each for each in (project, *project.parents) if (each / ".git").exists()), project)


def remember(project: Path, announced: str | None, at_tips: str | None = None) -> None:
    """Which version was announced last; with the tips at which it was still the newest, if they are known."""
    path = _file(project)
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as part:
        part.write_text(json.dumps({"rev": announced, "tips": at_tips}))


def remembered(project: Path) -> tuple[str | None, str | None]:
    """The same; None each before the first look."""
    path = _file(project)
    known = json.loads(path.read_text()) if path.exists() else {}
    return known.get("rev"), known.get("tips")


def _file(project: Path) -> Path:
    return project / ".incumbent" / "watched.json"
