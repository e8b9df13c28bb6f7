"""Keep a claim alive while its run works."""

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from incumbent.errors import Conflict, StorageUnavailable
from incumbent.storage.registry.registry import Claim, Registry
from tasks.runs import LEASE_SECONDS


class Heartbeat:
    """Renews `claim` in a thread until the block ends; `claim` is then as it was renewed last.

    also: done before each renewal.
    """

    def __init__(self, registry: Registry, claim: Claim, also: Callable[[], None] = lambda: None) -> None:
        self._registry, self.claim, self._also = registry, claim, also
        self._stopped = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._beating.join()

    def _beat(self) -> None:
        while not self._stopped.wait(LEASE_SECONDS / 4):
            with suppress(OSError):  # a full disk ends a step, not the heartbeat
                self._also()
            try:
                self.claim = self._registry.renew(self.claim)
            except StorageUnavailable:
                continue  # the next heartbeat may get through; the lease outlasts several
            except Conflict:
                return  # taken over; the fencing token and the compare-and-swap keep this run from promoting
