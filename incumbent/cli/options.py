"""The options that every command takes, and how results are printed."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.local.environment import environment

Project = Annotated[Path, typer.Option("--project", help="Folder of the project.", show_default="here")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout; logs go to stderr.")]

# The whole message of a verdict that the caller cannot go on with: block, hold, reject.
VERDICT = 3


def enter(project: Path) -> Path:
    """The project's full path; from here on its local stack is the one that everything talks to.

    Unless the environment already names another: AWS_ENDPOINT_URL for S3, PREFECT_API_URL for Prefect.
    """
    project = project.resolve()
    own = {name for name in os.environ if name.startswith("AWS_")}
    elsewhere = bool(own & {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"})
    if environment(project) and not elsewhere:
        for name in own:  # half of another account's credentials would only be refused
            del os.environ[name]
    for name, value in environment(project).items():
        if not (elsewhere and name.startswith("AWS_")):
            os.environ.setdefault(name, value)
    # LightGBM beside a busy neighbour is many times slower under OpenMP's default.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return project


def say(message: str) -> None:
    """Progress, for people: on stderr, so that stdout stays the result."""
    print(message, file=sys.stderr, flush=True)


def show(document: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """The result on stdout: the document itself, or its text for people."""
    print(json.dumps(document, indent=2, default=str) if as_json else text(document))


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns aligned by blanks; plain text that pipes well."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [header, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)
