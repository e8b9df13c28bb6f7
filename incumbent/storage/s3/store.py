"""Objects by key below one S3 prefix, with conditional writes that never overwrite by accident."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from incumbent.errors import Conflict, NotFound
from incumbent.storage.s3.client import Connection, etag_of, status_of, translated
from incumbent.storage.s3.conditional import prove_conditions, send
from incumbent.storage.s3.reads import read
from incumbent.tables.atomic import atomic_write

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

CHUNK = 1 << 20
PARALLEL = 8
WEEK = 7 * 24 * 3600  # seconds; S3 signs no link for longer

T = TypeVar("T")


@dataclass(frozen=True)
class Listed:
    """An object in a listing; `written` by S3's clock."""

    key: str
    etag: str
    written: datetime


@dataclass(frozen=True)
class Object:
    """What a key held when it was read."""

    body: bytes
    etag: str


class Store:
    """Objects below one prefix. Keys are relative to it. Open one with `open_store`.

    Every method raises StorageUnavailable when S3 cannot be reached or refuses the credentials, and
    NotFound when there is no such bucket. The first conditional write proves that the store honours
    conditions and raises StorageUnavailable if it does not.
    """

    def __init__(self, bucket: str, root: str, connection: Connection) -> None:
        self.bucket, self.root = bucket, root
        self._s3 = connection
        self._proven = False

    @property
    def connection(self) -> Connection:
        """The clients that it works with."""
        return self._s3

    def url(self, key: str = "") -> str:
        """The whole address of a key, for messages."""
        return f"s3://{self.bucket}/{self._path(key)}"

    def get(self, key: str) -> Object:
        """Read an object. Raises NotFound."""
        return self._present(key, self.find(key))

    def find(self, key: str, known: Object | None = None) -> Object | None:
        """Read an object; None if there is none. A missing bucket still raises NotFound.

        If the object is still the `known` one, that is returned and no body is sent.
        """

        def consume(answer: "GetObjectOutputTypeDef") -> Object:
            return Object(answer["Body"].read(), etag_of(answer))

        try:
            return self._read(key, consume, **({"IfNoneMatch": known.etag} if known else {}))
        except ClientError as error:
            if known is None or status_of(error) != 304:
                raise
            return known

    def find_all(self, keys: Iterable[str]) -> Iterator[tuple[str, Object]]:
        """Read many objects, several at a time, in the order of the keys; absent ones are left out."""
        wanted = tuple(keys)
        with ThreadPoolExecutor(PARALLEL) as pool:
            for key, stored in zip(wanted, pool.map(self.find, wanted), strict=True):
                if stored is not None:
                    yield key, stored

    def exists(self, key: str) -> bool:
        """Is there an object? By a listing: the answer to a HEAD does not tell a missing bucket apart."""
        with translated(self._s3, self.url(key)):
            page = self._s3.reads.list_objects_v2(Bucket=self.bucket, Prefix=self._path(key), MaxKeys=1)
        return [each["Key"] for each in page.get("Contents", [])] == [self._path(key)]

    def list(self, prefix: str = "", after: str = "", page_size: int = 1000) -> Iterator[str]:
        """The keys that start with `prefix` and sort after `after`, in order."""
        return (listed.key for listed in self.listing(prefix, after, page_size))

    def listing(self, prefix: str = "", after: str = "", page_size: int = 1000) -> Iterator[Listed]:
        """The objects of these keys, each with its ETag and when S3 last wrote it."""
        pages = self._s3.reads.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=self._path(prefix),
            StartAfter=self._path(after) if after else "",
            PaginationConfig={"PageSize": page_size},
        )
        skip = len(self._path(""))
        with translated(self._s3, self.url(prefix)):
            for page in pages:
                for each in page.get("Contents", []):
                    yield Listed(each["Key"][skip:], each["ETag"], each["LastModified"])

    def folders(self) -> Iterator[str]:
        """What stands before the first slash of the keys, each once and in order."""
        pages = self._s3.reads.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self._path(""), Delimiter="/"
        )
        skip = len(self._path(""))
        with translated(self._s3, self.url()):
            for page in pages:
                for each in page.get("CommonPrefixes", []):
                    yield each["Prefix"][skip:].rstrip("/")

    def clock(self) -> datetime:
        """S3's own time, to the second: the clock of `Listed.written`; this machine's may differ."""
        with translated(self._s3, self.url()):
            page = self._s3.reads.list_objects_v2(Bucket=self.bucket, Prefix=self._path(""), MaxKeys=1)
        return parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])

    def put(self, key: str, body: bytes) -> None:
        """Write, overwriting what was there before."""
        with translated(self._s3, self.url(key)):
            self._s3.reads.put_object(Bucket=self.bucket, Key=self._path(key), Body=body)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write unless the key holds something; False if it did.

        After an inconclusive answer (409, 5xx, timeout, reset) the write is sent again; if the key then
        holds exactly these bytes they count as ours, so each body must be unique (a nonce).
        """
        with self._conditional(key):
            etag, doubtful = send(lambda: self._put(key, body, IfNoneMatch="*"))
        return etag is not None or (doubtful and self._held_by(key, body) is not None)

    def replace(self, key: str, body: bytes, expected: str) -> str:
        """Write if the key still has the ETag `expected`; return the new ETag. Raises Conflict.

        Inconclusive answers are handled as in `put_if_absent`. An ETag may be the content's MD5, so a body
        needs a nonce here too: without one, A → B → A would accept a stale `expected`.
        """
        if not expected:  # S3 takes an empty If-Match for none at all
            raise Conflict(f"{self.url(key)} cannot be replaced without the ETag that it was read with")
        with self._conditional(key):
            etag, _ = send(lambda: self._put(key, body, IfMatch=expected))
        etag = etag or self._held_by(key, body)
        if etag is None:
            raise Conflict(f"{self.url(key)} changed since it was read")
        return etag

    def upload(self, key: str, path: Path, sha256: str) -> bool:
        """Write a file of up to 5 GB unless the key holds something (False: then compare `digest(key)`).

        S3 itself checks what arrives against `sha256`; raises StorageUnavailable if it differs.
        """
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()

        def put() -> str:
            with path.open("rb") as file:
                return self._put(key, file, IfNoneMatch="*", ChecksumSHA256=checksum)

        with self._conditional(key):
            return send(put)[0] is not None

    def digest(self, key: str) -> tuple[str, int]:
        """The SHA-256 and size of an object, from reading all of it. Raises NotFound."""

        def consume(answer: "GetObjectOutputTypeDef") -> tuple[str, int]:
            sha256, size = hashlib.sha256(), 0
            for chunk in answer["Body"].iter_chunks(CHUNK):
                sha256.update(chunk)
                size += len(chunk)
            return sha256.hexdigest(), size

        return self._present(key, self._read(key, consume))

    def download(self, key: str, path: Path, etag: str | None = None) -> None:
        """Stream an object into a file that appears only once it is complete.

        Raises NotFound, and Conflict when it no longer has the `etag`.
        """
        with atomic_write(path) as part:

            def consume(answer: "GetObjectOutputTypeDef") -> bool:
                with part.open("wb") as file:
                    for chunk in answer["Body"].iter_chunks(CHUNK):
                        file.write(chunk)
                return True

            try:
                self._present(key, self._read(key, consume, **({"IfMatch": etag} if etag else {})))
            except ClientError as error:
                if status_of(error) != 412:
                    raise
                raise Conflict(f"{self.url(key)} changed since it was listed") from error

    def link(self, key: str, kind: str) -> str:
        """A link for a browser, valid for a week without credentials; `kind` is the media type."""
        request = {"Bucket": self.bucket, "Key": self._path(key), "ResponseContentType": kind}
        with translated(self._s3, self.url(key)):
            return self._s3.reads.generate_presigned_url("get_object", Params=request, ExpiresIn=WEEK)

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        with translated(self._s3, self.url(key)):
            self._s3.reads.delete_object(Bucket=self.bucket, Key=self._path(key))

    def delete_if(self, key: str, etag: str) -> bool:
        """Remove an object unless it was replaced since; False if it was."""
        with translated(self._s3, self.url(key)):
            try:
                self._s3.writes.delete_object(Bucket=self.bucket, Key=self._path(key), IfMatch=etag)
            except ClientError as error:
                # For a key that is already gone, S3 servers answer one or the other.
                if status_of(error) not in (404, 412):
                    raise
                return not self.exists(key)
        return True

    @contextmanager
    def _conditional(self, key: str) -> Iterator[None]:
        with translated(self._s3, self.url(key)):
            if not self._proven:
                prove_conditions(self._s3, self.bucket, self._path(".selftest/conditions"))
                self._proven = True
            yield

    def _put(self, key: str, body: bytes | IO[bytes], **headers: str) -> str:
        answer = self._s3.writes.put_object(
            Bucket=self.bucket,
            Key=self._path(key),
            Body=body,
            **headers,  # type: ignore[arg-type]
        )
        return etag_of(answer)

    def _held_by(self, key: str, body: bytes) -> str | None:
        """The ETag if the key holds exactly these bytes."""
        stored = self.find(key)
        return stored.etag if stored is not None and stored.body == body else None

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}" if self.root else key

    def _present(self, key: str, value: T | None) -> T:
        if value is None:
            raise NotFound(f"nothing at {self.url(key)}")
        return value

    def _read(
        self, key: str, consume: Callable[["GetObjectOutputTypeDef"], T], **conditions: str
    ) -> T | None:
        with translated(self._s3, self.url(key)):
            return read(self._s3.reads, self.bucket, self._path(key), consume, **conditions)
