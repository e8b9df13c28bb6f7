"""What runs cost, in the registry.

<model>/runs/<run>/cost.json             what the run cost, written when it ends
<model>/runs/<run>/usage-<worker>.json   what a worker of its search used, written when the worker ends
"""

import json
from collections.abc import Mapping
from typing import Any

from incumbent.errors import NotFound
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.documents import dump, load

COST, USAGE = "cost.json", "usage-"


def record_cost(registry: Registry, run_seq: int, document: Mapping[str, Any]) -> None:
    registry.record(run_seq, COST, dump(document))


def has_cost(registry: Registry, run_seq: int) -> bool:
    try:
        return bool(registry.read_record(run_seq, COST))
    except NotFound:
        return False


def costs(registry: Registry) -> list[dict[str, Any]]:
    """cost.json of all runs that have one, in the order of the runs. One request each."""
    return [json.loads(body) for body in registry.records(COST)]


def record_worker(registry: Registry, run_seq: int, worker: str, usage: Mapping[str, Any]) -> None:
    """worker: unique among all workers there ever are, as one may work twice for a run."""
    registry.record(run_seq, f"{USAGE}{worker}.json", dump(usage))


def workers(registry: Registry, run_seq: int) -> list[dict[str, Any]]:
    """What the workers of a run used, of those that have ended."""
    store, prefix = registry.store, f"{registry.model}/runs/{run_seq:012d}/{USAGE}"
    documents = (load(stored.body, store.url(key)) for key, stored in store.find_all(store.list(prefix)))
    return [{name: value for name, value in each.items() if name != "format"} for each in documents]
