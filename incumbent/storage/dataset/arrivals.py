"""Add partitions to the data as a new version: stored, pushed, committed, and the commit pushed, or nothing.

Neither the other partitions nor their bytes are needed.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from filelock import FileLock
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from incumbent.errors import BadInput
from incumbent.storage.dataset.dvc_remote import open_repo
from incumbent.storage.dataset.git import (
    Rejected,
    commit_of,
    file_at,
    git,
    has_upstream,
    is_ancestor,
    last_change,
    push,
)
from incumbent.storage.dataset.versions import DATA, POINTER, explained, resolve, resolve_or_empty
from incumbent.tables.partitions import DataVersion

PUSH_ATTEMPTS = 8
UNDO = ".undo.json"


def add_partitions(
    project: Path, files: Sequence[Path], replacing: Mapping[str, str] = MappingProxyType({})
) -> DataVersion:
    """Add files to data/, as one new version: store, push, commit, push the commit.

    Adding the same bytes again changes nothing. If another commit reached the git remote first, the files are
    added on top of it. Whatever fails, the project is left as it was. Raises BadInput when the branch and
    its upstream have diverged, or a partition in `replacing` (name -> md5) has another md5 by now.
    """
    with _locked(project):
        _undo_interrupted(project)
        _require_clean_pointer(project)
        for attempt in Retrying(
            retry=retry_if_exception_type(Rejected),
            stop=stop_after_attempt(PUSH_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.4),
            reraise=True,
        ):
            with attempt:
                _catch_up(project)
                _require_unchanged(project, replacing)
                _add(project, files)
        # Not HEAD: a commit of code after the last change of the data is the same version.
        return resolve(project, last_change(project, "HEAD", POINTER) or "HEAD")


def catch_up(project: Path) -> None:
    """Move the branch to its upstream, if it has one, also after a force push.

    Raises BadInput when the branch has commits that its upstream lacks.
    """
    with _locked(project):
        _undo_interrupted(project)
        _catch_up(project)


def track_all(project: Path, message: str) -> DataVersion:
    """Make what is in data/ the data version, as `dvc add data && dvc push && git push` would."""
    with _undone_on_failure(project, [], message):
        _publish(project, [project / DATA], message)
    return resolve(project)


def commit_file(project: Path, name: str, text: str, message: str) -> None:
    """Write a tracked file, commit it by itself and push the branch, if it has an upstream.

    Nothing changes if that fails. Raises BadInput when the branch and its upstream have diverged.
    """
    with _locked(project):
        _undo_interrupted(project)
        _catch_up(project)
        path, before = project / name, commit_of(project, "HEAD")
        try:
            path.write_text(text, encoding="utf-8")
            git(project, "commit", "--quiet", "-m", message, "--", name)
            if has_upstream(project):
                push(project)
        except BaseException:
            git(project, "reset", "--quiet", "--soft", before)
            git(project, "restore", "--staged", "--worktree", "--", name)
            raise


def _add(project: Path, files: Sequence[Path]) -> None:
    folder = project / DATA
    message = f"Add {', '.join(sorted(file.stem for file in files))} to the data"
    with _undone_on_failure(project, [folder / file.name for file in files], message):
        folder.mkdir(exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / file.name)
        known = (project / POINTER).exists()
        targets = [folder / file.name for file in files] if known else [folder]
        _publish(project, targets, message)


def _publish(project: Path, targets: list[Path], message: str) -> None:
    with explained(project):
        with open_repo(project) as repo:
            # DVC takes relative targets from the working directory, which need not be the project.
            repo.add([str(target.resolve()) for target in targets])
            repo.push(targets=[str((project / POINTER).resolve())])
        paths = [POINTER]
        if file_at(project, "HEAD", POINTER) is None:  # DVC makes git ignore what it tracks from now on
            paths += [name for name in (".gitignore", ".dvc/.gitignore") if (project / name).exists()]
        git(project, "add", *paths)
        if git(project, "diff", "--cached", "--name-only", "--", POINTER):
            git(project, "commit", "--quiet", "-m", message, "--", *paths)
            if has_upstream(project):
                push(project)


def _require_unchanged(project: Path, expected: Mapping[str, str]) -> None:
    if not expected:
        return
    now = resolve_or_empty(project).digests
    for name, md5 in expected.items():
        if now.get(name) != md5:
            current = f"has md5 {now[name]}" if name in now else "is gone"
            raise BadInput(
                f"{name} was to be changed from md5 {md5}, but it {current} by now; run the command again"
            )


def _require_clean_pointer(project: Path) -> None:
    if git(project, "status", "--porcelain", "--", POINTER):
        raise BadInput(f"{project / POINTER} has changes that are not committed; commit or restore it first")


def _catch_up(project: Path) -> None:
    if not has_upstream(project):
        return
    known = commit_of(project, "@{upstream}")
    git(project, "fetch", "--quiet")
    now, head = commit_of(project, "@{upstream}"), commit_of(project, "HEAD")
    if not is_ancestor(project, known, now) and is_ancestor(project, head, known):
        # A force push, and no commit is ours alone: commits withdrawn upstream are withdrawn here, too.
        git(project, "reset", "--quiet", "--keep", now)
        return
    try:
        git(project, "merge", "--quiet", "--ff-only", "@{upstream}")
    except BadInput as error:
        raise BadInput(
            f"the branch of {project} and its upstream have diverged; bring them together with "
            f"'git pull --rebase', then run this again ({error})"
        ) from error


@contextmanager
def _locked(project: Path) -> Iterator[None]:
    """Lock the clone: one arrival at a time, for all of its projects; others wait. Between clones, the git
    remote decides.
    """
    (project / ".incumbent").mkdir(exist_ok=True)
    folder = Path(git(project, "rev-parse", "--absolute-git-dir"))
    with FileLock(folder / "incumbent-arrival.lock"):
        yield


@contextmanager
def _undone_on_failure(project: Path, files: Sequence[Path], message: str) -> Iterator[None]:
    """Restore the branch, data.dvc and the files if the block fails.

    If this process is killed in it, the next arrival restores them from .incumbent/undo/.
    """
    backup = project / ".incumbent" / "undo"
    backup.mkdir(parents=True, exist_ok=True)
    for file in files:
        if file.exists():
            shutil.copyfile(file, backup / file.name)
    undo = {
        "before": commit_of(project, "HEAD"),
        "files": [file.name for file in files],
        "message": message,
    }
    (backup / UNDO).write_text(json.dumps(undo))
    try:
        yield
    except BaseException:
        _undo_interrupted(project)
        raise
    shutil.rmtree(backup)


def _undo_interrupted(project: Path) -> None:
    backup = project / ".incumbent" / "undo"
    if not (backup / UNDO).exists():
        shutil.rmtree(backup, ignore_errors=True)
        return
    undo = json.loads((backup / UNDO).read_text())
    before, head = undo["before"], commit_of(project, "HEAD")
    # Other projects in this repository commit, too.
    committed = bool(git(project, "log", "-1", "--format=%H", f"{before}..{head}", "--", POINTER))
    shared = has_upstream(project) and is_ancestor(project, head, "@{upstream}")
    if committed and (shared or not has_upstream(project)):
        shutil.rmtree(backup)  # it was completed
        return
    if head != before and git(project, "log", "-1", "--format=%P %s") == f"{before} {undo['message']}":
        git(project, "reset", "--quiet", "--soft", before)  # our commit and no other
    if file_at(project, "HEAD", POINTER) is not None:
        git(project, "restore", "--staged", "--worktree", "--", POINTER)
    for name in undo["files"]:
        (project / DATA / name).unlink(missing_ok=True)
        if (backup / name).exists():
            shutil.copyfile(backup / name, project / DATA / name)
    shutil.rmtree(backup)
