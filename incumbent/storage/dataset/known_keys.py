"""Was a row with this key there before, in another partition? Asked without reading history.

<project>/.incumbent/cache/keys/<digest of the key's columns>/    a KeyIndex: built once, then extended
"""

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from filelock import FileLock

from incumbent.storage.dataset.versions import digest_of, fetch, read_columns
from incumbent.tables.key_index import KeyIndex
from incumbent.tables.partitions import DataVersion
from incumbent.tables.row_keys import Keys, in_both, keys_of


class KnownKeys:
    """The keys of a version, and of partitions that are about to become part of the next one."""

    def __init__(self, project: Path, key: Sequence[str], version: DataVersion) -> None:
        self._project, self._key, self._version = project, list(key), version
        self._listed = version.digests
        self._arrived: dict[str, Path] = {}
        digest = hashlib.sha256(json.dumps(self._key).encode()).hexdigest()
        self._folder = project / ".incumbent" / "cache" / "keys" / digest[:12]

    def without(self, names: Iterable[str]) -> "KnownKeys":
        """The same, but for these partitions: what takes their place may have their keys."""
        rest, gone = copy.copy(self), set(names)
        rest._listed = {name: md5 for name, md5 in self._listed.items() if name not in gone}
        rest._arrived = dict(self._arrived)
        return rest

    def repeated(self, path: Path) -> dict[str, np.ndarray]:
        """The rows of a Parquet file whose key a partition has: positions by its name, ascending.

        Reads the key columns of those partitions that the index lacks: the first time all of them.
        """
        mine = self._read(path)
        names = {md5: name for name, md5 in self._listed.items()}
        found = {}
        with self._index() as index:
            known = index.members
            self._fill(index, [name for name, md5 in self._listed.items() if md5 not in known])
            suspects = [(names[md5], places) for md5, places in index.find(mine.hashes) if md5 in names]
        for name, places in suspects:
            suspected = np.isin(np.arange(len(mine.rows)), places)
            asked = mine.at(suspected)
            if (sure := in_both(asked, self._read(self._path_of(name)))).any():
                found[name] = asked.rows[sure]
        return dict(sorted(found.items()))

    def take(self, path: Path) -> None:
        """From now on this partition is there, too."""
        md5 = digest_of(path)
        self._listed[path.name] = md5
        self._arrived[md5] = path
        with self._index() as index:
            self._fill(index, [path.name] if md5 not in index.members else [])

    def _fill(self, index: KeyIndex, names: Sequence[str]) -> None:
        wanted = {*self._arrived, *(partition.md5 for partition in self._version.partitions)}
        here = [name for name in names if self._listed[name] in self._arrived]
        for name in here:
            index.add(self._listed[name], self._read(self._path_of(name)).hashes, wanted)
        there = [name for name in names if name not in here]
        for partition, table in read_columns(self._project, self._version, there, self._key):
            index.add(partition.md5, keys_of(table, self._key).hashes, wanted)

    def _read(self, path: Path) -> Keys:
        file = pq.ParquetFile(path)
        there = [name for name in self._key if name in file.schema_arrow.names]
        return keys_of(file.read(columns=there), self._key)

    def _path_of(self, name: str) -> Path:
        md5 = self._listed[name]
        if md5 in self._arrived:
            return self._arrived[md5]
        [path] = fetch(self._project, self._version, [name])
        return path

    @contextmanager
    def _index(self) -> Iterator[KeyIndex]:
        """Other arrivals in this clone wait."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            yield KeyIndex(self._folder)
