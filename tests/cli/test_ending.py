"""A signal that comes while a module in C++ is loaded waits until that is done."""

import subprocess
import sys

import pytest

from tests.commands import variables

LOADING = """
import os, signal, time
from importlib.machinery import ExtensionFileLoader
from incumbent.cli.ending import orderly

class Slow(ExtensionFileLoader):
    def exec_module(self, module):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.2)
        print("loaded", flush=True)

with orderly():
    Slow("duckdb", "_duckdb.so").exec_module(None)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("name", "code", "word"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")]
)
def test_a_signal_waits_for_a_module_that_is_being_loaded(name: str, code: int, word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADING.format(name=name)],
        env=variables(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "loaded\n", f"{word}\n")
