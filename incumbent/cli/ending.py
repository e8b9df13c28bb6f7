"""How the command ends: whatever stops it is one message on stderr and an exit code, never a traceback."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.machinery import ExtensionFileLoader
from types import FrameType

from incumbent.errors import IncumbentError, StackStopped
from incumbent.errors.machine import explain

WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
SOON = 0.05  # seconds


class Stopped(KeyboardInterrupt):
    """Python remembers a plain one that passed through exec(), and then ends by SIGINT whatever we say."""


@contextmanager
def orderly() -> Iterator[None]:
    """End the process well: 1 for an error that we can explain, 128 + n for signal n.

    What was interrupted may answer with an error of its own, so the signal itself is remembered.
    """
    caught, over = list[int](), threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        if over.is_set():
            return None if caught else _leave(signum)
        if _loads_extension(frame):
            threading.Timer(SOON, _send, (signum, over)).start()
            return None
        caught.append(signum)
        raise Stopped

    sys.unraisablehook = partial(_stop_after_all, over)
    atexit.register(_ignore_signals)
    try:
        for signum in WORDS:
            if signal.getsignal(signum) is not signal.SIG_IGN:  # as a shell's '&' sets it
                signal.signal(signum, stop)
        yield
        # From here on Python and its threads come to their end, where an exception would only be printed.
        over.set()
    except BaseException as error:
        over.set()
        message = _message(error) if isinstance(error, StackStopped) or not caught else None
        if message is not None:
            print(f"error: {message}", file=sys.stderr)
            sys.exit(1)
        if not caught:
            raise
    if caught:
        print(WORDS[signal.Signals(caught[0])], file=sys.stderr, flush=True)
        for signum in WORDS:  # who asks again does not wait for threads, and gets the same code
            if signal.getsignal(signum) is stop:
                signal.signal(signum, lambda *_: os._exit(128 + caught[0]))
        sys.exit(128 + caught[0])


def _leave(signum: int) -> None:
    """End now: the command's work is done, and only threads are left to wait for."""
    with suppress(OSError, RuntimeError):  # a closed pipe; a signal in the middle of a flush
        sys.stdout.flush()
    print(WORDS[signal.Signals(signum)], file=sys.stderr, flush=True)
    os._exit(128 + signum)


def _ignore_signals() -> None:
    """The last that runs of Python: it puts back what the system does, and that is death without a word."""
    for signum in WORDS:
        signal.signal(signum, signal.SIG_IGN)


def _stop_after_all(over: threading.Event, unraisable: "sys.UnraisableHookArgs") -> None:
    """Raised in a destructor or in C's callback, the interrupt would be printed and forgotten."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        threading.Timer(SOON, _send, (signal.SIGINT, over)).start()
    else:
        sys.__unraisablehook__(unraisable)


def _loads_extension(frame: FrameType | None) -> bool:
    """Is a module in C or C++ being loaded? DuckDB's, for one, aborts the process on an exception then."""
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
            return True
        frame = frame.f_back
    return False


def _send(signum: int, over: threading.Event) -> None:
    if not over.is_set():
        os.kill(os.getpid(), signum)


def _message(error: BaseException) -> str | None:
    if isinstance(error, SystemExit):
        return None
    return explain(error) or (str(error) if isinstance(error, IncumbentError) else None)
