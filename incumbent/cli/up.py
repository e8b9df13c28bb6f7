"""incumbent up: starts the local stack."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli.options import Json, Project, pairs, say, show
from incumbent.cli.ui import ui_command
from incumbent.cli.workspace import Workspace


def up(
    project: Project = Path(),
    workspace: Workspace = None,
    monitoring: Annotated[
        bool, typer.Option("--monitoring", help="Also start Prometheus and the metrics that it reads.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start the local stack: S3 server, Prefect server, dashboard, a worker per pool, all deployments.

    In a folder of projects, and with --workspace, one stack for all projects in it.
    """
    from incumbent.cli.workspace import folder_to_start, notices, share_data
    from incumbent.local import stack
    from incumbent.local.environment import environment, led_elsewhere, only
    from incumbent.local.workspace import is_workspace

    project = project.resolve()
    root = folder_to_start(project, workspace)  # before anything is started
    for notice in notices(root):
        say(notice)
    stack.up(root, say, then=lambda: share_data(root), monitored=monitoring)
    for name in led_elsewhere(root):
        say(
            f"{name} is {os.environ[name]}: the other commands go there, not to the stack that was started "
            f"here; 'unset {name}' leads them here"
        )
    if is_workspace(root):
        show({**stack.status(root), "workspace": str(root)}, as_json, _addresses)
        return
    from incumbent.cli.status import overview

    with only(environment(root)):
        show(overview(root), as_json, _addresses)


def _addresses(document: dict[str, Any]) -> str:
    addresses, workspace = document["addresses"], document.get("workspace")
    login = ui_command(workspace or document["project"])
    lines = [("Prefect UI", f"{addresses['ui']} (login: {login})"), ("S3", addresses["s3"])]
    if workspace:
        lines.append(("workspace", f"{workspace} (models: incumbent status)"))
    else:
        lines.insert(1, ("studies", f"{addresses['studies']} (the same login)"))
        lines.append(("registry", f"{document['registry']}/{document['model']}"))
    if "prometheus" in addresses:
        lines.append(("Prometheus", f"{addresses['prometheus']} (the same login)"))
    return pairs(lines)
