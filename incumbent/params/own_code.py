"""The project's own function for features: load it by import path, identify it by its module's digest."""

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incumbent.errors import BadData, BadParams

if TYPE_CHECKING:
    import pandas as pd

DIGEST = "__incumbent_digest__"

Function = Callable[["pd.DataFrame"], "pd.DataFrame"]


def look_in(project: Path) -> None:
    """Let `load` find modules of the project: this process's sys.path gets its folder, at the end.

    So they never stand in for a library of the same name. A model knows its function by name alone: commands,
    flows and whatever opens a model call this first.
    """
    folder = str(project.resolve())
    if folder not in sys.path:
        sys.path.append(folder)


@contextmanager
def apart() -> Iterator[None]:
    """The block's additions to sys.path end with it: modules of the next project may have the same names."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def load(path: str) -> tuple[Function, str]:
    """`module:function` -> the function, and the sha256 (hex) of its module's file.

    Raises BadParams when there is no such module or function.
    """
    module_name, name = path.split(":")
    try:
        module: Any = importlib.import_module(module_name)
        function: Function = getattr(module, name)
        # Digest at import: the file may be edited while this process runs the old code.
        if not hasattr(module, DIGEST):
            setattr(module, DIGEST, hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest())
    except (ImportError, AttributeError, TypeError) as error:
        raise BadParams(
            f"params.yaml: features.function = '{path}' can't be imported from the project's folder: {error}"
        ) from error
    return function, getattr(module, DIGEST)


def call(path: str, function: Function, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Call the function with a copy of the rows; return its columns, with the same rows in the same order.

    Raises BadData when it fails or returns other rows.
    """
    import pandas as pd

    try:
        made = function(frame.copy())
    except Exception as error:
        raise BadData(
            f"features.function = '{path}' failed: {type(error).__name__}: {error}; it was given the columns "
            f"{sorted(map(str, frame.columns))}"
        ) from error
    if not isinstance(made, pd.DataFrame) or len(made) != len(frame) or not made.index.equals(frame.index):
        raise BadData(f"features.function = '{path}' must return a DataFrame with the rows that it was given")
    return made
