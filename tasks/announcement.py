"""A new version of the data, and the event that announces it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.params import load_params
from incumbent.storage.dataset.branch import remember
from incumbent.tables.partitions import DataVersion, Diff
from tasks.events import emit
from tasks.step import retried


@dataclass(frozen=True)
class Version:
    """A data version, and how it differs from the one before."""

    data: DataVersion
    diff: Diff

    def to_json(self) -> dict[str, Any]:
        name = {"rev": self.data.rev, "md5": self.data.md5, "name": self.data.short}
        return {**name, **self.diff.to_json()}


@retried
def announce(project: Path, version: Version) -> None:
    """Emit dataset.version.created, and remember that the branch's newest version is announced."""
    tell_of(project, version)
    remember(project, version.data.rev)


def tell_of(project: Path, version: Version) -> None:
    """Emit dataset.version.created; emitting the same revision twice gives one event."""
    dataset = load_params(project).dataset.name
    emit(
        project,
        "dataset.version.created",
        f"incumbent.dataset.{dataset}",
        dataset,
        once=version.data.rev,
        payload=version.to_json(),
    )
