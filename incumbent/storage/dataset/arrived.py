"""What arrived over time, by the commits of the data versions."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.versions import PROFILES, VERSIONED

AT_ONCE = 500
"""Profiles that one git command prints."""


def newest_version_at(project: Path) -> float | None:
    """Unix time of the commit of the newest data version; None without data."""
    at = git(project, "log", "-1", "--format=%ct", "HEAD", "--", *VERSIONED)
    return float(at) if at else None


def arrived_rows(project: Path, since: str | None) -> dict[tuple[str, str], int]:
    """(profile, md5 of its partition) -> rows, of what came up to HEAD and after the commit `since`.

    Also of partitions that were removed later. Counts those with a profile: all, or the latest ones of a
    project that is older than profiles. Raises BadInput where git fails or a profile can't be read.
    """
    try:
        blobs = _profiles(project, f"{since}..HEAD" if since else "HEAD")
    except BadInput:
        if since is None:
            raise
        blobs = _profiles(project, "HEAD")  # the history was rewritten
    rows = {}
    for first in range(0, len(blobs), AT_ONCE):
        some = blobs[first : first + AT_ONCE]
        for (path, _), profile in zip(some, _read(project, [blob for _, blob in some]), strict=True):
            rows[path, str(profile["md5"])] = int(profile["rows"])
    return rows


def _profiles(project: Path, commits: str) -> list[tuple[str, str]]:
    """(path, blob) of every profile that these commits wrote."""
    changes = git(
        project, "log", "--format=", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=AM", "-z",
        commits, "--", PROFILES,
    )  # fmt: skip
    fields = changes.split("\0")
    return [(path, about.split()[3]) for about, path in zip(fields[::2], fields[1::2], strict=False)]


def _read(project: Path, blobs: Sequence[str]) -> Iterator[dict[str, Any]]:
    text, at, decoder = git(project, "show", *blobs), 0, json.JSONDecoder()
    for blob in blobs:
        try:
            document, at = decoder.raw_decode(text, at)
            yield {name: document[name] for name in ("md5", "rows")}
        except (ValueError, LookupError, TypeError) as error:
            raise BadInput(f"{project}: blob {blob} in {PROFILES} is no profile: {error!r}") from error
        at += text[at : at + 1] == "\n"
