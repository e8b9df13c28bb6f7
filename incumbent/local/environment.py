"""The variables that lead programs to the local stack's servers."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from incumbent.local import prefect_server, s3
from incumbent.local.state import Stack


def environment(project: Path) -> dict[str, str]:
    """What a program of this project needs; empty when the project never had a local stack."""
    stack = Stack(project.resolve())
    if not stack.exists:
        return {}
    return {**s3.client_settings(stack), **prefect_server.client_settings(stack)}


@contextmanager
def only(variables: Mapping[str, str]) -> Iterator[None]:
    """For a while, these are all the AWS_* variables of this process: a user's profile is not for our S3."""
    before = dict(os.environ)
    try:
        for name in [name for name in before if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if name.startswith("AWS_")})
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
