"""Something happens at the n-th S3 call of an operation, before or after it reached the server."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from incumbent.storage.s3.client import Connection


class Crash(BaseException):
    """The process dies here, as far as the code under test can tell."""


def crash() -> None:
    """Die."""
    raise Crash


@dataclass(frozen=True)
class Moment:
    """The n-th call, counted from 1, before it is sent or after its answer arrived."""

    call: int
    after: bool


MOMENTS = st.builds(Moment, st.integers(1, 9), st.booleans())
MAYBE = st.none() | st.none() | MOMENTS
"""Every third operation, if it has that many calls."""


@dataclass
class Calls:
    """The requests seen so far, as (method, path)."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.seen]


@contextmanager
def watched(
    connection: Connection, moment: Moment | None = None, act: Callable[[], object] = crash
) -> Iterator[Calls]:
    """Count the calls of both clients, and let `act` happen once, at the moment."""
    calls, done = Calls(), threading.Event()

    def due(after: bool) -> bool:
        if moment is None or done.is_set() or (after, len(calls.seen)) != (moment.after, moment.call):
            return False
        done.set()
        return True

    def before(request: Any, **_: object) -> None:
        with calls.lock:
            calls.seen.append((request.method, request.url.partition("?")[0]))
            now = due(after=False)
        if now:
            act()

    def after(**_: object) -> None:
        with calls.lock:
            now = due(after=True)
        if now:
            act()

    clients = {id(client): client for client in (connection.reads, connection.writes)}.values()
    hooks = (("before-send.s3", before), ("after-call.s3", after))
    for client in clients:
        for event, hook in hooks:
            client.meta.events.register(event, hook)
    try:
        yield calls
    finally:
        for client in clients:
            for event, hook in hooks:
                client.meta.events.unregister(event, hook)
