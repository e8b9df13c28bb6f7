"""LightGBM without scikit-learn, which it imports, where it is installed, for classes that are not used here.

That is two thirds of its import, and scoring needs none of it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """A package that was not imported yet can't be imported."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as Python notes it
    try:
        yield
    finally:
        del sys.modules[name]


with _absent("sklearn"):
    import lightgbm as lgb

__all__ = ["lgb"]
