"""Garbage collection: which versions nobody needs any more, and how to delete none that somebody does.

Two calls, no waiting: the first marks a version with a tombstone, which promotion refuses; a later one, when
every promotion that began before the mark is long over, checks again and deletes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.model_versions import ModelVersions, Stored
from incumbent.storage.registry.tombstones import TOMBSTONE, State, Tombstone, Tombstones

# A promotion takes seconds, and gives up after minutes; an upload without a new file for a day is dead.
GRACE, UPLOAD = timedelta(hours=1), timedelta(days=1)
MINUTE = timedelta(minutes=1)

Action = Literal["keep", "mark", "wait", "unmark", "delete"]


@dataclass(frozen=True)
class Fate:
    """What becomes of a version, and why."""

    version: str
    action: Action
    why: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def collect(
    versions: ModelVersions,
    tombstones: Tombstones,
    stored_versions: Mapping[str, Stored],
    needed: Mapping[str, str],
    *,
    clock: datetime,
    dry_run: bool,
    grace: timedelta = GRACE,
) -> list[Fate]:
    """Take each stored version one step towards deletion, except those that are `needed`: version -> why.

    `needed` must have been read after `stored_versions`, else a version published or promoted in between
    looks superfluous; `clock` is S3's own time. May stop anywhere: the next call goes on.
    """
    fates = []
    for version, stored in sorted(stored_versions.items()):
        if not stored.files:
            continue  # deleted before; the tombstone stays
        known = tombstones.find(version) if stored.has_tombstone else None
        # Listed after that read: the time may be a later mark's, which prolongs the wait, never shortens it.
        since = versions.stored(version)[version].written[TOMBSTONE] if known else clock
        state = known.state if known else None
        fate = _fate(version, stored, state, needed.get(version), clock, clock - since, grace)
        if not dry_run and not _act(versions, tombstones, fate, stored, known):
            fate = Fate(version, "wait", "another gc changed it at the same time")
        fates.append(fate)
    return fates


def needed_versions(
    manifests: Sequence[Mapping[str, Any]], history: Sequence[Champion], keep: int
) -> dict[str, str]:
    """Version -> why it must stay. Every former champion may be rolled back to."""
    needed = {entry.version: f"was champion (entry {entry.seq})" for entry in history}
    for manifest in manifests[:keep]:
        needed.setdefault(manifest["version"], f"among the newest {keep}")
    parents = {manifest["version"]: manifest.get("parent") for manifest in manifests}
    for version in tuple(needed):
        for child, parent in _ancestry(version, parents):
            needed.setdefault(parent, f"parent of {child}, which can't be rebuilt without it")
    return needed


def _ancestry(version: str, parents: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    visited = {version}
    while (parent := parents.get(version)) is not None and parent not in visited:
        yield version, parent
        visited.add(parent)
        version = parent


def _fate(
    version: str,
    stored: Stored,
    state: State | None,
    need: str | None,
    clock: datetime,
    age: timedelta,
    grace: timedelta,
) -> Fate:
    """What to do with one version; `age` is the time since it was marked."""
    if state == "deleted":
        return Fate(version, "delete", "its deletion was interrupted")
    if need is not None:
        return Fate(version, "unmark" if state == "marked" else "keep", need)
    # Also for a marked version: a publisher that began before the mark may still be uploading.
    if not stored.complete and clock - stored.newest < UPLOAD:
        return Fate(version, "keep", "is being written, or its upload was interrupted within the last day")
    if state != "marked":
        return Fate(version, "mark", "nobody needs it" if stored.complete else "its upload was interrupted")
    if age < grace:
        return Fate(
            version, "wait", f"marked {age // MINUTE} minutes ago; can be deleted after {grace // MINUTE}"
        )
    return Fate(version, "delete", f"marked {age // MINUTE} minutes ago, and nobody needs it")


def _act(
    versions: ModelVersions, tombstones: Tombstones, fate: Fate, stored: Stored, known: Tombstone | None
) -> bool:
    """Carry out the action; False if another gc changed the tombstone meanwhile."""
    if fate.action == "mark":
        return tombstones.move(fate.version, known, "marked", fate.why)
    if fate.action == "unmark":
        return tombstones.move(fate.version, known, "withdrawn", fate.why)
    if fate.action == "delete":
        going = known is not None and known.state == "deleted"
        if not going and not tombstones.move(fate.version, known, "deleted", fate.why):
            return False
        versions.delete(fate.version, stored.files)
    return True
