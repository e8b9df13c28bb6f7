"""A study that several flow runs share: begin it, start them, wait; and what each of them does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from incumbent.errors import BadParams, Conflict, IncumbentError, StorageUnavailable
from incumbent.local.workspace import place_of
from incumbent.params import Params
from incumbent.storage.dataset.versions import fetch, resolve
from incumbent.storage.registry.registry import Registry, open_registry
from tasks.runs import LEASE_SECONDS, Run
from tasks.step import enter
from tasks.usage import worker_metered

if TYPE_CHECKING:
    import optuna

    from incumbent.search.tune import StudyResult
    from incumbent.search.window import Window

DEPLOYMENT = "tune/tune"
POLL = 2.0
# Seconds between two reminders that no worker of the pool has taken anything up.
REMIND = 60.0


def search_with_workers(run: Run, window: Window) -> StudyResult:
    """Have `search.workers` flow runs search, and wait for them; goes on with an unfinished study.

    Raises StorageUnavailable when they were ended before the study was, IncumbentError when they failed,
    BadParams when there is no deployment to start them from.
    """
    from incumbent.learners.space import draw
    from incumbent.search.studies import explained, study_ref
    from incumbent.search.tune import begin, conclude, is_over, whats_next

    params, ref = run.params, study_ref(run.project, run.params, run.work)
    with explained():
        study = begin(params.search, partial(draw, params.space), params.seed, ref)
        if not is_over(study):
            ended = _through_workers(run, window, study)
            if whats_next(study, params.search) != "end":
                raise _early_end(ended)
        return conclude(study)


@task(cache_policy=NO_CACHE)
def do_share(
    project: Path,
    data_rev: str,
    params: dict[str, Any],
    window: dict[str, Any],
    run: int,
    work: str,
    worker: int,
    without: Sequence[str],
) -> None:
    """A worker's part: read the rows of the run's own data version, take a device, make trials.

    without: partitions from which the run does not learn.
    """
    from incumbent.challenger import search_share
    from incumbent.learners.devices import one_device
    from incumbent.search.studies import study_ref
    from incumbent.search.window import Window

    enter(project)
    validated, project = Params.model_validate(params), project.resolve()
    registry = open_registry(validated, project)
    try:
        registry.check_claim(work, run, LEASE_SECONDS)
    except Conflict as gone:
        get_run_logger().warning("nothing to do any more: %s", gone)
        return
    with worker_metered(registry, run), _ending_with_its_run(registry, work, run):
        data = resolve(project, data_rev)
        chosen = Window.from_json(window)
        names = [partition.name for partition in data.partitions if partition.name not in without]
        paths = fetch(project, data, chosen.of(names))
        with one_device(project / ".incumbent" / "devices") as device:
            get_run_logger().info("worker %d of run %d, on %s", worker, run, device or "the CPU")
            search_share(paths, validated, chosen, study_ref(project, validated, work), worker)


def _through_workers(run: Run, window: Window, study: optuna.Study) -> list[FlowRun]:
    """The flow runs, ended. Whatever ends this one ends them."""
    started: list[FlowRun] = []
    with get_client(sync_client=True) as client:
        try:
            for worker in range(run.params.search.workers):
                started.append(_started(run, window, worker))
            return _ended(client, run, study, started)
        except BaseException:
            for child in started:
                _cancel(client, child)
            raise


def _started(run: Run, window: Window, worker: int) -> FlowRun:
    try:
        # Addresses only: on a cluster a worker has a clone of its own, and reads the rows itself.
        child = run_deployment(
            DEPLOYMENT,
            parameters={
                "project": place_of(run.project),
                "data_rev": run.data.rev,
                "params": run.params.model_dump(mode="json"),
                "window": window.to_json(),
                "run": run.seq,
                "work": run.work,
                "worker": worker,
                "without": [*run.left_out, *run.waiting, *run.on_probation],
            },
            flow_run_name=f"{run.data.short} run {run.seq} worker {worker}",
            timeout=0,
        )
    except ObjectNotFound as error:
        raise BadParams(
            f"search.workers = {run.params.search.workers} needs the deployment {DEPLOYMENT}, which this "
            "Prefect server does not have; run 'incumbent up' or 'prefect deploy --all', or set it to 1"
        ) from error
    return cast("FlowRun", child)  # its type says coroutine, too: that is for callers in an event loop


def _ended(client: SyncPrefectClient, run: Run, study: optuna.Study, started: list[FlowRun]) -> list[FlowRun]:
    from incumbent.search.tune import whats_next

    reminded = time.monotonic()
    while True:
        children = [client.read_flow_run(child.id) for child in started]
        left = [child for child in children if child.state is None or not child.state.is_final()]
        if not left:
            return children
        if whats_next(study, run.params.search) == "end":
            for child in left:  # those still waiting for a worker are no longer needed
                if child.state is None or not child.state.is_running():
                    _cancel(client, child)
        elif time.monotonic() - reminded > REMIND and not any(child.start_time for child in children):
            pool = children[0].work_pool_name
            get_run_logger().warning(
                "waiting: none of the %d flow runs of %s has begun; has the pool '%s' a worker? "
                "'incumbent up' or 'prefect worker start --pool %s' starts one",
                len(children), DEPLOYMENT, pool, pool,
            )  # fmt: skip
            reminded = time.monotonic()
        time.sleep(POLL)


def _cancel(client: SyncPrefectClient, child: FlowRun) -> None:
    with suppress(httpx.HTTPError, ObjectNotFound):
        client.set_flow_run_state(child.id, Cancelling(message="its retraining no longer needs it"))


def _early_end(ended: list[FlowRun]) -> IncumbentError:
    messages = "; ".join(
        f"{child.name}: {child.state.message or child.state.name}" for child in ended if child.state
    )
    if any(child.state and child.state.is_failed() for child in ended):
        return IncumbentError(f"the study's workers failed: {messages}")
    return StorageUnavailable(f"the study's workers ended before it did, run it again to go on: {messages}")


@contextmanager
def _ending_with_its_run(registry: Registry, work: str, run: int) -> Iterator[None]:
    """End this process as an operator would when the run that it works for is dead or gave its work up."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LEASE_SECONDS / 8):
            try:
                registry.check_claim(work, run, LEASE_SECONDS)
            except Conflict:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            except StorageUnavailable:
                continue  # the next look may get through

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
