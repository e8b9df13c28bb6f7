"""Explain failures of the machine that a user can mend: a full disk, no memory, a file without permission."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from incumbent.errors import IncumbentError

# Where the project is, for messages: most errors of a full disk name no file.
PROJECT = "INCUMBENT_PROJECT"

FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
# Messages of git, DuckDB, our S3 client, SQLite, and of Python without a folder for temporary files.
FULL_IN_WORDS = (
    "no space left on",
    "disk quota exceeded",
    "database or disk is full",
    "no usable temporary directory",
)
# Messages of torch, OpenBLAS and LightGBM (C++), of Python for a thread, and of DuckDB.
NO_MEMORY_IN_WORDS = (
    "can't allocate memory",
    "cannot allocate memory",
    "std::bad_alloc",
    "can't start new thread",
    "out of memory error",
)
ALMOST_NOTHING = 1 << 20  # bytes free; too few for anything to work
# The local S3 server refuses to write when less than the share RESERVE is free, or when there is no space for
# the two volumes that it needs, one for itself and one for our bucket.
RESERVE, VOLUMES = 0.01, 2 * (64 << 20)


def explain(error: BaseException) -> str | None:
    """A message if the machine caused the error: a full disk, no memory, no permission; else None."""
    chain = list(_causes(error))
    for each in chain:
        if (isinstance(each, OSError) and each.errno in FULL) or _says(each, FULL_IN_WORDS):
            return _no_space(_fullest(_file_of(each)))
    if isinstance(error, IncumbentError):
        return None
    for each in chain:
        if isinstance(each, OSError) and each.errno in REFUSED and each.filename:
            return f"{_file_of(each)}: {each.strerror}; check who owns it, and whether it may be written"
    if any(isinstance(each, MemoryError) or _says(each, NO_MEMORY_IN_WORDS) for each in chain):
        return (
            "no memory is left for this process; lower search.rows, retrain.window or search.workers in "
            "params.yaml, or raise the limit (ulimit -v, the container's), and run it again"
        )
    if any(_server_failed(each) for each in chain):
        return disk_of_the_stack()
    fullest = _fullest(None)
    return _no_space(fullest) if shutil.disk_usage(fullest).free < ALMOST_NOTHING else None


def disk_of_the_stack() -> str | None:
    """A message if the local stack's disk is too full for its servers; else None."""
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


def _says(error: BaseException, messages: Sequence[str]) -> bool:
    text = str(error).lower()
    return any(words in text for words in messages)


def _server_failed(error: BaseException) -> bool:
    return getattr(getattr(error, "response", None), "status_code", 0) >= 500


def _file_of(error: BaseException) -> str | None:
    # The error of a copy has two file names; the second is the one that can't be written.
    return getattr(error, "filename2", None) or getattr(error, "filename", None)


def _fullest(file: str | None) -> Path:
    """Of the folders that the work may have written to, the one on the disk with the least free space."""
    folders = [_project(), Path(os.environ.get("TMPDIR", "/tmp"))]  # noqa: S108 - looked at, not written to
    if file:
        folders.append(Path(file).absolute().parent)
    return min((_existing(folder) for folder in folders), key=lambda folder: shutil.disk_usage(folder).free)


def _project() -> Path:
    return _existing(Path(os.environ.get(PROJECT, ".")).absolute())


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _no_space(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return (
        f"no space left on the disk of {folder}: {usage.free / 1e6:,.1f} of {usage.total / 1e6:,.0f} MB are "
        "free; free some and run it again"
    )
