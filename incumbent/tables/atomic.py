"""Files that are complete at any moment, even if the process dies."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A path beside `path` to write the new content to; it replaces `path` when the block ends.

    If the block raises, `path` stays as it was. private: nobody but the owner can ever read the file.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        if private:
            part.touch(mode=0o600, exist_ok=False)
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
