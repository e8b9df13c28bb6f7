"""A new project: a git and DVC repository around a first data version, and what it takes to share it."""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from incumbent.dataset import DataVersion
from incumbent.errors import BadInput
from incumbent.storage.git import git
from incumbent.storage.versions import DATA, POINTER, explained, resolve

CACHE = Path(".dvc") / "cache" / "files" / "md5"


def require_room(project: Path, names: Sequence[str]) -> None:
    """Raise BadInput if the folder holds a file that is to be made, or lies inside a repository."""
    taken = [name for name in (*names, DATA, POINTER, ".dvc") if (project / name).exists()]
    if taken:
        raise BadInput(f"{project} has {', '.join(taken)} already; name a new folder with --project")
    above = next((folder for folder in project.parents if (folder / ".git").exists()), None)
    if above is not None and not (project / ".git").exists():
        raise BadInput(
            f"{project} lies inside the git repository {above}; a project is a repository of its own: "
            "name a folder outside with --project"
        )


def create(
    project: Path, documents: Mapping[str, str], partitions: Sequence[Path], message: str
) -> DataVersion:
    """Write the documents, make the files the first data version, and commit; all of it or nothing.

    Nothing is pushed, so no server is needed. Raises BadInput when git or DVC refuses.
    """
    from dvc.repo import Repo

    made_git = not (project / ".git").exists()
    with _undone_on_failure(project, [*documents, DATA, POINTER, ".dvc", *([".git"] if made_git else [])]):
        if made_git:
            git(project, "init", "--quiet", "--initial-branch", "main")
        logging.getLogger("dvc.repo.init").setLevel(logging.WARNING)  # it tells what to do next, on stdout
        with explained(project):
            Repo.init(str(project)).close()
        for name, text in documents.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
        (project / DATA).mkdir()
        for partition in partitions:
            shutil.move(partition, project / DATA / partition.name)
        with explained(project), Repo(str(project)) as repo:
            repo.add([str(project / DATA)])
        ours = [*documents, POINTER, ".dvc/.gitignore"]
        git(project, "add", "--force", "--", *ours)
        git(project, "commit", "--quiet", "-m", message, "--", *ours)
        return resolve(project)


def push_what_is_here(project: Path) -> bool:
    """Push the data version of HEAD to the DVC remote, if it was made on this machine; say whether."""
    from ruamel.yaml import YAML

    pointer = project / POINTER
    if not pointer.is_file():
        return False
    md5 = YAML(typ="safe").load(pointer.read_text())["outs"][0]["md5"]
    if not (project / CACHE / md5[:2] / md5[2:]).exists():
        return False
    from dvc.repo import Repo

    with explained(project), Repo(str(project)) as repo:
        repo.push(targets=[str(pointer.resolve())])
    return True


@contextmanager
def _undone_on_failure(project: Path, names: Sequence[str]) -> Iterator[None]:
    kept = {name: (project / name).read_bytes() for name in names if (project / name).is_file()}
    try:
        yield
    except BaseException:
        for name in names:
            path = project / name
            if name in kept:
                path.write_bytes(kept[name])
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        raise
