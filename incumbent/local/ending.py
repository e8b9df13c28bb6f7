"""End processes together with their descendants."""

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def undisturbed() -> Iterator[None]:
    """Finish what is to be stopped: a second Ctrl-C, or a SIGTERM, does not end this block half way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not: it only waits for its parent to read its exit status."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """All descendants. Call it before the process ends: then they can't be found any more."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def end(processes: Iterable[psutil.Process], grace: float) -> None:
    """Send SIGTERM, wait `grace` seconds, then kill those that are left."""
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
