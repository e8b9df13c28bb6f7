"""Processes that want the same office; each prints every promotion of its own as it is acknowledged."""

import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

from incumbent.errors import Conflict, StaleRun
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.storage.s3.address import open_store


def contend(registry: Registry, name: str, count: int) -> None:
    """Promote `count` versions, each by the rules: after a Conflict compare again, when stale run again."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.txt"
        model.write_text(name)
        for number in range(count):
            version = f"{name}-{number}"
            registry.publish(version, {"model.txt": model}, {})
            won = promote_in_the_end(registry, version)
            # One write a line: lines of several processes never mix.
            os.write(1, f"{json.dumps([won.seq, won.txid, won.version])}\n".encode())


def promote_in_the_end(registry: Registry, version: str) -> Champion:
    """Try until it is in office."""
    run_seq = registry.start_run({})
    while True:
        try:
            return registry.promote(version, run_seq, registry.champion(), "")
        except Conflict:
            continue
        except StaleRun:
            run_seq = registry.start_run({})


def contend_together(registry: Registry, names: list[str], count: int) -> int:
    """One process a name, all released at once; how many failed."""
    forks = multiprocessing.get_context("fork")
    barrier = forks.Barrier(len(names))

    def run(name: str) -> None:
        barrier.wait()
        contend(registry, name, count)

    children = [forks.Process(target=run, args=(name,)) for name in names]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return sum(child.exitcode != 0 for child in children)


if __name__ == "__main__":
    address, model_name, wanted, *own_names = sys.argv[1:]
    # A client that never sent anything may be shared: each process opens its own connections.
    common = Registry(open_store(address), model_name)
    if len(own_names) == 1:
        contend(common, own_names[0], int(wanted))
    else:
        sys.exit(contend_together(common, own_names, int(wanted)))
