"""Everything in a registry that is not as it was written, not only the first thing."""

from collections.abc import Iterator

from incumbent.errors import IncumbentError, StorageUnavailable
from incumbent.storage.registry.champion_log import ChampionLog
from incumbent.storage.registry.model_versions import ModelVersions


def find_problems(versions: ModelVersions, office: ChampionLog) -> Iterator[str]:
    """Read every byte of every version, every entry of the log, and the pointer; a sentence each.

    What the next one mends is no problem: a version without manifest, an entry that is not in the log yet, a
    deletion that broke off, a mark that came while its version was promoted. Raises StorageUnavailable.
    """
    entries, problems = office.entries()
    yield from map(str, problems)
    found = versions.stored()
    for version, stored in sorted(found.items()):
        if stored.complete:
            try:
                yield from map(str, versions.problems(versions.manifest(version)))
            except StorageUnavailable:
                raise
            except IncumbentError as error:
                yield str(error)
    for version in sorted({entry.version for entry in entries}):
        if version not in found or not found[version].complete:
            yield f"'{version}' was or is champion and is gone from {versions.url(version)}"
        elif found[version].has_tombstone and versions.is_deleted(version):
            yield f"'{version}' was or is champion and is being deleted at {versions.url(version)}"
