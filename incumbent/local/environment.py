"""The variables that lead programs to the local stack's servers."""

from pathlib import Path

from incumbent.local import prefect_server, s3
from incumbent.local.state import Stack


def environment(project: Path) -> dict[str, str]:
    """What a program of this project needs; empty when the project never had a local stack."""
    stack = Stack(project.resolve())
    if not stack.exists:
        return {}
    return {**s3.client_settings(stack), **prefect_server.client_settings(stack)}
