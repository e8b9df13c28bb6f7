"""Environment variables that direct programs to the local stack's servers."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from incumbent.local import prefect_server, s3
from incumbent.local.workspace import stack_of


def environment(project: Path) -> dict[str, str]:
    """The variables for a program of this project, or of any in this workspace; empty when it never had a
    local stack.
    """
    stack = stack_of(project)
    if not stack.exists:
        return {}
    return {**s3.client_settings(stack), **prefect_server.client_settings(stack)}


def led_elsewhere(project: Path) -> list[str]:
    """The variables of this process that lead to other servers than those of the project's stack."""
    own = environment(project)
    wanted = {**own, "AWS_ENDPOINT_URL_S3": own.get("AWS_ENDPOINT_URL")}
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "PREFECT_API_URL")
    return [name for name in names if name in os.environ and os.environ[name] != wanted.get(name)]


@contextmanager
def only(variables: Mapping[str, str]) -> Iterator[None]:
    """Within the block these are the only AWS_* variables: a user's own profile is not for the local S3."""
    before = dict(os.environ)
    try:
        for name in [name for name in before if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update({name: value for name, value in variables.items() if name.startswith("AWS_")})
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
