"""What a check found out, and groups of checks side by side."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from incumbent.errors import IncumbentError
from incumbent.errors.machine import explain

TIMEOUT = 3.0
"""Seconds that a server may take for one answer."""
PATIENCE = 9.0
"""Seconds for a whole group, of which some checks need several answers."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. `says`: what is so; unless it is ok, after a semicolon what to do."""

    check: str
    state: Literal["ok", "warning", "failed"]
    says: str


Group = Callable[[], Iterator[Finding]]


class Doubtful(IncumbentError):
    """It works, and may not go on to; its text says what to do."""


def ok(check: str, says: str) -> Finding:
    return Finding(check, "ok", says)


def warning(check: str, says: str) -> Finding:
    return Finding(check, "warning", says)


def failed(check: str, says: str) -> Finding:
    return Finding(check, "failed", says)


def tried(check: str, ask: Callable[[], str]) -> Finding:
    """What `ask` answers; a warning where it raises Doubtful, failed where another error of ours."""
    try:
        return ok(check, ask())
    except Doubtful as error:
        return warning(check, str(error))
    except IncumbentError as error:
        return failed(check, str(error))


def side_by_side(groups: Mapping[str, Group]) -> list[Finding]:
    """The findings of all groups, in this order. What takes longer than PATIENCE is a failed check."""
    findings: dict[str, list[Finding]] = {name: [] for name in groups}
    # Daemons: a server that hangs in spite of its timeout must not keep the command from ending.
    threads = {
        name: threading.Thread(
            target=contextvars.copy_context().run,
            args=(partial(_collect, name, group, findings[name]),),
            daemon=True,
        )
        for name, group in groups.items()
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for name, thread in threads.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            findings[name] = [
                *findings[name],
                failed(name, f"no answer within {PATIENCE:.0f} s; run it again"),
            ]
    return [finding for name in groups for finding in findings[name]]


def _collect(name: str, group: Group, findings: list[Finding]) -> None:
    try:
        for finding in group():
            findings.append(finding)
    except Exception as error:  # noqa: BLE001 - one subject that surprises us must not hide the others
        reason = explain(error) or f"{type(error).__name__}: {error}"
        findings.append(failed(name, f"could not be checked: {' '.join(reason.split())}"))
