"""Versions of the data: DVC and git, read without a checkout, extended without the history.

Reads go through DVC's file system into a cache named by content, so no repository lock is taken and any
number of runs can read side by side.
"""

import fcntl
import hashlib
import json
import os
import random
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from incumbent.dataset import DataVersion, Partition
from incumbent.errors import BadInput, NotFound, StorageUnavailable, Tampered
from incumbent.failures import disk_of_the_stack
from incumbent.storage.dvc_remote import follow_environment, open_repo
from incumbent.storage.git import (
    Rejected,
    commit_of,
    file_at,
    folder_of,
    git,
    has_upstream,
    is_ancestor,
    last_change,
    push,
)

if TYPE_CHECKING:
    import pyarrow as pa

DATA, POINTER = "data", "data.dvc"
PUSH_ATTEMPTS = 8
UNDO = ".undo.json"


def resolve(project: Path, rev: str = "HEAD") -> DataVersion:
    """The data version of a git revision, from listings alone.

    Raises NotFound when there is no such revision, or it has no data.dvc.
    """
    commit = commit_of(project, rev)
    pointer = file_at(project, commit, POINTER)
    if pointer is None:
        raise NotFound(f"revision {commit[:10]} has no {POINTER}; add data with 'incumbent ingest FILE…'")
    listing = YAML(typ="safe").load(pointer)["outs"][0]["md5"]
    digests = _listed(project, commit, listing)
    return DataVersion(commit, listing, tuple(Partition(name, digests[name]) for name in sorted(digests)))


def _listed(project: Path, commit: str, listing: str) -> dict[str, str]:
    """Partition -> md5. DVC names a listing by its content, so what was read once holds for good; without
    DVC's start, which costs more than all else in a run that finds nothing to do.
    """
    known = project / ".incumbent" / "cache" / "listings" / f"{listing}.json"
    if known.exists():
        return dict(json.loads(known.read_text()))
    with explained(project), _files_of(project, commit) as (files, data):
        listed = files.find(data, detail=True)
    digests = {name.removeprefix(f"{data}/"): info["md5"] for name, info in listed.items()}
    known.parent.mkdir(parents=True, exist_ok=True)
    part = known.with_name(f".{listing}.{uuid.uuid4().hex[:8]}")
    part.write_text(json.dumps(digests))
    part.replace(known)
    return digests


def resolve_or_empty(project: Path) -> DataVersion:
    """The data version of HEAD; one without partitions when there is no data yet."""
    commit = commit_of(project, "HEAD")
    if file_at(project, commit, POINTER) is None:
        return DataVersion(commit, "", ())
    return resolve(project, commit)


