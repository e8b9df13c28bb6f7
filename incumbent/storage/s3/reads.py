"""Reads retried when the body breaks off; boto3 itself retries only until the headers have arrived."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from incumbent.storage.s3.client import LOST, READ_ATTEMPTS, code_of, is_cut_off
from incumbent.storage.s3.conditional import pauses

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

T = TypeVar("T")


def read(
    client: "S3Client",
    bucket: str,
    key: str,
    consume: Callable[["GetObjectOutputTypeDef"], T],
    **conditions: str,
) -> T | None:
    """Get an object and let `consume` read its body, from the start again if it breaks off.

    None if there is no such object. Raises botocore's error when the attempts are used up or S3 refuses,
    including 304 when a condition says that nothing changed.
    """
    for last, pause in pauses(READ_ATTEMPTS):
        try:
            answer = client.get_object(Bucket=bucket, Key=key, **conditions)  # type: ignore[arg-type]
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            if last or not is_cut_off(error):
                raise
        except HTTPError:
            if last:
                raise
        else:
            try:
                return consume(answer)
            except LOST:
                if last:
                    raise
        time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")
