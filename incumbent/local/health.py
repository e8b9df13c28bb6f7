"""Health of the services: wait for them, and describe them."""

import time
from collections.abc import Callable
from typing import Any

from incumbent.errors import StorageUnavailable
from incumbent.local import dashboard, monitoring, prefect_server, processes, s3
from incumbent.local.state import Stack

PATIENCE = 60.0


def wait_healthy(stack: Stack, name: str, say: Callable[[str], None]) -> None:
    """Wait until the service answers. Raises StorageUnavailable when it ends or takes too long."""
    if is_healthy(stack, name):
        return
    say(f"waiting for {name}")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and processes.running(stack, name):
        if is_healthy(stack, name):
            return
        time.sleep(0.1)
    log = processes.log_file(stack, name)
    fate = f"did not answer within {PATIENCE:.0f} s" if processes.running(stack, name) else "ended at once"
    raise StorageUnavailable(f"{name} {fate}; its log {log} ends with:\n{processes.tail(log)}")


def is_healthy(stack: Stack, name: str) -> bool:
    """Whether it answers; a worker answers by its heartbeat at the server."""
    if not stack.exists:
        return False
    if name == s3.NAME:
        return s3.healthy(stack)
    if name == prefect_server.NAME:
        return prefect_server.server_healthy(stack)
    if name == dashboard.NAME:
        return dashboard.healthy(stack)
    if name in monitoring.NAMES:
        return monitoring.healthy(stack, name)
    return prefect_server.worker_online(stack, name)


def describe(stack: Stack, name: str) -> dict[str, Any]:
    """Whether a service runs, as which process, and whether it answers."""
    process = processes.running(stack, name)
    healthy = process is not None and is_healthy(stack, name)
    return {"running": process is not None, "pid": process.pid if process else None, "healthy": healthy}
