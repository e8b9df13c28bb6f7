"""Runs that somebody started by hand on the local stack: `down` finds them, and they learn of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from incumbent.errors import StackStopped
from incumbent.local import processes
from incumbent.local.environment import environment
from incumbent.local.state import Stack
from incumbent.local.workspace import stack_of

PREFIX = "by-hand-"
SERVERS = ("PREFECT_API_URL", "AWS_ENDPOINT_URL")


@contextmanager
def by_hand(project: Path) -> Iterator[None]:
    """While the block runs, `down` knows of this process; StackStopped is raised where it ended the block."""
    stack, name = stack_of(project), f"{PREFIX}{os.getpid()}"
    if not _works_with(project) or not stack.run_dir.is_dir():
        yield
        return
    processes.note_myself(stack, name)
    try:
        yield
    except BaseException as error:
        if processes.is_noted(stack, name):
            raise
        raise StackStopped(
            f"'incumbent down' stopped the local stack of {stack.root} while the run went on; start it with "
            "'incumbent up', and run it again: it goes on where it stopped"
        ) from error
    finally:
        processes.forget(stack, name)


def names(stack: Stack) -> list[str]:
    """Their names, as processes of the stack."""
    return sorted(path.stem for path in stack.run_dir.glob(f"{PREFIX}*.json"))


def _works_with(project: Path) -> bool:
    own = environment(project)
    return any(name in own and os.environ.get(name) == own[name] for name in SERVERS)
