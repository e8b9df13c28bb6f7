"""The landing prefix: other systems put files there, and we remove them once they are a version.

An object is removed only if it is still the one that was copied. A file that was overwritten meanwhile, and
files that landed later, stay for the next run.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from incumbent.errors import Conflict, NotFound
from incumbent.params import Params
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Listed, Store

UNFINISHED = (".part", ".tmp")


@dataclass(frozen=True)
class Landed:
    """An object of the landing prefix, and its local copy."""

    key: str
    etag: str
    path: Path


class Landing:
    """One dataset's folder below `landing.address`. All methods raise StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def address(self) -> str:
        return self._store.url()

    def waiting(self) -> list[Listed]:
        """The objects there, oldest first, except unfinished files and names or folders like .x and _x."""
        return sorted(filter(_is_data, self._store.listing()), key=lambda each: (each.written, each.key))

    def take(self, folder: Path) -> Iterator[Landed]:
        """Copy the waiting objects, each into a folder of its own; north/03.csv becomes north-03.csv.

        An object that changes at this moment is left for the next run.
        """
        for number, each in enumerate(self.waiting()):
            path = folder / f"{number:06d}" / each.key.replace("/", "-")
            path.parent.mkdir(parents=True)
            try:
                self._store.download(each.key, path, each.etag)
            except (Conflict, NotFound):
                continue
            yield Landed(each.key, each.etag, path)

    def clear(self, landed: Landed) -> bool:
        """Remove the object unless it was overwritten since; return whether it was removed."""
        return self._store.delete_if(landed.key, landed.etag)


def open_landing(params: Params) -> Landing | None:
    """The landing folder of the project's dataset; None if none is configured."""
    if params.landing.address is None:
        return None
    return Landing(open_store(f"{params.landing.address.rstrip('/')}/{params.dataset.name}"))


def unclaimed(projects: Iterable[Params]) -> Iterator[str]:
    """Addresses of the folders beside those of these projects that hold files, which nobody takes in."""
    names: dict[str, set[str]] = defaultdict(set)
    for params in projects:
        if params.landing.address is not None:
            names[params.landing.address.rstrip("/")].add(params.dataset.name)
    for address, claimed in names.items():
        for folder in open_store(address).folders():
            if folder not in claimed and Landing(open_store(f"{address}/{folder}")).waiting():
                yield f"{address}/{folder}/"


def _is_data(listed: Listed) -> bool:
    *folders, name = listed.key.split("/")
    hidden = any(each.startswith((".", "_")) for each in (*folders, name))
    return bool(name) and not hidden and not name.endswith(UNFINISHED)
