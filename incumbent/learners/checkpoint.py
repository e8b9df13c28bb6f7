"""Files that are whole at any moment, whenever the process ends."""

import os
from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write it beside, then let it take the place of the old one at once."""
    part = path.with_name(f".{path.name}.part")
    write(part)
    os.replace(part, path)
