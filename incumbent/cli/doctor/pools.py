"""Work pools, their workers and their queues."""

from collections.abc import Iterator, Sequence
from typing import Any

from incumbent.cli.doctor.deployments import Declared
from incumbent.cli.doctor.finding import Doubtful, Finding, tried
from incumbent.cli.doctor.prefect_api import PrefectServer
from incumbent.errors import BadInput

TRIED = ("process", "kubernetes")


def check_pools(server: PrefectServer, deployments: Sequence[Declared], searchers: int) -> Iterator[Finding]:
    """Each pool and each queue that prefect.yaml names. searchers: the most workers of one search."""
    pools = {pool["name"]: pool for pool in server.all("/work_pools/filter")}
    for name in sorted({each.pool for each in deployments}):
        started = any(each.pool == name and each.starts_by_itself for each in deployments)
        pool = pools.get(name)
        yield tried(f"pool {name}", lambda: _pool(server, name, pool))  # noqa: B023 - called at once
        if pool is not None:
            needed = started or searchers > 1
            yield tried(f"workers of {name}", lambda: _workers(server, pool, needed))  # noqa: B023
    for pool_name, queue in sorted({(each.pool, each.queue) for each in deployments if each.queue}):
        if pool_name in pools:
            yield tried(f"queue {queue}", lambda: _queue(server, pool_name, queue))  # noqa: B023


def _pool(server: PrefectServer, name: str, pool: dict[str, Any] | None) -> str:
    if pool is None:
        make = server.command(f"prefect work-pool create {name} --type process")
        raise BadInput(f"there is no work pool '{name}', so nothing of it can run; {make} makes it")
    if pool["is_paused"]:
        raise BadInput(
            f"the pool is paused and starts nothing; 'prefect work-pool resume {name}' lets it go on"
        )
    if pool["type"] not in TRIED:
        raise Doubtful(
            f"the pool has type {pool['type']}, which nobody has tried with incumbent; make it one of "
            f"{' or '.join(TRIED)} if its runs fail"
        )
    if missing := _without_default(pool):
        raise BadInput(
            f"the pool has no default for {', '.join(missing)}, so its jobs can't be made; write them into "
            f"kubernetes/{name}.json, then 'prefect work-pool update {name} --base-job-template "
            f"kubernetes/{name}.json'"
        )
    if name == "gpu" and pool["concurrency_limit"] is None:
        raise Doubtful(
            "the pool has no limit, so runs can share a GPU and its memory; "
            "'prefect work-pool set-concurrency-limit gpu N' with N the number of GPUs"
        )
    limit = pool["concurrency_limit"]
    return f"type {pool['type']}, {'no limit' if limit is None else f'{limit} runs at once'}"


def _without_default(pool: dict[str, Any]) -> list[str]:
    variables = pool["base_job_template"].get("variables", {})
    wanted = variables.get("properties", {})
    return [name for name in variables.get("required", []) if "default" not in wanted.get(name, {})]


def _workers(server: PrefectServer, pool: dict[str, Any], needed: bool) -> str:
    workers = server.all(f"/work_pools/{pool['name']}/workers/filter")
    online = [worker for worker in workers if worker["status"] == "ONLINE"]
    if online:
        return f"{len(online)} online"
    if not needed:
        return "none online, and none is needed while search.workers is 1"
    start = server.command(f"prefect worker start --pool {pool['name']} --type {pool['type']}")
    raise BadInput(f"no worker is online, so runs wait for ever; {start} starts one")


def _queue(server: PrefectServer, pool: str, name: str) -> str:
    queues = {queue["name"]: queue for queue in server.all(f"/work_pools/{pool}/queues/filter")}
    if name not in queues:
        make = server.command(f"prefect work-queue create {name} --pool {pool} --limit 2")
        raise BadInput(f"the pool {pool} has no queue '{name}'; {make} makes it")
    if queues[name]["is_paused"]:
        raise BadInput(
            f"the queue is paused and starts nothing; run 'prefect work-queue resume {name} --pool {pool}'"
        )
    limit = queues[name]["concurrency_limit"]
    if limit is None:
        raise Doubtful(
            "the queue has no limit, so a burst of arrivals retrains as many models at once, on however few "
            f"cores; 'prefect work-queue set-concurrency-limit {name} 2 --pool {pool}' sets one"
        )
    return f"{limit} at a time"
