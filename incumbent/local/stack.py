"""The local stack as a whole: start it, stop it, show its status."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput, IncumbentError
from incumbent.local import dashboard, hand_runs, monitoring, pools, prefect_server, processes, s3
from incumbent.local.ending import descendants, end, undisturbed
from incumbent.local.environment import environment, only
from incumbent.local.health import describe, is_healthy, wait_healthy
from incumbent.local.login import login, make_login
from incumbent.local.lost_runs import crash_lost_runs
from incumbent.local.processes import Service
from incumbent.local.state import Stack, make_private_dirs
from incumbent.local.workspace import is_workspace, place_of, projects_of, stack_of

__all__ = ["Stack", "down", "environment", "status", "up"]

Say = Callable[[str], None]

BUCKET = "incumbent"
# Seconds; sooner after a start, two writers can both win one compare-and-swap (2 of 55 restarts).
SETTLING = 2.5
SERVERS = (s3.NAME, prefect_server.NAME, dashboard.NAME)
WORKERS = tuple(prefect_server.worker_name(pool) for pool in prefect_server.POOLS)
SERVICES = (*SERVERS, *WORKERS)
ALL = (*monitoring.NAMES, *SERVICES)
"""With those that only `up --monitoring` starts."""
# Each project of a workspace has studies of its own, and the page shows those of one.
OF_A_WORKSPACE = tuple(name for name in SERVICES if name != dashboard.NAME)


def up(project: Path, say: Say, then: Callable[[], None] = lambda: None, *, monitored: bool = False) -> Stack:
    """Start the services that do not run, wait until all are healthy, deploy; safe to repeat.

    Those of the workspace, where the folder is in one. monitored: also exporter and Prometheus, which stay
    until `down`. `then` is the last step. If a step fails, the services that this call started stop again.
    """
    stack = stack_of(project)
    if not stack.root.is_dir():
        raise BadInput(f"there is no folder {stack.root}")
    if monitored:
        monitoring.find_prometheus(stack.root)  # before anything is started
    make_private_dirs(stack)
    with stack.lock():
        if not stack.exists:
            _stop(stack, ALL, say)  # processes of a stack whose files were deleted
        before = {name for name in ALL if processes.running(stack, name)}
        if not before or not login(stack):
            # While the stack was down, another user could listen on our port and learn the old password.
            make_login(stack)
        try:
            _start_servers(stack, say)
            _start_workers(stack, say)
            if monitored or monitoring.is_wanted(stack):
                _start_monitoring(stack, say)
            then()
        except BaseException:
            # Also on Ctrl-C, as half a stack is of no use. Services that ran before stay.
            with undisturbed():
                _stop(stack, [name for name in ALL if name not in before], say)
            raise
    say("the local stack is up")
    return stack


def down(project: Path, say: Say) -> None:
    """Stop all services and the flow runs of the workers; keep data, ports and S3's keys."""
    stack = stack_of(project)
    if not stack.state_dir.is_dir():
        say(f"no local stack in {stack.root}")
        return
    make_private_dirs(stack)
    with stack.lock():
        _stop_hand_runs(stack, say)
        _stop(stack, ALL, say)
    say("the local stack is down")


def status(project: Path) -> dict[str, Any]:
    """The services, whether they run and answer, and the addresses."""
    stack = stack_of(project)
    known = stack.exists
    addresses = {
        "ui": stack.ui_url if known else None,
        "api": stack.api_url if known else None,
        "s3": stack.s3_url if known else None,
    }
    if dashboard.NAME in services(stack):
        addresses["studies"] = dashboard.url(stack) if known else None
    addresses |= monitoring.addresses(stack)
    return {"services": {name: describe(stack, name) for name in services(stack)}, "addresses": addresses}


def services(stack: Stack) -> tuple[str, ...]:
    """The services that the stack consists of."""
    asked_for = monitoring.NAMES if monitoring.is_wanted(stack) else ()
    return (*(OF_A_WORKSPACE if is_workspace(stack.root) else SERVICES), *asked_for)


def access(project: Path) -> dict[str, Any]:
    """Addresses and login of the web pages. Raises BadInput when the stack is not up."""
    stack = stack_of(project)
    if not is_healthy(stack, prefect_server.NAME):
        raise BadInput(f"the local stack of {stack.root} is not up; start it with 'incumbent up'")
    user, _, password = login(stack).partition(":")
    return {
        "ui": stack.ui_url,
        "studies": dashboard.url(stack),
        **monitoring.addresses(stack),
        "login": {"user": user, "password": password},
    }


