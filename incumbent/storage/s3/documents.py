"""The registry's JSON documents: one canonical form when written, checked when read."""

import getpass
import json
import os
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from incumbent.errors import BadInput, BadParams, Tampered

FORMAT = 1
"""Incremented when an older incumbent could misread what this one writes."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,127}")

T = TypeVar("T")


def dump(document: Mapping[str, Any]) -> bytes:
    """The canonical form of this document: equal content gives equal bytes.

    Raises ValueError for NaN or infinity, TypeError for values that JSON does not have.
    """
    text = json.dumps({**document, "format": FORMAT}, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return f"{text}\n".encode()


def load(body: bytes, address: str) -> dict[str, Any]:
    """Read a document. Raises Tampered if it is not one, BadInput if a newer incumbent wrote it."""
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Tampered(f"{address} is not the JSON that incumbent wrote: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise Tampered(f"{address} is not a document that incumbent wrote: its format number is missing")
    if document["format"] > FORMAT:
        raise BadInput(
            f"{address} has format {document['format']}, written by a newer incumbent than this one, which "
            f"knows up to {FORMAT}: upgrade"
        )
    return document


def parse(shape: TypeAdapter[T], body: bytes, address: str) -> T:
    """Read a document into a value of this shape. Raises Tampered, or BadInput as `load` does."""
    load(body, address)
    try:
        return shape.validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Tampered(f"{address} is not what incumbent wrote: {field}: {first['msg']}") from error


def check_name(name: str, what: str) -> str:
    """Return `name` if it may be one part of a key and a file's name. Raises BadParams."""
    if not NAME.fullmatch(name):
        raise BadParams(
            f"bad {what} {name!r}: up to 128 letters, digits and . _ + = -, the first a letter or digit"
        )
    return name


def now() -> str:
    """The time in UTC, ISO 8601 to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def who() -> str:
    """The current user and host, for the log."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
