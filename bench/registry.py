"""The registry: what a promotion and a look at the champion cost, beside the bare S3 calls under them.

Starts an S3 server of its own. A promotion is timed against boto3 alone making as many calls of the same
kinds, and against the one PUT + GET that a store without any protocol would make; in turn, so that both
meet the same noise. Requests and bytes are counted where botocore sends them.

    python bench/registry.py [--promotions 40] [--megabytes 8]
"""

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from incumbent.local import processes
from incumbent.local import s3 as local_s3
from incumbent.local.stack import SETTLING
from incumbent.local.state import Stack, make_private_dirs
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.address import ensure_bucket
from incumbent.storage.s3.client import Connection, connect
from incumbent.storage.s3.store import Store
from incumbent.storage.serving.model_cache import champion_cached, pull_cached

BUCKET = "bench"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--promotions", type=int, default=40)
    arguments.add_argument("--megabytes", type=int, default=8)
    asked = arguments.parse_args()
    with TemporaryDirectory() as folder, s3_server(Path(folder)) as connection:
        registry = Registry(Store(BUCKET, "registry", connection), "flights")
        bench_promotions(registry, connection, Path(folder), asked.promotions)
        bench_loads(registry, connection, Path(folder), asked.megabytes)


def bench_promotions(registry: Registry, connection: Connection, folder: Path, count: int) -> None:
    (folder / "model.txt").write_text("tree")
    spent: dict[str, list[float]] = {"promotion": [], "the same calls by boto3": [], "one PUT + GET": []}
    seen: Counter[str] = Counter()
    for number in range(count):
        version = f"m{number}"
        registry.publish(version, {"model.txt": folder / "model.txt"}, {})
        run, office = registry.start_run({}), registry.champion()
        with counted(connection, seen):
            spent["promotion"].append(timed(lambda: registry.promote(version, run, office, "better")))  # noqa: B023
        spent["the same calls by boto3"].append(timed(lambda: bare_calls(connection, version)))  # noqa: B023
        spent["one PUT + GET"].append(timed(lambda: put_and_get(connection)))
    print(f"{count} promotions, requests each: {(seen.total() - seen['bytes']) / count:g}")
    print(f"{'':<26}{'median ms':>10}{'slowest':>10}{'promotion is':>14}")
    ours = statistics.median(spent["promotion"])
    for name, times in spent.items():
        middle = statistics.median(times)
        print(f"{name:<26}{1e3 * middle:>10.1f}{1e3 * max(times):>10.1f}{ours / middle:>12.2f} x")


def bare_calls(connection: Connection, version: str) -> None:
    """What a promotion sends, without deciding anything: LIST, GET, GET, PUT, GET, PUT."""
    body, s3 = b"x" * 300, connection.writes
    s3.list_objects_v2(Bucket=BUCKET, Prefix=f"registry/flights/versions/{version}/")
    s3.get_object(Bucket=BUCKET, Key=f"registry/flights/versions/{version}/manifest.json")["Body"].read()
    s3.get_object(Bucket=BUCKET, Key="registry/flights/log/000000000001.json")["Body"].read()
    s3.put_object(Bucket=BUCKET, Key="bare/champion.json", Body=body)
    s3.get_object(Bucket=BUCKET, Key="bare/champion.json")["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=f"bare/log/{version}.json", Body=body)


def put_and_get(connection: Connection) -> None:
    connection.writes.put_object(Bucket=BUCKET, Key="bare/champion.json", Body=b"x" * 300)
    connection.writes.get_object(Bucket=BUCKET, Key="bare/champion.json")["Body"].read()


def bench_loads(registry: Registry, connection: Connection, folder: Path, megabytes: int) -> None:
    (folder / "model.txt").write_bytes(os.urandom(megabytes << 20))
    registry.publish("big", {"model.txt": folder / "model.txt"}, {})
    registry.promote("big", registry.start_run({}), registry.champion(), "")

    def load() -> None:
        champion = champion_cached(folder, registry)
        assert champion is not None
        pull_cached(folder, registry, champion.version)

    print(f"\nthe champion's files ({megabytes} MB), verified")
    print(f"{'':<26}{'requests':>10}{'bytes':>14}{'ms':>8}")
    for name in ("cold", "warm"):
        seen: Counter[str] = Counter()
        with counted(connection, seen):
            spent = timed(load)
        received = seen.pop("bytes", 0)
        print(f"{name:<26}{seen.total():>10}{received:>14,}{1e3 * spent:>8.1f}")


def timed(work: Callable[[], object]) -> float:
    """Wall seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def counted(connection: Connection, seen: Counter[str]) -> Iterator[None]:
    """Count requests by method, and the bytes of the answers' bodies."""

    def on_send(request: Any, **_: object) -> None:
        seen[request.method] += 1

    def on_answer(http_response: Any, **_: object) -> None:
        if http_response.status_code != 304:  # which repeats the length of the body that it does not send
            seen["bytes"] += int(http_response.headers.get("Content-Length", 0))

    hooks = {"before-send.s3": on_send, "after-call.s3": on_answer}
    clients = (connection.reads, connection.writes)
    for client in clients:
        for event, hook in hooks.items():
            client.meta.events.register(event, hook)
    try:
        yield
    finally:
        for client in clients:
            for event, hook in hooks.items():
                client.meta.events.unregister(event, hook)


@contextmanager
def s3_server(folder: Path) -> Iterator[Connection]:
    """A server with an empty bucket, whose compare-and-swap has settled."""
    stack = Stack(folder)
    make_private_dirs(stack)
    processes.start(stack, local_s3.prepare(stack))
    try:
        environment = local_s3.client_settings(stack)
        ensure_bucket(BUCKET, environment)
        time.sleep(SETTLING)
        yield connect(environment)
    finally:
        processes.stop(stack, local_s3.NAME, grace=2.0)
        local_s3.remove_sockets(stack)


if __name__ == "__main__":
    main()
