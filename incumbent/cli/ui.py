"""incumbent ui: opens the stack's web pages and prints their login."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli.options import Json, Project, command, show


def ui_command(project: Path | str) -> str:
    """The command that prints the login, as it works from the folder that the user is in."""
    place = os.path.relpath(project)
    return "incumbent ui" if place == "." else command("ui", place)


def ui(
    project: Project = Path(),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print address and login.")] = False,
    as_json: Json = False,
) -> None:
    """Open the Prefect UI in the browser, and print the login of all pages: Prefect, studies, Prometheus."""
    from incumbent.local.stack import access

    document = access(project)
    show(document, as_json, _as_text)
    if not as_json and not no_browser and _has_display():
        # The address alone: a browser's command line, with a login in it, could be read by everybody.
        webbrowser.open(document["ui"])


def _as_text(document: dict[str, Any]) -> str:
    user, password = document["login"]["user"], document["login"]["password"]
    named = {"studies": "studies   ", "prometheus": "Prometheus"}
    lines = [f"Prefect UI  {document['ui']}", f"            password: {user}:{password}"]
    for name in filter(document.get, named):
        lines += [f"{named[name]}  {document[name]}", f"            user: {user}, password: {password}"]
    return "\n".join(lines)


def _has_display() -> bool:
    # Without one, a browser that runs in the terminal would take it over.
    return sys.platform == "darwin" or not {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}.isdisjoint(os.environ)
