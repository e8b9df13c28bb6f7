"""Register work pools, deployments and the automation for silent runs with the Prefect server."""

import os
import subprocess
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from incumbent.errors import IncumbentError
from incumbent.local.login import login
from incumbent.local.prefect_server import POOLS, PREFECT
from incumbent.local.processes import Service, log_file, tail
from incumbent.local.state import Stack
from incumbent.local.workspace import is_workspace

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore

# Also identifies the automation on the server: change this text whenever you change the automation.
SILENCE = "marks a run as crashed 90 s after its last heartbeat, which frees its slot"


def register(stack: Stack) -> None:
    """Create the work pools and the automation for silent runs where they are missing."""
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(stack.api_url, auth_string=login(stack)) as client:
        for pool in POOLS:
            _make_pool(client, pool)
        _make_retrain_queue(client, side_by_side() if is_workspace(stack.root) else 1)
        _watch_heartbeats(client)


def deploy(stack: Stack, worker: Service) -> None:
    """Deploy all deployments of the project's prefect.yaml, in the environment of their flow runs."""
    log = log_file(stack, "deploy")
    result = subprocess.run(
        [*PREFECT, "--no-prompt", "deploy", "--all"],
        cwd=stack.root,
        env=worker.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    log.write_text(result.stdout)
    if result.returncode != 0:
        what = stack.root / "prefect.yaml"
        raise IncumbentError(f"could not deploy {what}; the log {log} ends with:\n{tail(log)}")


def _make_pool(client: "SyncPrefectClient", pool: str) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with suppress(ObjectNotFound):
        client.read_work_pool(pool)
        return  # leaves a limit that the user has set
    wanted = WorkPoolCreate(
        name=pool,
        type="process",
        base_job_template=ProcessWorker.get_default_base_job_template(),
        concurrency_limit=_devices() if pool == "gpu" else None,
    )
    with suppress(ObjectAlreadyExists):
        client.create_work_pool(wanted)


def _devices() -> int:
    # One run per GPU: two would share its memory.
    from incumbent.learners.devices import slots

    return slots()


def side_by_side() -> int:
    """How many models of a workspace retrain at once: half as many as there are cores, at least two.

    Much of a run is imports, files and git, on one core; its folds take all.
    """
    return max(2, (os.cpu_count() or 1) // 2)


def _make_retrain_queue(client: "SyncPrefectClient", limit: int) -> None:
    """A queue that runs so many retrainings at once, of whichever deployment; the others wait."""
    from prefect.exceptions import ObjectAlreadyExists

    with suppress(ObjectAlreadyExists):
        client.create_work_queue(name="retrain", concurrency_limit=limit, work_pool_name="cpu")


def _watch_heartbeats(client: "SyncPrefectClient") -> None:
    wanted = _silence_automation()
    existing = client.read_automations_by_name(wanted.name)
    if [automation.description for automation in existing] == [wanted.description]:
        return  # replacing it would lose the state of the runs that it is watching
    for automation in existing:
        client.delete_automation(automation.id)
    client.create_automation(wanted)


def _silence_automation() -> "AutomationCore":
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    message = "no heartbeat for 90 s"
    # Do not start the run again here: a crash is reported twice, so two processes would run.
    crash = ChangeFlowRunState(name=None, state=StateType.CRASHED, message=message, force=False)
    return AutomationCore(
        name="incumbent: crash silent runs",
        description=SILENCE,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=90),
        ),
        actions=[crash],
    )
