"""Frames of the files that were read last: the steps of a run read the same partitions."""

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import pandas as pd

SETTLED = 1.0
"""Seconds since a file's last change from which its frame is kept: a file system may give two changes that
follow each other at once the same time."""

State = tuple[Path, int, int, int]


class RecentFrames:
    """Keeps the frames used last, `most` bytes at most."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._frames: OrderedDict[State, pd.DataFrame] = OrderedDict()

    def read(self, path: Path, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The file's frame, read if it is not kept or the file has changed since."""
        known = self.kept(path)
        if known is not None:
            return known
        state, frame = _state(path), read()
        if time.time() - state[-1] / 1e9 > SETTLED:
            self._keep(state, frame)
        return frame.copy(deep=False)

    def kept(self, path: Path) -> pd.DataFrame | None:
        """The file's frame if it is kept. A change to it changes no other: pandas copies on write."""
        with self._lock:
            frame = self._frames.get(state := _state(path))
            if frame is None:
                return None
            self._frames.move_to_end(state)
            return frame.copy(deep=False)

    def _keep(self, state: State, frame: pd.DataFrame) -> None:
        if _bytes_of(frame) > self._most:
            return
        with self._lock:
            self._frames[state] = frame
            while sum(map(_bytes_of, self._frames.values())) > self._most:
                self._frames.popitem(last=False)


def _bytes_of(frame: pd.DataFrame) -> int:
    return int(frame.memory_usage().sum())


def _state(path: Path) -> State:
    about = path.stat()
    return path, about.st_ino, about.st_size, about.st_mtime_ns
