"""What a version of the data is, and how two versions differ. Names and digests only, never rows."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput


@dataclass(frozen=True)
class Partition:
    """One immutable Parquet file of the dataset: its name in data/ and its md5 (hex)."""

    name: str
    md5: str


@dataclass(frozen=True)
class PartitionFiles:
    """Partitions in their order, and their files: `fetch` makes those of the given names local."""

    partitions: Sequence[Partition]
    fetch: Callable[[Sequence[str]], list[Path]]

    def of(self, partitions: Sequence[Partition]) -> list[Path]:
        """Local files of some of them."""
        return self.fetch([each.name for each in partitions])


def digest_of(file: Path) -> str:
    """md5 (hex) of a file, the name that DVC gives its content. Raises BadInput if it can't be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from error


@dataclass(frozen=True)
class DataVersion:
    """A git revision of data.dvc, the md5 of its directory listing, and the partitions, by name."""

    rev: str
    md5: str
    partitions: tuple[Partition, ...]

    @property
    def short(self) -> str:
        """A name for people: the last partition and the listing's digest."""
        last = self.partitions[-1].name.removesuffix(".parquet") if self.partitions else "empty"
        return f"{last}-{self.md5[:7]}"

    @property
    def digests(self) -> dict[str, str]:
        """Partition -> md5."""
        return {partition.name: partition.md5 for partition in self.partitions}

    def to_json(self) -> dict[str, Any]:
        return {"rev": self.rev, "md5": self.md5, "partitions": self.digests}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "DataVersion":
        partitions = tuple(Partition(name, md5) for name, md5 in document["partitions"].items())
        return DataVersion(document["rev"], document["md5"], partitions)


@dataclass(frozen=True)
class Diff:
    """Partitions by name: in the new version only, with other bytes, in the old version only."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def fresh(self) -> tuple[str, ...]:
        """Partitions whose bytes the old version did not have."""
        return tuple(sorted((*self.added, *self.changed)))

    def to_json(self) -> dict[str, list[str]]:
        return {"added": list(self.added), "changed": list(self.changed), "removed": list(self.removed)}


def difference(old: dict[str, str], new: Iterable[Partition]) -> Diff:
    """How `new` differs from `old` (name -> md5), from the listings alone."""
    now = {partition.name: partition.md5 for partition in new}
    return Diff(
        added=tuple(sorted(now.keys() - old.keys())),
        changed=tuple(sorted(name for name in now.keys() & old.keys() if now[name] != old[name])),
        removed=tuple(sorted(old.keys() - now.keys())),
    )