def digest_of(file: Path) -> str:
    """md5 (hex) of a file, the name that DVC gives its content. Raises BadInput if it can't be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from error


def fetch(project: Path, version: DataVersion, names: Sequence[str]) -> list[Path]:
    """Local files with the bytes of these partitions, fetched once and verified.

    Raises Tampered when the remote holds other bytes than the version names.
    """
    cache = project / ".incumbent" / "cache" / "partitions"
    cache.mkdir(parents=True, exist_ok=True)
    digests = {partition.name: partition.md5 for partition in version.partitions}
    paths = [cache / f"{digests[name]}.parquet" for name in names]
    missing = [(name, path) for name, path in zip(names, paths, strict=True) if not path.exists()]
    if missing:
        with explained(project), _files_of(project, version.rev) as (files, data):
            for name, path in missing:
                _fetch_one(files, f"{data}/{name}", digests[name], path)
    return paths


def read_columns(
    project: Path, version: DataVersion, names: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[Partition, "pa.Table"]]:
    """Some columns of partitions, without keeping the rest of them; a column that is not there is left out.

    What comes from the remote is not verified by digest; `fetch` does that. DVC's file system reads 50 MB
    ahead: of smaller partitions all bytes come over the wire.
    """
    if not names:
        return
    import pyarrow.parquet as pq  # what only resolves versions starts without it

    cache = project / ".incumbent" / "cache" / "partitions"
    digests = {partition.name: partition.md5 for partition in version.partitions}
    with explained(project), _files_of(project, version.rev) as (files, data):
        for name in names:
            whole = cache / f"{digests[name]}.parquet"
            with whole.open("rb") if whole.exists() else files.open(f"{data}/{name}", "rb") as source:
                file = pq.ParquetFile(source)
                there = [column for column in columns if column in file.schema_arrow.names]
                yield Partition(name, digests[name]), file.read(columns=there)


def add_partitions(
    project: Path, files: Sequence[Path], replacing: Mapping[str, str] = MappingProxyType({})
) -> DataVersion:
    """Add files to data/, as one new version: store, push, commit, push the commit.

    Needs neither the other partitions nor their bytes. The same bytes again change nothing. If somebody
    else's commit is first at the git remote, the files are added to theirs. Whatever fails, the project is
    left as it was. Raises BadInput when the branch and its upstream have diverged, or a partition that
    `replacing` names has not that md5 any more.
    """
    with _alone(project):
        _undo_what_was_left(project)
        _require_clean_pointer(project)
        for attempt in range(1, PUSH_ATTEMPTS + 1):
            _catch_up(project)
            _require_unchanged(project, replacing)
            try:
                _add(project, files)
                break
            except Rejected:
                if attempt == PUSH_ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - jitter, not a secret
        # Not HEAD: a commit of code after the last change of the data is the same version.
        return resolve(project, last_change(project, "HEAD", POINTER) or "HEAD")


def _require_unchanged(project: Path, expected: Mapping[str, str]) -> None:
    if not expected:
        return
    now = {partition.name: partition.md5 for partition in resolve_or_empty(project).partitions}
    for name, md5 in expected.items():
        if now.get(name) != md5:
            found = f"has md5 {now[name]}" if name in now else "is gone"
            raise BadInput(f"{name} was to be changed from md5 {md5}, but it {found} by now; look again")


def catch_up(project: Path) -> None:
    """Bring the branch to its upstream, if it has one, also when that was rewound or forced.

    Raises BadInput when the branch has commits of its own that stand in the way.
    """
    with _alone(project):
        _undo_what_was_left(project)
        _catch_up(project)


def _catch_up(project: Path) -> None:
    if not has_upstream(project):
        return
    known = commit_of(project, "@{upstream}")
    git(project, "fetch", "--quiet")
    now, head = commit_of(project, "@{upstream}"), commit_of(project, "HEAD")
    if not is_ancestor(project, known, now) and is_ancestor(project, head, known):
        # Rewound or forced, and nothing on the branch is ours alone: what was withdrawn stays withdrawn.
        git(project, "reset", "--quiet", "--keep", now)
        return
    try:
        git(project, "merge", "--quiet", "--ff-only", "@{upstream}")
    except BadInput as error:
        raise BadInput(
            f"the branch of {project} and its upstream have diverged; bring them together with "
            f"'git pull --rebase', then run this again ({error})"
        ) from error


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


@contextmanager
def _alone(project: Path) -> Iterator[None]:
    """One arrival at a time in one clone, for whichever of its projects; others wait. Two clones meet at the
    git remote.
    """
    (project / ".incumbent").mkdir(exist_ok=True)
    folder = Path(git(project, "rev-parse", "--absolute-git-dir"))
    with (folder / "incumbent-arrival.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def track_all(project: Path, message: str) -> DataVersion:
    """Make what is in data/ the data version, as `dvc add data && dvc push && git push` would."""
    with _undone_on_failure(project, [], message):
        _publish(project, [project / DATA], message)
    return resolve(project)


def commit_file(project: Path, name: str, text: str, message: str) -> None:
    """Write a tracked file, commit it by itself and push the branch, if it has an upstream.

    Nothing changes if that fails. Raises BadInput when the branch and its upstream have diverged.
    """
    with _alone(project):
        _undo_what_was_left(project)
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


def code_revision(project: Path) -> str:
    """The commit that is checked out, with '+changes' when tracked files of the project differ from it."""
    changed = git(project, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return commit_of(project, "HEAD") + ("+changes" if changed else "")


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


@contextmanager
def _undone_on_failure(project: Path, files: Sequence[Path], message: str) -> Iterator[None]:
    """Put back the branch, data.dvc and the files if the block does not come to its end.

    If this process is killed in it, the next arrival does that, from what is kept in .incumbent/undo/.
    """
    aside = project / ".incumbent" / "undo"
    aside.mkdir(parents=True, exist_ok=True)
    for file in files:
        if file.exists():
            shutil.copyfile(file, aside / file.name)
    memory = {
        "before": commit_of(project, "HEAD"),
        "files": [file.name for file in files],
        "message": message,
    }
    (aside / UNDO).write_text(json.dumps(memory))
    try:
        yield
    except BaseException:
        _undo_what_was_left(project)
        raise
    shutil.rmtree(aside)


def _undo_what_was_left(project: Path) -> None:
    aside = project / ".incumbent" / "undo"
    if not (aside / UNDO).exists():
        shutil.rmtree(aside, ignore_errors=True)
        return
    memory = json.loads((aside / UNDO).read_text())
    before, head = memory["before"], commit_of(project, "HEAD")
    # Other projects of the repository commit, too.
    committed = bool(git(project, "log", "-1", "--format=%H", f"{before}..{head}", "--", POINTER))
    shared = has_upstream(project) and is_ancestor(project, head, "@{upstream}")
    if committed and (shared or not has_upstream(project)):
        shutil.rmtree(aside)  # it came to its end
        return
    if head != before and git(project, "log", "-1", "--format=%P %s") == f"{before} {memory['message']}":
        git(project, "reset", "--quiet", "--soft", before)  # ours, and only ours
    if file_at(project, "HEAD", POINTER) is not None:
        git(project, "restore", "--staged", "--worktree", "--", POINTER)
    for name in memory["files"]:
        (project / DATA / name).unlink(missing_ok=True)
        if (aside / name).exists():
            shutil.copyfile(aside / name, project / DATA / name)
    shutil.rmtree(aside)


def _require_clean_pointer(project: Path) -> None:
    if git(project, "status", "--porcelain", "--", POINTER):
        raise BadInput(f"{project / POINTER} has changes that are not committed; commit or restore it first")


def _fetch_one(files: Any, name: str, md5: str, path: Path) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        files.get_file(name, str(part))
        seen = digest_of(part)
        if seen != md5:
            raise Tampered(f"{name.removeprefix('/')} should have md5 {md5}, but the DVC remote holds {seen}")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _files_of(project: Path, commit: str) -> Iterator[tuple[Any, str]]:
    """DVC's file system of a commit, and where data/ is in it: its top is that of the git repository."""
    from dvc.api import DVCFileSystem

    folder = folder_of(project)
    files = DVCFileSystem(str(project), rev=commit, subrepos=bool(folder))
    follow_environment(files.repo.config)
    try:
        yield files, f"/{folder}/{DATA}" if folder else f"/{DATA}"
    finally:
        files.close()


@contextmanager
def explained(project: Path) -> Iterator[None]:
    """DVC's and its remote's errors as ours."""
    from botocore.exceptions import BotoCoreError, ClientError
    from dvc.exceptions import DvcException, UploadError

    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(
            f"the DVC remote of {project} does not have what the version names ({error}); run 'dvc push' "
            "where the data was added"
        ) from error
    except (BotoCoreError, ClientError, PermissionError, ConnectionError) as error:
        raise StorageUnavailable(
            f"the DVC remote of {project} did not answer or refused us at "
            f"{os.environ.get('AWS_ENDPOINT_URL', 'AWS')}: {_first_line(error)}; "
            "start the local stack with 'incumbent up', or check AWS_ENDPOINT_URL and the credentials"
        ) from error
    except DvcException as error:
        full = disk_of_the_stack() if isinstance(error, UploadError) and _is_local() else None
        if full:
            raise StorageUnavailable(f"the DVC remote of {project} can't take the data: {full}") from error
        raise BadInput(f"DVC could not work on {project}: {_first_line(error)}") from error


def _is_local() -> bool:
    return os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