def _start_servers(stack: Stack, say: Say) -> None:
    from incumbent.storage.s3.address import ensure_bucket

    # S3 starts and settles during the several seconds that Prefect needs.
    _start(stack, s3.prepare(stack), say)
    _start(stack, prefect_server.prepare_server(stack), say)
    if dashboard.NAME in services(stack):
        _start(stack, dashboard.prepare(stack), say)
    wait_healthy(stack, s3.NAME, say)
    variables = environment(stack.root)
    with only(variables):
        ensure_bucket(BUCKET, variables)
    _lead_to_s3(stack, say)
    settled = time.monotonic() + SETTLING
    wait_healthy(stack, prefect_server.NAME, say)
    if dashboard.NAME in services(stack):
        wait_healthy(stack, dashboard.NAME, say)
    pools.register(stack)
    server = processes.running(stack, s3.NAME)
    if server is not None and time.time() - server.create_time() < 10:
        time.sleep(max(0.0, settled - time.monotonic()))


def _start_monitoring(stack: Stack, say: Say) -> None:
    for service in monitoring.prepare(stack):
        _start(stack, service, say)
    for name in monitoring.NAMES:
        wait_healthy(stack, name, say)


def _lead_to_s3(stack: Stack, say: Say) -> None:
    """Let DVC's own command find the S3 server, in every project; one that is broken holds up no other."""
    for project in projects_of(stack.root):
        try:
            join(project)
        except IncumbentError as error:
            if not is_workspace(stack.root):
                raise
            say(f"{place_of(project)}: {error}")


def join(project: Path) -> None:
    """Let DVC's own command in the project reach the stack's S3. Raises BadInput where DVC refuses."""
    from incumbent.storage.dataset.dvc_remote import lead_to
    from incumbent.storage.dataset.versions import explained

    with explained(project):
        lead_to(project, BUCKET, environment(project))


def _start_workers(stack: Stack, say: Say) -> None:
    workers = [prefect_server.worker(stack, pool) for pool in prefect_server.POOLS]
    new = [worker for worker in workers if not processes.runs_as_wanted(stack, worker)]
    _stop_workers(stack, [worker.name for worker in new], say)
    _release_runs(stack, [worker.name for worker in new])
    for worker in new:
        _start(stack, worker, say)
    if (stack.root / "prefect.yaml").is_file():
        say("deploying prefect.yaml")
        pools.deploy(stack, workers[0])
    for worker in workers:
        wait_healthy(stack, worker.name, say)


def _start(stack: Stack, service: Service, say: Say) -> None:
    if not processes.runs_as_wanted(stack, service):
        processes.stop(stack, service.name)
        say(f"starting {service.name}")
        processes.start(stack, service)


def _stop(stack: Stack, names: Collection[str], say: Say) -> None:
    workers = [name for name in names if name in WORKERS]
    _stop_workers(stack, workers, say)
    if set(names) == set(ALL):
        end(processes.strays(stack, *ALL), grace=5.0)
    _release_runs(stack, workers)
    servers = [name for name in names if name not in WORKERS]
    if known := [name for name in servers if processes.running(stack, name)]:
        say(f"stopping {', '.join(known)}")
    processes.stop(stack, *servers)
    if s3.NAME in servers:
        s3.remove_sockets(stack)


def _stop_hand_runs(stack: Stack, say: Say) -> None:
    # While the servers still answer: without them a run would hang for minutes, and could tell nobody.
    for name in hand_runs.names(stack):
        process = processes.running(stack, name)
        processes.forget(stack, name)
        if process is not None:
            say(
                f"stopping a run that was started by hand (pid {process.pid}); run it again after "
                "'incumbent up', and it goes on where it stopped"
            )
            end([process, *descendants(process)], grace=10.0)


def _stop_workers(stack: Stack, names: Collection[str], say: Say) -> None:
    # End their flow runs first, so that these report a crash: a stopping worker would just drop them.
    workers = [process for name in names if (process := processes.running(stack, name))]
    if workers:
        say(f"stopping {' and '.join(names)}")
    end([run for worker in workers for run in descendants(worker)], grace=10.0)
    processes.stop(stack, *names)


def _release_runs(stack: Stack, workers: Collection[str]) -> None:
    # With strays, runs may have outlived a killed worker: the automation crashes them if heartbeats stop.
    if workers and stack.exists and not processes.strays(stack, *ALL):
        crash_lost_runs(stack, [prefect_server.pool_of(worker) for worker in workers])
