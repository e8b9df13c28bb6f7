"""Start detached processes, and recognise them in a later command."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from incumbent.local.ending import descendants, end, is_alive
from incumbent.local.state import Stack, read_json, write_private

# An environment variable of every process that we start, which its descendants inherit.
MARKER = "INCUMBENT_STACK"


@dataclass(frozen=True)
class Service:
    """A process to keep running."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    inherited: Mapping[str, str]
    settings: Mapping[str, str]  # the part of the environment that is ours: another value needs a restart
    umask: int = -1  # the user's own

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the process."""
        return {**self.inherited, **self.settings}

    @property
    def digest(self) -> str:
        """sha256 (hex) of the settings, to check whether a running process was started with them."""
        return hashlib.sha256(json.dumps(sorted(self.settings.items())).encode()).hexdigest()


def log_file(stack: Stack, name: str) -> Path:
    """Where a service writes its output."""
    return stack.log_dir / f"{name}.log"


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def start(stack: Stack, service: Service) -> None:
    """Start it in its own session, so that it outlives this command and Ctrl-C does not reach it."""
    log = log_file(stack, service.name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        child = subprocess.Popen(
            service.command,
            cwd=service.cwd,
            env={**service.environment, MARKER: str(stack.state_dir)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=service.umask,
            preexec_fn=_restore_interrupt,
        )
    created = psutil.Process(child.pid).create_time()
    child.returncode = 0  # silences Popen's warning about a child that nobody waits for
    record = {"pid": child.pid, "created": created, "digest": service.digest}
    write_private(_record(stack, service.name), record)


def note_myself(stack: Stack, name: str) -> None:
    """Let other commands know this process, which nobody of ours started, under this name."""
    record = {"pid": os.getpid(), "created": psutil.Process().create_time()}
    write_private(_record(stack, name), record)


def is_noted(stack: Stack, name: str) -> bool:
    """Does the stack still know a process of this name?"""
    return _record(stack, name).exists()


def forget(stack: Stack, name: str) -> None:
    """Know the process no more."""
    _record(stack, name).unlink(missing_ok=True)


def running(stack: Stack, name: str) -> psutil.Process | None:
    """The process that we started under this name, unless it ended or its pid now belongs to another."""
    record = read_json(_record(stack, name))
    if record is None:
        return None
    try:
        process = psutil.Process(record["pid"])
        # create_time can change by clock corrections; pids are not reused within two seconds.
        ours = abs(process.create_time() - record["created"]) < 2
    except (KeyError, TypeError, ValueError, psutil.Error):
        return None
    return process if ours and is_alive(process) else None


def runs_as_wanted(stack: Stack, service: Service) -> bool:
    """Whether it is running with these settings."""
    record = read_json(_record(stack, service.name)) or {}
    return running(stack, service.name) is not None and record.get("digest") == service.digest


def stop(stack: Stack, *names: str, grace: float = 10.0) -> None:
    """Stop these services, if they run, with their descendants; delete their records."""
    services = [process for name in names if (process := running(stack, name))]
    end([each for process in services for each in (process, *descendants(process))], grace)
    for name in names:
        _record(stack, name).unlink(missing_ok=True)


def strays(stack: Stack, *names: str) -> list[psutil.Process]:
    """Processes of this stack that belong to none of these services: a parent died or a record was lost."""
    # Without this process and its parents: a command that a flow of this stack runs must not end itself.
    known = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for name in names:
        process = running(stack, name)
        if process is not None:
            known |= {process.pid, *(each.pid for each in descendants(process))}
    return [process for process in _marked(stack) if process.pid not in known]


def _marked(stack: Stack) -> list[psutil.Process]:
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARKER) == str(stack.state_dir) and is_alive(process):
                marked.append(process)
    return marked


def _restore_interrupt() -> None:
    # A script that starts this command with '&' ignores SIGINT, but Prefect's workers stop by SIGINT only.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _record(stack: Stack, name: str) -> Path:
    return stack.run_dir / f"{name}.json"
