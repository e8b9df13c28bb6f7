"""Conditional writes with a known outcome, and the proof that a store honours conditions."""

import random
import time
from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from incumbent.errors import StorageUnavailable
from incumbent.storage.s3.client import LOST, Connection, code_of, is_cut_off, status_of
from incumbent.storage.s3.traffic import Traffic, add

ATTEMPTS = 8
PATIENCE = 90  # seconds after which no further attempt starts


def pauses(attempts: int = ATTEMPTS) -> Iterator[tuple[bool, float]]:
    """For each attempt: is it the last, and how long to wait after it (jittered, doubling from 0.1 s)."""
    deadline = time.monotonic() + PATIENCE
    for attempt in range(1, attempts + 1):
        last = attempt == attempts or time.monotonic() > deadline
        if attempt > 1:
            add(Traffic(retries=1))
        yield last, 0.1 * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        if last:
            return


def send(put: Callable[[], str]) -> tuple[str | None, bool]:
    """Send a conditional write until S3 accepts or refuses it.

    Returns the new ETag (None: the condition did not hold) and whether an earlier attempt of ours may
    have been written although its answer was lost. Raises botocore's error when the attempts are used up or
    S3 refuses.
    """
    doubtful = False
    for last, pause in pauses():
        try:
            return put(), doubtful
        except ClientError as error:
            # For If-Match on a missing key AWS answers 404, other servers 412.
            if status_of(error) == 412 or code_of(error) == "NoSuchKey":
                return None, doubtful
            if last or not _is_doubtful(error):
                raise
        except LOST:
            if last:
                raise
        doubtful = True
        time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _is_doubtful(error: ClientError) -> bool:
    """May the write have taken effect, or would it if sent again? Not after 501, "header not implemented"."""
    status = status_of(error)
    return (
        (status >= 500 and status != 501)
        or status in (408, 409, 429)
        or code_of(error) == "RequestTimeout"
        or is_cut_off(error)
    )


def prove_conditions(connection: Connection, bucket: str, key: str) -> None:
    """Show that this store refuses a write whose condition does not hold; some ignore conditions silently.

    Two requests; three the first time in a bucket. Raises StorageUnavailable if the store ignores or does
    not know conditions.
    """
    body = b"Written by incumbent to see whether this store honours conditional writes.\n"

    def attempt(**condition: str) -> bool:
        answer, _ = send(
            lambda: connection.writes.put_object(Bucket=bucket, Key=key, Body=body, **condition)["ETag"]  # type: ignore[arg-type]
        )
        return answer is not None

    try:
        written_twice = attempt(IfNoneMatch="*") and attempt(IfNoneMatch="*")
        if not written_twice and not attempt(IfMatch='"00000000000000000000000000000000"'):
            return
    except ClientError as error:
        if status_of(error) != 501:
            raise
    raise ignored(connection, f"s3://{bucket}/{key}")


def ignored(connection: Connection, address: str) -> StorageUnavailable:
    """What to raise where a store accepts a write whose condition does not hold."""
    return StorageUnavailable(
        f"the S3 store at {connection.endpoint} ignores conditional writes (If-Match, If-None-Match) at "
        f"{address}: two promotions could overwrite each other; use a store that has them, such as "
        "AWS S3, MinIO, Ceph, Cloudflare R2 or SeaweedFS"
    )
