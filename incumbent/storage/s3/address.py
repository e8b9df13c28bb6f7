"""Open a store on S3 by its address, and make the bucket for it."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from incumbent.errors import BadParams
from incumbent.storage.s3.client import LOST, Connection, code_of, connect, status_of, translated
from incumbent.storage.s3.store import Store

ADDRESS = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<root>[\w.=+-]+(?:/[\w.=+-]+)*))?/?"
)
START_SECONDS = 30


def ensure_bucket(name: str, environment: Mapping[str, str]) -> None:
    """Create the bucket unless it exists, waiting up to 30 s for a server that is just starting.

    The endpoint and credentials are `environment`'s AWS_* variables. Raises StorageUnavailable.
    """
    connection = connect(environment)
    retrying = Retrying(
        retry=retry_if_exception(_is_starting),
        stop=stop_after_delay(START_SECONDS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    with translated(connection, f"s3://{name}"):
        retrying(_create_bucket, connection, name)


def _is_starting(error: BaseException) -> bool:
    return isinstance(error, LOST) or (isinstance(error, ClientError) and status_of(error) >= 500)


def _create_bucket(connection: Connection, name: str) -> None:
    region = connection.writes.meta.region_name
    try:
        if region in ("us-east-1", "aws-global"):
            connection.writes.create_bucket(Bucket=name)
        else:
            location = {"LocationConstraint": region}
            connection.writes.create_bucket(Bucket=name, CreateBucketConfiguration=location)  # type: ignore[arg-type]
    except ClientError as error:
        # On AWS, BucketAlreadyExists may mean somebody else's bucket: the first use of it will fail with 403.
        if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def open_store(address: str, timeout: float | None = None) -> Store:
    """Open "s3://bucket/prefix" with the endpoint and credentials of the process's AWS_* variables.

    timeout: as in `connect`.

    Sends nothing yet. Raises BadParams for a malformed address, StorageUnavailable for unusable variables.
    """
    match = ADDRESS.fullmatch(address)
    if match is None or ".." in address:
        raise BadParams(f"bad S3 address {address!r}: it must look like s3://bucket/prefix")
    ours = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return Store(match["bucket"], match["root"] or "", _connection(ours, timeout))


@lru_cache(maxsize=8)
def _connection(_variables: tuple[tuple[str, str], ...], timeout: float | None) -> Connection:
    """One connection for the same variables: making the clients takes a tenth of a second."""
    return connect(timeout=timeout)
