"""Which keys occur in other partitions? Answered by an index, without reading history again.

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

from incumbent.storage.dataset.versions import fetch, read_columns
from incumbent.tables.key_index import KeyIndex
from incumbent.tables.partitions import DataVersion, digest_of
from incumbent.tables.row_keys import Keys, in_both, keys_of


class KnownKeys:
    """The keys of a version, and of partitions that are about to be added to the next one."""

    def __init__(self, project: Path, key: Sequence[str], version: DataVersion) -> None:
        self._project, self._key, self._version = project, list(key), version
        self._listed = version.digests
        self._arrived: dict[str, Path] = {}
        digest = hashlib.sha256(json.dumps(self._key).encode()).hexdigest()
        self._folder = project / ".incumbent" / "cache" / "keys" / digest[:12]

    def without(self, names: Iterable[str]) -> "KnownKeys":
        """A copy without these partitions: the ones that replace them may have their keys."""
        rest, replaced = copy.copy(self), set(names)
        rest._listed = {name: md5 for name, md5 in self._listed.items() if name not in replaced}
        rest._arrived = dict(self._arrived)
        return rest

    def repeated(self, path: Path) -> dict[str, np.ndarray]:
        """The rows of a Parquet file whose key another partition has: its name -> positions, ascending.

        Reads the key columns of the partitions that the index lacks; the first time that is all of them.
        """
        keys = self._read(path)
        names = {md5: name for name, md5 in self._listed.items()}
        repeated = {}
        with self._index() as index:
            known = index.members
            self._fill(index, [name for name, md5 in self._listed.items() if md5 not in known])
            suspects = [(names[md5], positions) for md5, positions in index.find(keys.hashes) if md5 in names]
        for name, positions in suspects:
            suspected = np.isin(np.arange(len(keys.rows)), positions)
            candidates = keys.at(suspected)
            if (confirmed := in_both(candidates, self._read(self._path_of(name)))).any():
                repeated[name] = candidates.rows[confirmed]
        return dict(sorted(repeated.items()))

    def add(self, path: Path) -> None:
        """Count this partition as part of the data from now on."""
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
        elsewhere = [name for name in names if name not in here]
        for partition, table in read_columns(self._project, self._version, elsewhere, self._key):
            index.add(partition.md5, keys_of(table, self._key).hashes, wanted)

    def _read(self, path: Path) -> Keys:
        file = pq.ParquetFile(path)
        present = [name for name in self._key if name in file.schema_arrow.names]
        return keys_of(file.read(columns=present), self._key)

    def _path_of(self, name: str) -> Path:
        md5 = self._listed[name]
        if md5 in self._arrived:
            return self._arrived[md5]
        [path] = fetch(self._project, self._version, [name])
        return path

    @contextmanager
    def _index(self) -> Iterator[KeyIndex]:
        """The index, locked: other arrivals in this clone wait."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            yield KeyIndex(self._folder)
