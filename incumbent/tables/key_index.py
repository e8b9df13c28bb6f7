"""An index of which partitions may have a key: sorted hashes on disk, in blocks that double in size.

A new partition is a block of its own; while the last block is more than half of the one before, the two
become one. So N partitions are in about log2(N) blocks at most, a hash is rewritten as many times, and
neither adding nor searching reads history. Eight bytes a row: 44 bits of the hash, and 20 for the number of
the partition within its block. Hits are candidates only; the caller compares the keys themselves.

Partitions are known by their md5, so the index is right for any version, in any clone; it is a cache.
"""

import json
import uuid
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from incumbent.tables.atomic import atomic_write

OWNER_BITS = 20
OWNER = np.uint64(2**OWNER_BITS - 1)


@dataclass(frozen=True)
class Block:
    """A sorted array of (n,) uint64 in `file`; `members` are the md5 of its partitions, by their number."""

    file: str
    size: int
    members: tuple[str, ...]


class KeyIndex:
    """One folder. One process at a time may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._catalogue = folder / "blocks.json"
        self._blocks: list[Block] = []
        if self._catalogue.exists():
            read = json.loads(self._catalogue.read_text())
            self._blocks = [Block(each["file"], each["size"], tuple(each["members"])) for each in read]

    @property
    def members(self) -> frozenset[str]:
        """The md5 of all partitions in it."""
        return frozenset(member for block in self._blocks for member in block.members)

    def add(self, md5: str, hashes: np.ndarray, wanted: Container[str]) -> None:
        """Add a partition's hashes, (n,) uint64; those of partitions that are not `wanted` may be dropped."""
        blocks = [*self._blocks, self._write(np.sort(hashes & ~OWNER), (md5,))]
        while len(blocks) > 1 and 2 * blocks[-1].size > blocks[-2].size:
            last, previous = blocks.pop(), blocks.pop()
            blocks.append(self._merge(previous, last, wanted))
        self._blocks = blocks
        self._keep_catalogue()
        for file in self._folder.glob("*.npy"):
            if file.name not in {block.file for block in blocks}:
                file.unlink()

    def find(self, hashes: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Each partition that may hold some of these hashes, and which: their positions, ascending."""
        order = np.argsort(hashes, kind="stable")
        needles = hashes[order] & ~OWNER
        for block in filter(lambda block: block.size, self._blocks):
            held = self._read(block)
            first = np.searchsorted(held, needles)
            there = (held[np.minimum(first, block.size - 1)] & ~OWNER) == needles
            first, positions = first[there], order[there]
            counts = np.searchsorted(held, needles[there] | OWNER, side="right") - first
            nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            owners = (held[np.repeat(first, counts) + nth] & OWNER).astype(np.int64)
            positions = np.repeat(positions, counts)
            for owner in np.unique(owners):
                yield block.members[owner], np.sort(positions[owners == owner])

    def _merge(self, one: Block, other: Block, wanted: Container[str]) -> Block:
        parts = []
        members: list[str] = []
        for block in (one, other):
            held = self._read(block)
            kept = np.array([member in wanted for member in block.members], dtype=bool)
            if kept.all():
                parts.append(held + np.uint64(len(members)))
            else:
                numbers = (np.cumsum(kept) - 1 + len(members)).astype(np.uint64)
                owners = (held & OWNER).astype(np.int64)
                alive = kept[owners]
                parts.append((held[alive] & ~OWNER) | numbers[owners[alive]])
            members += [member for member in block.members if member in wanted]
        merged = np.concatenate(parts)
        merged.sort(kind="stable")  # two sorted runs: one pass
        return self._write(merged, tuple(members))

    def _read(self, block: Block) -> np.ndarray:
        return np.load(self._folder / block.file, mmap_mode="r" if block.size else None)

    def _write(self, packed: np.ndarray, members: tuple[str, ...]) -> Block:
        if len(members) > OWNER:
            raise OverflowError(f"{len(members):,} partitions in one index; {OWNER:,} are possible")
        block = Block(f"{uuid.uuid4().hex}.npy", len(packed), members)
        np.save(self._folder / block.file, packed)
        return block

    def _keep_catalogue(self) -> None:
        """The commit point: until it is replaced, the former blocks are all there."""
        with atomic_write(self._catalogue) as part:
            part.write_text(json.dumps([vars(block) for block in self._blocks]))
