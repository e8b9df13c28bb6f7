"""Commands and settings of the local Prefect server and its workers."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from incumbent.local import s3
from incumbent.local.login import login
from incumbent.local.loopback import ask_prefect, is_healthy
from incumbent.local.processes import Service, running
from incumbent.local.state import HOST, Stack

NAME = "prefect"
# -P: without it, a file in the project's folder could shadow a module that Prefect imports.
PREFECT = (sys.executable, "-P", "-m", "prefect")
POOLS = ("cpu", "gpu")


def worker_name(pool: str) -> str:
    """The worker of a pool, as a process and in Prefect's UI."""
    return f"worker-{pool}"


def pool_of(worker: str) -> str:
    """The pool of a worker."""
    return worker.removeprefix("worker-")


def prepare_server(stack: Stack) -> Service:
    """Choose the port; return the server to run."""
    if running(stack, NAME) is None:
        stack.settle_ports(NAME, ["api"])
    settings = {
        **client_settings(stack),
        "PREFECT_SERVER_API_HOST": HOST,
        # Not by '--port': the UI would still call the default port.
        "PREFECT_SERVER_API_PORT": str(stack.ports(NAME)["api"]),
        # Who creates a flow run chooses its command: without a login, every user of this machine could run
        # programs as this user.
        "PREFECT_SERVER_API_AUTH_STRING": login(stack),
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # For Prometheus, also one that is added later: another setting would need a restart.
        "PREFECT_SERVER_METRICS_ENABLED": "true",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # On disk: with leases in memory, a restart of the server kills the runs of limited deployments.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    del settings["PREFECT_API_URL"]
    command = (sys.executable, "-P", "-m", "incumbent.local.prefect_on_sqlite", "server", "start")
    # Not started in the project's folder, as its prefect.toml or .env are not meant for the server.
    return Service(NAME, command, stack.state_dir, _inherited(), settings)


def worker(stack: Stack, pool: str) -> Service:
    """The worker of one pool."""
    name = worker_name(pool)
    settings = {
        **client_settings(stack),
        **s3.client_settings(stack),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # Threads that wait actively make LightGBM many times slower on a busy machine.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Flow runs start 'python': it must be this interpreter.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    command = (*PREFECT, "worker", "start")
    options = ("--type", "process", "--pool", pool, "--name", name)
    return Service(name, command + options, stack.root, _inherited(), settings)


def client_settings(stack: Stack) -> dict[str, str]:
    """Settings that any client of this server needs."""
    return {
        "PREFECT_API_URL": stack.api_url,
        "PREFECT_API_AUTH_STRING": login(stack),
        "PREFECT_HOME": str(stack.state_dir / "prefect"),
        "DO_NOT_TRACK": "1",
        # Without heartbeats a killed run would stay Running for ever; see pools.register.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }


def server_healthy(stack: Stack) -> bool:
    """Whether the API answers."""
    return is_healthy(f"{stack.api_url}/health")


def worker_online(stack: Stack, name: str) -> bool:
    """Whether the worker's current process, not an earlier one, has sent a heartbeat to the server."""
    process = running(stack, name)
    if process is None:
        return False
    path = f"work_pools/{pool_of(name)}/workers/filter"
    workers: list[dict[str, Any]] = ask_prefect(client_settings(stack), path, {}) or []
    return any(
        worker["name"] == name
        and worker["status"] == "ONLINE"
        and datetime.fromisoformat(worker["last_heartbeat_time"]).timestamp() >= process.create_time()
        for worker in workers
    )


def _inherited() -> dict[str, str]:
    # Without settings of the user's other Prefect or S3 (profiles, keys, databases, tokens): they would
    # direct the local server and its flows to other servers.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
    kept["PREFECT_LOGGING_LEVEL"] = os.environ.get("PREFECT_LOGGING_LEVEL", "INFO")
    kept["PREFECT_SERVER_LOGGING_LEVEL"] = os.environ.get("PREFECT_SERVER_LOGGING_LEVEL", "WARNING")
    return kept
