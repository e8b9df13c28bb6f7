"""The matrix that rows are encoded into: in memory, or for many rows in a file."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np


def empty_matrix(rows: int, features: int, folder: Path | None) -> np.ndarray:
    """(rows, features) float32, not filled. With a folder it is an np.memmap of a file there without a name:
    the space is free again once the array is gone, by a kill too. Raises OSError when the disk is full."""
    shape = (rows, features)
    if folder is None or not rows * features:
        return np.empty(shape, dtype=np.float32)
    with TemporaryFile(dir=folder) as file:
        try:  # all of it now: a page that finds no space later ends the process, without an exception
            os.posix_fallocate(file.fileno(), 0, 4 * rows * features)
        except OSError as error:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "features")) from error
        return np.memmap(file, dtype=np.float32, mode="r+", shape=shape)
