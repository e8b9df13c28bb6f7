"""The options that every command takes, and how results are printed."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len

from incumbent.errors.machine import PROJECT
from incumbent.local.environment import environment
from incumbent.local.state import make_private
from incumbent.params import load_params, own_code

Project = Annotated[Path, typer.Option("--project", help="Folder of the project.", show_default="here")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout; logs go to stderr.")]

# The whole message of a verdict that the caller cannot go on with: block, hold, reject, pending.
VERDICT = 3


def enter(project: Path) -> Path:
    """The project's full path; from here on its local stack is the one that everything talks to.

    Unless the environment already names another: AWS_ENDPOINT_URL for S3, PREFECT_API_URL for Prefect.
    Raises BadParams when the folder has no params.yaml that can be read: first of all that a command does.
    """
    project = project.resolve()
    load_params(project)
    own_code.look_in(project)
    os.environ[PROJECT] = str(project)
    use_stack(project)
    with suppress(OSError):  # somebody else's project, or a read-only one
        make_private(project / ".incumbent")  # rows of the data are kept there, and models
    # LightGBM beside a busy neighbour is many times slower under OpenMP's default.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return project


def use_stack(project: Path) -> None:
    """Everything talks to the folder's stack, if it has one, unless the environment names another server."""
    own = {name for name in os.environ if name.startswith("AWS_")}
    elsewhere = bool(own & {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"})
    if environment(project) and not elsewhere:
        for name in own:  # half of another account's credentials would only be refused
            del os.environ[name]
    for name, value in _without_login_for_others(environment(project)).items():
        if not (elsewhere and name.startswith("AWS_")):
            os.environ.setdefault(name, value)


def _without_login_for_others(stack: dict[str, str]) -> dict[str, str]:
    # A login goes to its own server: ours to no other that the environment names, and no other's to ours.
    here = stack.get("PREFECT_API_URL")
    if os.environ.get("PREFECT_API_URL", here) != here:
        return {name: value for name, value in stack.items() if name != "PREFECT_API_AUTH_STRING"}
    if stack:
        os.environ.pop("PREFECT_API_AUTH_STRING", None)
    return stack


def command(words: str, project: Path | str) -> str:
    """`incumbent WORDS` on the project, as a person types it in a shell."""
    return f"incumbent {words} --project {shlex.quote(str(project))}"


def say(message: str) -> None:
    """Progress, for people: on stderr, so that stdout stays the result."""
    print(message, file=sys.stderr, flush=True)


def show(document: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """The result on stdout: the document itself, or its text for people."""
    print(json.dumps(document, indent=2, default=str) if as_json else text(document))


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns aligned by blanks, each as wide as its widest cell; plain text that pipes well."""
    return _aligned([header, *rows])


def pairs(values: Iterable[tuple[str, Any]]) -> str:
    """A name and its value a line, the values below each other."""
    return _aligned([[name, str(value)] for name, value in values])


def _aligned(rows: list[list[str]]) -> str:
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*clean, strict=True)]
    lines = [
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in clean
    ]
    return "\n".join(line.rstrip() for line in lines)


def percent(share: float) -> str:
    """A share for people, who should tell a few rows from none and nearly all from all."""
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return "–" if share == 0 else f"{share:.1%}"


def printable(cell: str) -> str:
    """On one line, and without control characters: those of a data file could drive the terminal."""
    blanks = "".join(" " if char.isspace() else char for char in cell)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in blanks)
