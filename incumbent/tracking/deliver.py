"""Deliver what waits for the sinks, each in a process of its own: none can hold up or break a run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from incumbent.errors import IncumbentError
from incumbent.params import SinkName
from incumbent.tracking.outbox import Outbox
from incumbent.tracking.sinks import open_sink

SECONDS = 5.0
"""That a run waits for all of its sinks together."""

LIFE = 120
"""Seconds after which a delivery ends, also one that nobody waits for any more."""


def outbox_of(project: Path, sink: SinkName) -> Outbox:
    """What the project has not sent the sink yet."""
    return Outbox(project / ".incumbent" / "outbox" / sink)


def deliver(
    project: Path, outboxes: Mapping[SinkName, Outbox], seconds: float = SECONDS
) -> dict[SinkName, str]:
    """Deliver what waits in the outboxes, side by side; returns the sinks that something waits for, and why.

    A process that needs longer than `seconds` goes on by itself; what it does not deliver stays.
    """
    deadline = time.monotonic() + seconds
    started = {sink: _start(project, sink, outbox) for sink, outbox in outboxes.items()}
    reasons: dict[SinkName, str] = {}
    for sink, process in started.items():
        try:
            output, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            reasons[sink] = f"it takes longer than {seconds:g} s, and is sent on in the background"
            process.returncode = 0  # silences Popen's warning about a child that nobody waits for
            continue
        if process.returncode:
            reasons[sink] = output.strip() or f"its process ended with code {process.returncode}"
    return reasons


def _start(project: Path, sink: SinkName, outbox: Outbox) -> "subprocess.Popen[str]":
    temporary = ["--temporary"] if outbox.temporary else []
    return subprocess.Popen(
        [sys.executable, "-m", __name__, sink, str(outbox.folder), str(project), *temporary],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for the run
    )


def main(sink: SinkName, folder: str, project: str, temporary: str = "") -> int:
    """The process's own work: 0 when nothing stays. What is wrong goes to stdout, a sentence a line."""
    signal.alarm(LIFE)
    try:
        problems = list(Outbox(Path(folder)).deliver(open_sink(sink, Path(project), os.environ)))
    except IncumbentError as error:
        problems = [str(error)]
    except Exception as error:  # noqa: BLE001 - a tracker's client may raise anything, and it is one warning
        problems = [f"{type(error).__name__}: {error}"]
    if temporary:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(BrokenPipeError):  # nobody waits any more
        print("\n".join(problems), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))  # type: ignore[arg-type]
