"""The landing prefix: where other systems put files, and from where they leave once they are a version.

An object is removed only while it is still the one that was taken. So a file that is overwritten meanwhile,
and whatever lands later, stays for the next time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from incumbent.errors import Conflict, NotFound
from incumbent.params import Params
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Listed, Store

UNFINISHED = (".part", ".tmp")


@dataclass(frozen=True)
class Landed:
    """An object that was taken, and its local copy."""

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
        """What lies there, oldest first, but for unfinished files, and names or folders like .x and _x."""
        return sorted(filter(_is_data, self._store.listing()), key=lambda each: (each.written, each.key))

    def take(self, folder: Path) -> Iterator[Landed]:
        """Copy what waits into the folder, a folder each; north/03.csv is called north-03.csv.

        One that changes at this moment is left for the next time.
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
        """Remove it, unless it was overwritten since; say whether."""
        return self._store.delete_if(landed.key, landed.etag)


def open_landing(params: Params) -> Landing | None:
    """The landing folder of the project's dataset; None if none is configured."""
    if params.landing.address is None:
        return None
    return Landing(open_store(f"{params.landing.address.rstrip('/')}/{params.dataset.name}"))


def _is_data(found: Listed) -> bool:
    *folders, name = found.key.split("/")
    hidden = any(each.startswith((".", "_")) for each in (*folders, name))
    return bool(name) and not hidden and not name.endswith(UNFINISHED)
