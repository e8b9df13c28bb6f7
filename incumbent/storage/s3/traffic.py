"""How much this process has sent to S3 and received from there, counted at every client."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Traffic:
    """`requests`: all attempts, `retries` among them; bytes: of bodies, for files as announced."""

    requests: int = 0
    retries: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0

    def plus(self, other: "Traffic") -> "Traffic":
        return Traffic(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


_lock = threading.Lock()
_total = Traffic()


def traffic() -> Traffic:
    """Since the process began."""
    with _lock:
        return _total


def add(more: Traffic) -> None:
    """Count what no client of ours counts by itself."""
    global _total
    with _lock:
        _total = _total.plus(more)


def count_requests(client: "S3Client") -> None:
    """Count what this client sends and receives, botocore's own retries included."""
    client.meta.events.register("before-send.s3", _count_sent)
    client.meta.events.register("response-received.s3", _count_received)


def _count_sent(request: Any, **_: object) -> None:
    attempt = request.headers.get("amz-sdk-request", b"attempt=1")  # attempt=2; ttl=…; max=…
    first = attempt.partition(b";")[0] == b"attempt=1"
    length = int(request.headers.get("Content-Length", 0))
    add(Traffic(requests=1, retries=int(not first), sent_bytes=length))


def _count_received(response_dict: Mapping[str, Any] | None, **_: object) -> None:
    if response_dict is None:
        return  # no answer
    body, announced = response_dict["body"], response_dict["headers"].get("Content-Length", 0)
    add(Traffic(received_bytes=len(body) if isinstance(body, bytes) else int(announced)))
