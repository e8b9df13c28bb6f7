"""The programs of a real Prometheus, for the tests that need them."""

import os
import shutil
from pathlib import Path

import pytest

UNPACKED = Path(__file__).parents[1] / ".prometheus" / "usr" / "bin"


def program(name: str) -> str:
    """Path of prometheus or promtool, the system's or that of `.prometheus/`.

    Fails the test where it is in neither.
    """
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), str(UNPACKED)]))
    if path is None:
        pytest.fail(f"no program '{name}': run 'make .prometheus/.installed', or install Prometheus")
    return path
