"""Failures of the machine that a user can mend, in one sentence: a full disk, a file that refuses us."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from incumbent.errors import IncumbentError

# Where the project is, for messages: most errors of a full disk name no file.
PROJECT = "INCUMBENT_PROJECT"

FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
# As others put it: git, DuckDB, our S3 client, SQLite, Python without a place for temporary files.
FULL_IN_WORDS = (
    "no space left on",
    "disk quota exceeded",
    "database or disk is full",
    "no usable temporary directory",
)
ALMOST_NOTHING = 1 << 20  # bytes free, with which nothing works
# The local S3 server refuses to write when less than this share is free, or when it needs new volumes, one
# for itself and one for our bucket, and there is no room for them.
RESERVE, VOLUMES = 0.01, 2 * (64 << 20)


def explain(error: BaseException) -> str | None:
    """What is wrong with the machine, if that is behind the error; None if it is anything else."""
    chain = list(_causes(error))
    for each in chain:
        if (isinstance(each, OSError) and each.errno in FULL) or _says_full(each):
            return _no_space(_fullest(_file_of(each)))
    if isinstance(error, IncumbentError):
        return None
    for each in chain:
        if isinstance(each, OSError) and each.errno in REFUSED and each.filename:
            return f"{_file_of(each)}: {each.strerror}; check who owns it, and whether it may be written"
    if any(_server_failed(each) for each in chain):
        return disk_of_the_stack()
    fullest = _fullest(None)
    return _no_space(fullest) if shutil.disk_usage(fullest).free < ALMOST_NOTHING else None


def disk_of_the_stack() -> str | None:
    """That the disk below the local stack is too full for its servers; None if it isn't."""
    folder = _project()
    usage = shutil.disk_usage(folder)
    return _no_space(folder) if usage.free < max(RESERVE * usage.total, VOLUMES) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    known: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in known:
        known.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _says_full(error: BaseException) -> bool:
    text = str(error).lower()
    return any(words in text for words in FULL_IN_WORDS)


def _server_failed(error: BaseException) -> bool:
    return getattr(getattr(error, "response", None), "status_code", 0) >= 500


def _file_of(error: BaseException) -> str | None:
    # A copy has two names, and it is the second that can't be written.
    return getattr(error, "filename2", None) or getattr(error, "filename", None)


def _fullest(file: str | None) -> Path:
    """The folder on the disk with the least space, of those that the work may have been in."""
    places = [_project(), Path(os.environ.get("TMPDIR", "/tmp"))]  # noqa: S108 - looked at, not written to
    if file:
        places.append(Path(file).absolute().parent)
    return min((_existing(place) for place in places), key=lambda place: shutil.disk_usage(place).free)


def _project() -> Path:
    return _existing(Path(os.environ.get(PROJECT, ".")).absolute())


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())


def _no_space(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return (
        f"no space left on the disk of {folder}: {usage.free / 1e6:,.1f} of {usage.total / 1e6:,.0f} MB are "
        "free; free some and run it again"
    )
