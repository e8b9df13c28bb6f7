"""One of several processes that want the same office; prints each promotion as it is acknowledged."""

import json
import sys
import tempfile
from pathlib import Path

from incumbent.errors import Conflict
from incumbent.storage.registry import Champion, Registry, StaleRun
from incumbent.storage.s3 import open_store


def contend(registry: Registry, name: str, count: int) -> None:
    """Promote `count` versions, each by the rules: after a Conflict compare again, when stale run again."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.txt"
        model.write_text(name)
        for number in range(count):
            version = f"{name}-{number}"
            registry.publish(version, {"model.txt": model}, {})
            won = promote_in_the_end(registry, version)
            print(json.dumps([won.seq, won.txid, won.version]), flush=True)


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


if __name__ == "__main__":
    address, model_name, own_name, wanted = sys.argv[1:]
    contend(Registry(open_store(address), model_name), own_name, int(wanted))
