"""Does this S3 do what a registry needs? Asks with small objects, and removes them.

A question returns when the answer is yes, and raises StorageUnavailable when it is no.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from botocore.exceptions import ClientError

from incumbent.errors import IncumbentError, StorageUnavailable
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.client import code_of, status_of, translated
from incumbent.storage.s3.conditional import ignored
from incumbent.storage.s3.store import Store

FOLDER = ".doctor"
"""Hidden, so that nobody takes what is there for data."""
ROUNDS = 3
NOBODYS = '"00000000000000000000000000000000"'  # an ETag

T = TypeVar("T")


@contextmanager
def probe(address: str, timeout: float) -> Iterator["Probe"]:
    """Ask below `address`, and remove what was written. timeout: seconds for each request, sent once."""
    store = open_store(f"{address.rstrip('/')}/{FOLDER}/{uuid.uuid4().hex}", timeout)
    questions = Probe(store)
    try:
        yield questions
    finally:
        with suppress(IncumbentError):  # the question that failed for the same reason says so
            for key in questions.keys:
                store.delete(key)


def seconds_ahead(store: Store) -> float:
    """How far S3's clock is ahead of this machine's, to about a second. One request."""
    before = time.time()
    theirs = store.clock().timestamp() + 0.5  # the header has whole seconds
    return theirs - (before + time.time()) / 2


class Probe:
    """Questions to one store; `keys`: the objects that they wrote."""

    def __init__(self, store: Store) -> None:
        self._store, self._s3 = store, store.connection
        self.keys: set[str] = set()

    def reach(self) -> str:
        """Does it answer, and know us? Returns the server's address."""
        self._allowed("list", "s3:ListBucket", self._store.clock)
        return self._s3.endpoint

    def rights(self) -> None:
        """May we list, write, read and delete here, and do reads return what was just written?"""
        key = self._new_key()
        for body in (b"first\n", b"second\n"):
            self._allowed("write", "s3:PutObject", partial(self._store.put, key, body))
            stored = self._allowed("read", "s3:GetObject", partial(self._store.get, key))
            if stored.body != body or list(self._store.list()) != [key]:
                raise StorageUnavailable(
                    f"S3 at {self._s3.endpoint} does not return what was just written to "
                    f"{self._store.url(key)}; use a store whose reads and listings are consistent, without a "
                    "cache in front of it"
                )
        self._allowed("delete", "s3:DeleteObject", partial(self._store.delete, key))

    def conditions(self) -> None:
        """Is a write refused whose condition does not hold, and does one of two writers at once win?"""
        key = self._new_key()
        if not self._write(key, IfNoneMatch="*"):
            raise StorageUnavailable(
                f"S3 at {self._s3.endpoint} refuses a write to {self._store.url(key)} with If-None-Match, "
                "although nothing is there; use a store that honours conditions"
            )
        first = self._store.get(key).etag
        if (
            self._write(key, IfNoneMatch="*")
            or self._write(key, IfMatch=NOBODYS)
            or not self._write(key, IfMatch=first)
            or self._write(key, IfMatch=first)
        ):
            raise ignored(self._s3, self._store.url(key))
        for _ in range(ROUNDS):
            self._one_winner(self._new_key(), IfNoneMatch="*")
            self._one_winner(key, IfMatch=self._store.get(key).etag)

    def conditional_delete(self) -> bool:
        """Is a delete refused whose If-Match does not hold?"""
        key = self._new_key()
        self._store.put(key, b"kept\n")
        self._store.delete_if(key, NOBODYS)
        return self._store.exists(key)

    def skew(self) -> float:
        """Seconds that S3's clock is ahead of this machine's, to about a second."""
        return seconds_ahead(self._store)

    def _new_key(self) -> str:
        key = uuid.uuid4().hex
        self.keys.add(key)
        return key

    def _allowed(self, what: str, right: str, ask: Callable[[], T]) -> T:
        try:
            with translated(self._s3, self._store.url()):
                return ask()
        except StorageUnavailable as error:
            if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) == "AccessDenied":
                raise StorageUnavailable(
                    f"access key {self._s3.key_hint} may not {what} at {self._store.url()}; give it {right} "
                    "there (docs/team.md has the whole policy), or correct AWS_ACCESS_KEY_ID"
                ) from error
            raise

    def _write(self, key: str, **condition: str) -> bool:
        """Sent once; False when the store refuses it for its condition."""
        body = uuid.uuid4().bytes  # an ETag may be the content's MD5
        with translated(self._s3, self._store.url(key)):
            try:
                self._s3.writes.put_object(
                    Bucket=self._store.bucket,
                    Key=f"{self._store.root}/{key}",
                    Body=body,
                    **condition,  # type: ignore[arg-type]
                )
            except ClientError as error:
                if status_of(error) in (409, 412) or code_of(error) == "NoSuchKey":
                    return False
                if status_of(error) == 501:
                    raise ignored(self._s3, self._store.url(key)) from error
                raise
        return True

    def _one_winner(self, key: str, **condition: str) -> None:
        """Two writers at once; both may be told to try again, but they can't both win."""
        with ThreadPoolExecutor(2) as writers:
            answers = [writers.submit(self._write, key, **condition) for _ in range(2)]
        if all(answer.result() for answer in answers):
            raise ignored(self._s3, self._store.url(key))
