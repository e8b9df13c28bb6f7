"""The local Prefect server and its workers: which commands, with which settings."""

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
# Without -P, a file in the project's folder could pass for a module that Prefect imports.
PREFECT = (sys.executable, "-P", "-m", "prefect")
POOLS = ("cpu", "gpu")


def worker_name(pool: str) -> str:
    """The worker of a pool, as a process and in Prefect's UI."""
    return f"worker-{pool}"


def pool_of(worker: str) -> str:
    """The pool of a worker."""
    return worker.removeprefix("worker-")


def prepare_server(stack: Stack) -> Service:
    """Settle the port; the server to run."""
    if running(stack, NAME) is None:
        stack.settle_ports(NAME, ["api"])
    settings = {
        **client_settings(stack),
        "PREFECT_SERVER_API_HOST": HOST,
        # Not '--port': the UI would go on calling the default port.
        "PREFECT_SERVER_API_PORT": str(stack.ports(NAME)["api"]),
        # Whoever can make a flow run chooses its command: without a login, every user of this machine could
        # run programs as this one.
        "PREFECT_SERVER_API_AUTH_STRING": login(stack),
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # Kept in memory, a restart of the server would kill the runs of limited deployments.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    del settings["PREFECT_API_URL"]
    command = (sys.executable, "-P", "-m", "incumbent.local.prefect_on_sqlite", "server", "start")
    # Not in the project's folder, whose prefect.toml or .env are not meant for the server.
    return Service(NAME, command, stack.state_dir, _inherited(), settings)


def worker(stack: Stack, pool: str) -> Service:
    """The worker of one pool."""
    name = worker_name(pool)
    settings = {
        **client_settings(stack),
        **s3.client_settings(stack),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # Threads that spin while they wait make LightGBM many times slower beside a busy neighbour.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Flow runs start with 'python': it has to be ours.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    command = (*PREFECT, "worker", "start")
    options = ("--type", "process", "--pool", pool, "--name", name)
    return Service(name, command + options, stack.project, _inherited(), settings)


def client_settings(stack: Stack) -> dict[str, str]:
    """What any process needs to work with this server."""
    return {
        "PREFECT_API_URL": stack.api_url,
        "PREFECT_API_AUTH_STRING": login(stack),
        "PREFECT_HOME": str(stack.state_dir / "prefect"),
        "DO_NOT_TRACK": "1",
        # Without a heartbeat a killed run would stay Running for ever; see watch_heartbeats.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }


def server_healthy(stack: Stack) -> bool:
    """Does the API answer?"""
    return is_healthy(f"{stack.api_url}/health")


def worker_online(stack: Stack, name: str) -> bool:
    """Has the process that runs now, not its predecessor, reported to the server?"""
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
    # A profile, key or database of the user's other Prefect would send our server elsewhere, as a session
    # token or profile of their other S3 would our flows: the local workers work with the local servers.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}
    kept["PREFECT_LOGGING_LEVEL"] = os.environ.get("PREFECT_LOGGING_LEVEL", "INFO")
    kept["PREFECT_SERVER_LOGGING_LEVEL"] = os.environ.get("PREFECT_SERVER_LOGGING_LEVEL", "WARNING")
    return kept
