"""incumbent env: the variables that point other tools to the project's local stack."""

import os
import re
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from incumbent.cli.options import Json, Project, show
from incumbent.cli.surroundings import behind_a_proxy
from incumbent.errors import BadInput
from incumbent.local.environment import environment


class Format(StrEnum):
    SHELL = "shell"
    DOTENV = "dotenv"


def env(
    project: Project = Path(),
    form: Annotated[Format, typer.Option("--format", help="For a shell, or for a .env file.")] = Format.SHELL,
    as_json: Json = False,
) -> None:
    """Print variables that point other tools to the local stack: eval "$(incumbent env)". Some are secret."""
    variables = environment(project)
    if not variables:
        raise BadInput(f"no local stack in {project.resolve()}; start it with 'incumbent up'")
    if behind_a_proxy(os.environ):
        variables |= {name: os.environ[name] for name in ("NO_PROXY", "no_proxy")}
    show(variables, as_json, _exports if form is Format.SHELL else _dotenv)


def _exports(variables: dict[str, str]) -> str:
    # Half of another account's credentials would only be refused.
    foreign = sorted(name for name in os.environ if name.startswith("AWS_") and name not in variables)
    return "\n".join(
        [
            *(f"unset {name}" for name in foreign),
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        ]
    )


def _dotenv(variables: dict[str, str]) -> str:
    return "\n".join(f"{name}={_quoted(value)}" for name, value in variables.items())


def _quoted(value: str) -> str:
    """As it is where no reader could take it for more: not all of them know quotes."""
    if re.fullmatch(r"[\w./:@%+,=-]*", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
