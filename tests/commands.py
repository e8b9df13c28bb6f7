"""The command `incumbent`: called in this process, or typed in one of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from incumbent.cli.ending import WORDS, orderly
from incumbent.local.environment import environment

IDENTITY = {
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@incumbent.invalid",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@incumbent.invalid",
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def typed(*args: str | Path, **changes: str) -> Done:
    """`incumbent ARGS` in a process of its own, as a shell starts it: seconds of imports."""
    command = [sys.executable, "-m", "incumbent", *map(str, args)]
    done = subprocess.run(
        command, env=variables(**changes), capture_output=True, text=True, timeout=280, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def called(*args: str | Path, project: Path, **changes: str) -> Done:
    """`incumbent ARGS --project PROJECT` in this process, which is afterwards as it was before."""
    from incumbent.cli.commands import app

    out, err = StringIO(), StringIO()
    with _like_a_new_process(variables(**changes), project), redirect_stdout(out), redirect_stderr(err):
        try:
            with orderly():
                app([*map(str, args), "--project", str(project)])
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def variables(**changes: str) -> dict[str, str]:
    """This process's environment without any servers, and with a name to commit under."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PREFECT_"))}
    return {**own, **IDENTITY, **changes}


@contextmanager
def _like_a_new_process(wanted: dict[str, str], project: Path) -> Iterator[None]:
    """These are all variables, and Prefect is where they, or the project's own stack, have it."""
    handlers = {signum: signal.getsignal(signum) for signum in WORDS}
    unraisable = sys.unraisablehook
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in set(os.environ) - set(wanted):
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        prefect = {**environment(project), **wanted}
        if "PREFECT_API_URL" in prefect:
            stack.enter_context(prefect_at(prefect))
        try:
            yield
        finally:
            sys.unraisablehook = unraisable
            for signum, handler in handlers.items():
                signal.signal(signum, handler)


@contextmanager
def prefect_at(variables: dict[str, str]) -> Iterator[None]:
    """This process's Prefect server. Prefect's senders stay with the server that they were made for."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    named = (PREFECT_API_URL, PREFECT_API_AUTH_STRING)
    with temporary_settings({setting: variables.get(setting.name) for setting in named}):
        try:
            yield
        finally:
            EventsWorker.drain_all()
            APILogWorker.drain_all()
