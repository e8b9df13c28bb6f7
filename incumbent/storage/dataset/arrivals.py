"""Add partitions to the data as a new version: stored, pushed, committed, and the commit pushed, or nothing.

Neither the other partitions nor their bytes are needed.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    require_branch,
)
from incumbent.storage.dataset.versions import (
    DATA,
    LEARNED_SUITE,
    POINTER,
    PROFILES,
    VERSIONED,
    explained,
    is_made_anew,
    resolve,
    resolve_or_empty,
)
from incumbent.tables.partitions import DataVersion

PUSH_ATTEMPTS = 8
UNDO = ".undo.json"

Document = str | None | Callable[[str | None], str | None]
"""The new text of a tracked file, or None to remove it; or a function that makes it of the present text."""
NONE: Mapping[str, Document] = MappingProxyType({})


def add_partitions(
    project: Path,
    files: Sequence[Path],
    replacing: Mapping[str, str] = MappingProxyType({}),
    documents: Mapping[str, Document] = NONE,
) -> DataVersion:
    """Add files to data/, as one new version: store, push, commit, push the commit.

    `documents`, by path in the project, are part of the same commit. Adding the same bytes again changes
    nothing. If another commit reached the git remote first, the files are added on top of it, and functions
    in `documents` get its texts. Whatever fails, the project is left as it was. Raises BadInput when HEAD is
    on no branch, the branch and its upstream have diverged, a document has changes that are not committed, or
    a partition in `replacing` (name -> md5) has another md5 by now.
    """
    message = f"Add {', '.join(sorted(file.stem for file in files))} to the data"
    return resolve(project, _commit(project, files, replacing, documents, message))


def commit_documents(
    project: Path,
    documents: Mapping[str, Document],
    message: str,
    about: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write tracked files as add_partitions does, without any data: one commit, pushed, or nothing.

    Raises BadInput also when a partition in `about` (name -> md5) has another md5 by now.
    """
    _commit(project, [], about, documents, message)


def _commit(
    project: Path,
    files: Sequence[Path],
    replacing: Mapping[str, str],
    documents: Mapping[str, Document],
    message: str,
) -> str:
    """Returns the commit of the newest data version."""
    require_branch(project)
    with arrivals_locked(project):
        _undo_interrupted(project)
        _require_clean(project, [*([POINTER] if files else []), *documents])
        for attempt in Retrying(
            retry=retry_if_exception_type(Rejected),
            stop=stop_after_attempt(PUSH_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.4),
            reraise=True,
        ):
            with attempt:
                _catch_up(project)
                _require_unchanged(project, replacing)
                _add(project, files, documents, message)
        # Not HEAD: a commit of code after the last change of the data is the same version.
        return last_change(project, "HEAD", *VERSIONED) or "HEAD"


def catch_up(project: Path) -> None:
    """Move the branch to its upstream, if it has one, also after a force push.

    Raises BadInput when the branch has commits that its upstream lacks.
    """
    with arrivals_locked(project):
        _undo_interrupted(project)
        _catch_up(project)


def track_all(project: Path, message: str) -> DataVersion:
    """Make what is in data/ the data version, as `dvc add data && dvc push && git push` would."""
    with _undone_on_failure(project, [], message):
        _publish(project, [project / DATA], message)
    return resolve(project)


def _add(project: Path, files: Sequence[Path], documents: Mapping[str, Document], message: str) -> None:
    folder = project / DATA
    copies, paths = [folder / file.name for file in files], [*([POINTER] if files else []), *documents]
    with _undone_on_failure(project, copies, message, paths):
        written = [name for name, document in documents.items() if _write(project, name, document)]
        if written:
            # Before DVC writes git's index: an edit in the second of the checkout would look like none.
            git(project, "add", "--all", "--", *written)
        if files:
            folder.mkdir(exist_ok=True)
            for file in files:
                shutil.copyfile(file, folder / file.name)
            known = (project / POINTER).exists()
            _publish(project, copies if known else [folder], message, written)
        elif written:
            _commit_staged(project, written, message)


