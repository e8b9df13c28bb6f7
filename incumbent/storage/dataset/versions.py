"""Versions of the data: DVC and git, read without a checkout.

Reads go through DVC's file system into a cache named by content, so they take no repository lock and any
number of runs can read at once.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from incumbent.errors import BadInput, NotFound, StorageUnavailable, Tampered
from incumbent.errors.machine import disk_of_the_stack
from incumbent.storage.dataset.dvc_remote import follow_environment
from incumbent.storage.dataset.git import commit_of, file_at, folder_of, git
from incumbent.storage.s3.client import way_to_a_server
from incumbent.storage.s3.traffic import Traffic, add
from incumbent.tables.atomic import atomic_write
from incumbent.tables.partitions import DataVersion, Partition, digest_of

if TYPE_CHECKING:
    import pyarrow as pa

DATA, POINTER, PROBATION = "data", "data.dvc", "expectations/probation.yaml"
PROFILES, LEARNED_SUITE = "expectations/profiles", ".learned.json"
VERSIONED = (POINTER, PROBATION)
"""A commit that changes one of them makes a data version: other rows, or other rows to learn from."""


def is_made_anew(document: str) -> bool:
    """A profile or the learned suite: it follows from the data, and nobody edits it."""
    return document.startswith(f"{PROFILES}/") or document.endswith(LEARNED_SUITE)


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
    """Partition -> md5. DVC names a listing by its content, so it can be cached for good. This also saves the
    start of DVC, the largest cost of a run that has nothing to do.
    """
    cached = project / ".incumbent" / "cache" / "listings" / f"{listing}.json"
    if cached.exists():
        return dict(json.loads(cached.read_text()))
    with explained(project), _files_of(project, commit) as (files, data):
        listed = files.find(data, detail=True)
    digests = {name.removeprefix(f"{data}/"): info["md5"] for name, info in listed.items()}
    cached.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(cached) as part:
        part.write_text(json.dumps(digests))
    return digests


def resolve_or_empty(project: Path) -> DataVersion:
    """The data version of HEAD; one without partitions when there is no data yet."""
    commit = commit_of(project, "HEAD")
    if file_at(project, commit, POINTER) is None:
        return DataVersion(commit, "", ())
    return resolve(project, commit)


def arrivals_of(project: Path, rev: str, digests: Mapping[str, str]) -> list[list[str]]:
    """Partitions (name -> md5) by the commit that brought these bytes, the oldest first.

    Reads listings back to that of the oldest; one that no commit has came last.
    """
    left, groups = dict(digests), list[list[str]]()
    commits = git(project, "log", "--format=%H", rev, "--", POINTER).split()
    for before in [*commits[1:], None]:
        if not left:
            break
        has_data = before is not None and file_at(project, before, POINTER) is not None
        known = resolve(project, before).digests if before and has_data else {}
        if brought := [name for name, md5 in left.items() if known.get(name) != md5]:
            groups.append(brought)
            left = {name: md5 for name, md5 in left.items() if name not in brought}
    return groups[::-1]


def fetch(project: Path, version: DataVersion, names: Sequence[str]) -> list[Path]:
    """Local files with the bytes of these partitions, fetched once and verified.

    Raises Tampered when the remote holds other bytes than the version names.
    """
    cache = project / ".incumbent" / "cache" / "partitions"
    cache.mkdir(parents=True, exist_ok=True)
    digests = version.digests
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
    """Some columns of partitions, without caching the files; a column that a partition lacks is left out.

    Bytes from the remote are not verified by digest; `fetch` does that. DVC's file system reads 50 MB ahead,
    so partitions smaller than that are transferred whole.
    """
    if not names:
        return
    import pyarrow.parquet as pq  # lazy: resolving versions does not need it

    cache = project / ".incumbent" / "cache" / "partitions"
    digests = version.digests
    with explained(project), _files_of(project, version.rev) as (files, data):
        for name in names:
            whole = cache / f"{digests[name]}.parquet"
            with whole.open("rb") if whole.exists() else files.open(f"{data}/{name}", "rb") as source:
                file = pq.ParquetFile(source)
                present = [column for column in columns if column in file.schema_arrow.names]
                yield Partition(name, digests[name]), file.read(columns=present)


def code_revision(project: Path) -> str:
    """The commit that is checked out, with '+changes' when tracked files of the project differ from it."""
    changed = git(project, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return commit_of(project, "HEAD") + ("+changes" if changed else "")


def _fetch_one(files: Any, name: str, md5: str, path: Path) -> None:
    with atomic_write(path) as part:
        files.get_file(name, str(part))
        add(Traffic(received_bytes=part.stat().st_size))  # by DVC's own client
        actual = digest_of(part)
        if actual != md5:
            raise Tampered(
                f"{name.removeprefix('/')} should have md5 {md5}, but the DVC remote holds {actual}"
            )


@contextmanager
def _files_of(project: Path, commit: str) -> Iterator[tuple[Any, str]]:
    """DVC's file system of a commit, and the path of data/ in it; its root is the git repository's."""
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
    """Translate errors of DVC and its remote into ours."""
    from botocore.exceptions import BotoCoreError, ClientError
    from dvc.config import ConfigError
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
            f"the DVC remote of {project} did not answer or refused the request at "
            f"{os.environ.get('AWS_ENDPOINT_URL', 'AWS')}: {_first_line(error)}; "
            f"{way_to_a_server()}, and check the credentials"
        ) from error
    except ConfigError as error:
        raise BadInput(
            f"DVC's configuration of {project} is not complete or not valid ({_first_line(error)}); compare "
            "its .dvc/config and .dvc/config.local with git's log: 'git checkout HEAD -- .dvc/config' brings "
            "back what is committed"
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
