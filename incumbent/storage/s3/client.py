"""Clients for S3, and the one place where botocore's errors become ours."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from incumbent.errors import IncumbentError, NotFound, StorageUnavailable, Tampered
from incumbent.errors.machine import disk_of_the_stack
from incumbent.storage.s3.traffic import count_requests

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 60
READ_ATTEMPTS = 4
LOCAL_KEYS = "INC"  # how the local stack's access keys begin

LOST = (
    *(ConnectionError, HTTPClientError, IncompleteReadError, FlexibleChecksumError, ResponseParserError),
    HTTPError,  # botocore lets it through, and does not retry, when the body of an error answer breaks off
)
"""No answer, a partial one, or one that is not S3's: whether the request took effect is unknown."""

ERRORS = (BotoCoreError, ClientError, ResponseParserError, HTTPError)

CREDENTIALS_REFUSED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
WRONG_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}


@dataclass(frozen=True)
class Connection:
    """Two clients for one S3: `reads` retries by itself, `writes` sends exactly once.

    boto3's own retry after a lost response turns a committed conditional write into a 412,
    so conditional writes must go through `writes` and find out themselves whether they took effect.
    """

    reads: "S3Client"
    writes: "S3Client"
    key_hint: str

    @property
    def endpoint(self) -> str:
        """The server's address without credentials, for messages."""
        parts = urlsplit(self.reads.meta.endpoint_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def connect(environment: Mapping[str, str] | None = None, timeout: float | None = None) -> Connection:
    """Make clients out of the AWS_* variables in `environment` (default: this process's own).

    timeout: seconds that a request may take, and then none is sent again: to ask, not to work.

    Raises StorageUnavailable if the variables make no usable client. Sends nothing.
    """
    given = environment or {}
    try:
        session = boto3.session.Session(
            aws_access_key_id=given.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=given.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=given.get("AWS_SESSION_TOKEN"),
            region_name=given.get("AWS_DEFAULT_REGION"),
        )
        client = partial(session.client, "s3", endpoint_url=given.get("AWS_ENDPOINT_URL"))
        reads = client(config=_config(1 if timeout else READ_ATTEMPTS, timeout))
        writes = client(config=_config(1, timeout))
        for each in (reads, writes):
            count_requests(each)
        credentials = session.get_credentials()
    except (BotoCoreError, ValueError) as error:
        raise StorageUnavailable(
            f"cannot make an S3 client: {error}; check AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the "
            "other AWS_* variables"
        ) from error
    hint = f"{credentials.access_key[:4]}…" if credentials and credentials.access_key else "none"
    return Connection(reads, writes, hint)


def _config(attempts: int, timeout: float | None) -> Config:
    return Config(
        connect_timeout=timeout or CONNECT_TIMEOUT,
        read_timeout=timeout or READ_TIMEOUT,
        signature_version="s3v4",  # for links, too: many stores refuse boto3's default for them
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


def led_elsewhere() -> str | None:
    """The variable that leads to another S3 than the local stack's; None where none does."""
    local = os.environ.get("AWS_ACCESS_KEY_ID", "").startswith(LOCAL_KEYS)
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return None if local else next((name for name in names if os.environ.get(name)), None)


def way_to_a_server() -> str:
    """What to do about a server that does not answer."""
    if variable := led_elsewhere():
        return (
            f"correct {variable}, which leads there, or 'unset {variable}' to work with the local stack that "
            "`incumbent up` starts"
        )
    return (
        "run `incumbent up` to start the local stack, or correct AWS_ENDPOINT_URL where it is your shell "
        "that sets it"
    )


def code_of(error: ClientError) -> str:
    """S3's error code, such as NoSuchKey; for a HEAD only the status."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    """The HTTP status."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_cut_off(error: ClientError) -> bool:
    """Is it a 404 whose body got lost, so that it may mean the key or the bucket? A retry tells."""
    return status_of(error) == 404 and code_of(error) == "404"


def etag_of(answer: Mapping[str, Any]) -> str:
    """The ETag, which every S3 server sends. Else raises ResponseParserError."""
    etag = answer.get("ETag")
    if not etag:
        raise ResponseParserError("the answer has no ETag")
    return str(etag)


@contextmanager
def translated(connection: Connection, address: str) -> Iterator[None]:
    """Turn botocore's errors into NotFound, StorageUnavailable or Tampered; let unknown ones through."""
    try:
        yield
    except ERRORS as error:
        ours = _explain(error, connection, address)
        if ours is None:
            raise
        raise ours from error


def _explain(error: Exception, connection: Connection, address: str) -> IncumbentError | None:
    if isinstance(error, ClientError):
        return _explain_answer(error, connection, address)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StorageUnavailable(
            f"no S3 credentials for {address}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "(and AWS_ENDPOINT_URL unless it is AWS), or run `incumbent up` for a local S3 server"
        )
    if isinstance(error, FlexibleChecksumError):
        return Tampered(f"the bytes read from {address} do not match the checksum that S3 keeps of them")
    if isinstance(error, ResponseParserError):
        return StorageUnavailable(
            f"{connection.endpoint} answered for {address} with something that is not S3; "
            "check AWS_ENDPOINT_URL"
        )
    if isinstance(error, LOST):
        return StorageUnavailable(
            f"S3 at {connection.endpoint} cannot be reached or broke off ({type(error).__name__}) "
            f"for {address}; {way_to_a_server()}; running again is safe"
        )
    return None


def _explain_answer(error: ClientError, connection: Connection, address: str) -> IncumbentError | None:
    code, status, endpoint = code_of(error), status_of(error), connection.endpoint
    if code == "NoSuchBucket":
        return NotFound(
            f"no bucket for {address} at {endpoint}; create it (`incumbent up` does for the local server"
            f"{'' if led_elsewhere() is None else ', which this is not'}), or correct registry.address in "
            "params.yaml"
        )
    if code in ("BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"):
        return StorageUnavailable(
            f"S3 at {endpoint} received other bytes for {address} than were announced: they were damaged on "
            "the way, or the file changed meanwhile; running again is safe"
        )
    if code == "RequestTimeTooSkewed":
        return StorageUnavailable(
            f"S3 at {endpoint} refused {address}: this machine's clock is wrong; set it"
        )
    if code in WRONG_REGION:
        return StorageUnavailable(
            f"S3 at {endpoint} refused {address} ({code}): the bucket is in another region; "
            "check AWS_DEFAULT_REGION"
        )
    if code in CREDENTIALS_REFUSED or status in (401, 403):
        return StorageUnavailable(
            f"S3 at {endpoint} refused access key {connection.key_hint} for {address} ({code}); check "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what that key may do on this bucket"
        )
    if is_cut_off(error):
        return StorageUnavailable(
            f"S3 at {endpoint} answered 404 for {address} without saying what is missing; "
            "check AWS_ENDPOINT_URL; running again is safe"
        )
    full = disk_of_the_stack() if status >= 500 and urlsplit(endpoint).hostname == "127.0.0.1" else None
    if full:
        return StorageUnavailable(f"S3 at {endpoint} can't work for {address} ({code or status}): {full}")
    if status >= 500 or status in (408, 409, 429) or code in ("RequestTimeout", "SlowDown"):
        return StorageUnavailable(
            f"S3 at {endpoint} kept failing for {address} ({code or status}); running again is safe"
        )
    return None
