"""A signal while a module in C++ is loaded, or when the work is done."""

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

ENDING = """
import os, signal, threading, time
from incumbent.cli.ending import orderly

class Last:
    def __del__(self, kill=os.kill, process=os.getpid(), signum=signal.{name}):
        kill(process, signum)

with orderly():
    print("done")
    {last}
"""

SIGNALS = [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")]


@pytest.mark.parametrize(("name", "code", "word"), SIGNALS)
def test_a_signal_waits_for_a_module_that_is_being_loaded(name: str, code: int, word: str) -> None:
    assert _run(LOADING.format(name=name)) == (code, "loaded\n", f"{word}\n")


@pytest.mark.parametrize(("name", "code", "word"), SIGNALS)
def test_a_signal_after_the_work_does_not_wait_for_threads(name: str, code: int, word: str) -> None:
    signals = f"(time.sleep(0.5), os.kill(os.getpid(), signal.{name}), time.sleep(300))"
    last = f"threading.Thread(target=lambda: {signals}).start()"
    assert _run(ENDING.format(name=name, last=last)) == (code, "done\n", f"{word}\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_python_takes_itself_down_comes_too_late(name: str) -> None:
    assert _run(ENDING.format(name=name, last="os.last = Last()")) == (0, "done\n", "")


def _run(program: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=variables(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
