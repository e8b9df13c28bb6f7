"""Make a new project: a git and DVC repository with a first data version; push that data later."""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from incumbent.errors import BadInput
from incumbent.params import load_params
from incumbent.storage.dataset.dvc_remote import address_here, open_repo
from incumbent.storage.dataset.git import commit_of, git, require_branch
from incumbent.storage.dataset.versions import DATA, POINTER, explained, resolve
from incumbent.storage.s3.address import ADDRESS, open_store
from incumbent.tables.partitions import DataVersion

CACHE = Path(".dvc") / "cache" / "files" / "md5"


def require_project(project: Path) -> None:
    """Raise BadInput unless the folder has a params.yaml that can be read and lies in a git repository."""
    load_params(project)
    commit_of(project, "HEAD")


def require_room(project: Path, names: Sequence[str]) -> None:
    """Raise BadInput if a file to be made exists, or the git repository around the folder ignores it
    or is on no branch.
    """
    taken = [name for name in (*names, DATA, POINTER, ".dvc") if (project / name).exists()]
    if taken:
        raise BadInput(f"{project} has {', '.join(taken)} already; name a new folder with --project")
    above = repository_above(project)
    if above is not None:
        require_branch(above)
    if above is not None and _is_ignored(above, project):
        raise BadInput(
            f"the git repository {above} ignores {project}; name a folder that it does not ignore, or one "
            "outside, with --project"
        )


def repository_above(project: Path) -> Path | None:
    """The work tree around the project's folder; None where the project is a repository of its own."""
    if (project / ".git").exists():
        return None
    return next((folder for folder in project.parents if (folder / ".git").exists()), None)


def _is_ignored(repository: Path, path: Path) -> bool:
    try:
        git(repository, "check-ignore", "--quiet", str(path))
    except BadInput:
        return False
    return True


def create(
    project: Path, documents: Mapping[str, str], partitions: Sequence[Path], message: str
) -> DataVersion:
    """Write the documents, make the files the first data version, and commit; all of it or nothing.

    The commit goes to the repository around the folder, or to a new one where there is none.

    Nothing is pushed, so no server is needed. Raises BadInput when git or DVC refuses.
    """
    from dvc.repo import Repo

    above = repository_above(project)
    made_git = above is None and not (project / ".git").exists()
    with _undone_on_failure(project, [*documents, DATA, POINTER, ".dvc", *([".git"] if made_git else [])]):
        if made_git:
            git(project, "init", "--quiet", "--initial-branch", "main")
        logging.getLogger("dvc.repo.init").setLevel(logging.WARNING)  # it prints instructions to stdout
        with explained(project):
            Repo.init(str(project), subdir=above is not None).close()
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
    """Push the data version of HEAD to the DVC remote if it was made on this machine and is not there yet;
    return whether.

    Raises BadInput for a data.dvc that is not as DVC writes it.
    """
    pointer = project / POINTER
    if not pointer.is_file():
        return False
    md5 = _listing(pointer)
    if not (project / CACHE / md5[:2] / md5[2:]).exists() or _is_pushed(project, md5):
        return False
    with explained(project), open_repo(project) as repo:
        repo.push(targets=[str(pointer.resolve())])
    return True


def _is_pushed(project: Path, listing: str) -> bool:
    """Is the listing on the remote? DVC pushes it last. One request, where a push asks for each file."""
    with explained(project):
        address = address_here(project)
    if address is None or ADDRESS.fullmatch(address) is None:
        return False
    return open_store(address).exists(f"files/md5/{listing[:2]}/{listing[2:]}")


def _listing(pointer: Path) -> str:
    from ruamel.yaml import YAML, YAMLError

    try:
        return str(YAML(typ="safe").load(pointer.read_text())["outs"][0]["md5"])
    except (YAMLError, LookupError, TypeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{pointer} is not as DVC writes it ({' '.join(str(error).split())}); restore it from git's log"
        ) from error


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
        with suppress(BadInput):  # fails where the repository itself was just removed
            git(project, "reset", "--quiet", "--", *names)
        raise