def _write(project: Path, name: str, document: Document) -> bool:
    """Write or remove a document; return whether that changed it."""
    before, path = file_at(project, "HEAD", name), project / name
    text = document(before) if callable(document) else document
    # git's output has no last newline
    same = text == before or (text is not None and before is not None and text.rstrip("\n") == before)
    if text is None:
        path.unlink(missing_ok=True)
    elif not (same and path.exists() and path.read_text(encoding="utf-8") == text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return not same


def _publish(project: Path, targets: list[Path], message: str, documents: Sequence[str] = ()) -> None:
    with explained(project):
        with open_repo(project) as repo:
            # DVC takes relative targets from the working directory, which need not be the project.
            repo.add([str(target.resolve()) for target in targets])
            repo.push(targets=[str((project / POINTER).resolve())])
        paths = [POINTER]
        if file_at(project, "HEAD", POINTER) is None:  # DVC makes git ignore what it tracks from now on
            paths += [name for name in (".gitignore", ".dvc/.gitignore") if (project / name).exists()]
        git(project, "add", *paths)
        _commit_staged(project, [*paths, *documents], message)


def _commit_staged(project: Path, paths: Sequence[str], message: str) -> None:
    """One commit of what is staged of these files, pushed if the branch has an upstream."""
    if git(project, "diff", "--cached", "--name-only", "--", *paths):
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


def _require_clean(project: Path, paths: Sequence[str]) -> None:
    """What is made anew with each version may be damaged or gone, but limits are learned from no profile that
    was edited."""
    learned = any(name.endswith(LEARNED_SUITE) for name in paths)
    for name in [*paths, *(_edited(project, PROFILES) if learned else ())]:
        if is_made_anew(name) and not _is_json(project / name):
            continue
        if git(project, "status", "--porcelain", "--", name):
            raise BadInput(f"{project / name} has changes that are not committed; commit or restore it first")


def _edited(project: Path, folder: str) -> list[str]:
    """Files in the folder that are not as in HEAD, or not in it, but for those that are gone."""
    changed = git(project, "diff", "-z", "--name-only", "--relative", "--diff-filter=d", "HEAD", "--", folder)
    new = git(project, "ls-files", "-z", "--others", "--exclude-standard", "--", folder)
    return [name for name in f"{changed}\0{new}".split("\0") if name]


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


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
def arrivals_locked(project: Path) -> Iterator[None]:
    """Lock the clone: one arrival at a time, for all of its projects; others wait. Between clones, the git
    remote decides.
    """
    (project / ".incumbent").mkdir(exist_ok=True)
    folder = Path(git(project, "rev-parse", "--absolute-git-dir"))
    with FileLock(folder / "incumbent-arrival.lock"):
        yield


@contextmanager
def _undone_on_failure(
    project: Path, files: Sequence[Path], message: str, paths: Sequence[str] = (POINTER,)
) -> Iterator[None]:
    """Restore the branch, the files in data/ and the tracked files in `paths` if the block fails.

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
        "paths": list(paths),
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
    paths = undo.get("paths", [POINTER])
    # Other projects in this repository commit, too.
    committed = bool(git(project, "log", "-1", "--format=%H", f"{before}..{head}", "--", *paths))
    shared = has_upstream(project) and is_ancestor(project, head, "@{upstream}")
    if committed and (shared or not has_upstream(project)):
        shutil.rmtree(backup)  # it was completed
        return
    if head != before and git(project, "log", "-1", "--format=%P %s") == f"{before} {undo['message']}":
        git(project, "reset", "--quiet", "--soft", before)  # our commit and no other
    for name in paths:
        if file_at(project, "HEAD", name) is not None:
            git(project, "restore", "--staged", "--worktree", "--", name)
        elif name != POINTER:
            git(project, "reset", "--quiet", "--", name)
            (project / name).unlink(missing_ok=True)
    for name in undo["files"]:
        (project / DATA / name).unlink(missing_ok=True)
        if (backup / name).exists():
            shutil.copyfile(backup / name, project / DATA / name)
    shutil.rmtree(backup)
