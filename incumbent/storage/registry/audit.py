"""Audit a registry: list everything that is not as it was written, not only the first problem."""

from collections.abc import Iterator

from incumbent.errors import IncumbentError, StorageUnavailable
from incumbent.storage.registry.approvals import Approvals
from incumbent.storage.registry.champion_log import ChampionLog
from incumbent.storage.registry.model_versions import ModelVersions


def find_problems(versions: ModelVersions, champion_log: ChampionLog, approvals: Approvals) -> Iterator[str]:
    """Read every byte of every version, the log, the pointer, and what waits for approval; a sentence each.

    What the next writer completes is no problem: a version without a manifest, an entry missing in the log,
    an interrupted deletion, a version marked for deletion while it was promoted. Raises StorageUnavailable.
    """
    entries, problems = champion_log.entries()
    yield from map(str, problems)
    stored_versions = versions.stored()
    for version, stored in sorted(stored_versions.items()):
        if stored.complete:
            try:
                yield from map(str, versions.problems(versions.manifest(version)))
            except StorageUnavailable:
                raise
            except IncumbentError as error:
                yield str(error)
    for version in sorted({entry.version for entry in entries}):
        if version not in stored_versions or not stored_versions[version].complete:
            yield f"'{version}' is or was champion and is missing at {versions.url(version)}"
        elif stored_versions[version].has_tombstone and versions.is_deleted(version):
            yield f"'{version}' is or was champion and is being deleted at {versions.url(version)}"
    if not problems:
        yield from approvals.problems(entries, stored_versions)
