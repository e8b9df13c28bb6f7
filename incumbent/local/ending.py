"""End processes together with all that they started."""

import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


def is_alive(process: psutil.Process) -> bool:
    """A zombie is dead: it only waits for its parent, which may never ask."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """All that it started, and they started. Once it is gone, nothing tells whose children they were."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def end(processes: Iterable[psutil.Process], grace: float) -> None:
    """Ask them to stop, wait, then kill what is left."""
    left = [process for process in processes if is_alive(process)]
    for signum, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(signum)
        left = _outlasting(left, patience)


def _outlasting(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    deadline = time.monotonic() + patience
    while processes and time.monotonic() < deadline:
        _, processes = psutil.wait_procs(processes, timeout=0.1)  # reaps those that are our own children
        processes = [process for process in processes if is_alive(process)]
    return processes
