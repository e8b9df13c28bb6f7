"""incumbent doctor: is everything there that a project needs, and if not, what to do?"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from incumbent.cli.doctor.finding import Finding, Group, failed, side_by_side
from incumbent.cli.options import Json, Project, enter, show, table, use_stack
from incumbent.errors import BadInput
from incumbent.local.workspace import PARAMS, POINTER, is_workspace
from incumbent.params import Params, load_params

FAILED = 1


def doctor(project: Project = Path(), as_json: Json = False) -> None:
    """Check the machine, S3, DVC, git and Prefect, and say for each fault what to do. Changes nothing.

    In a workspace it checks the stack, and each project in short. Outside of both it checks the machine and
    the Prefect server. Exit code 1 if a check failed.
    """
    from incumbent.cli.doctor import machine

    project = project.resolve()
    if not project.is_dir():
        raise BadInput(f"there is no folder {project}; name the project with --project")
    findings = machine.variables(project)
    params = None
    if (project / PARAMS).exists() or (project / POINTER).exists():
        try:
            params = load_params(enter(project))
        except BadInput as error:
            findings.append(failed(PARAMS, str(error)))
    if params is None:
        use_stack(project)
    findings += side_by_side(_groups(project, params))
    show(_document(project, findings), as_json, _text)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(FAILED)


def _groups(project: Path, params: Params | None) -> dict[str, Group]:
    # Prefect reads its settings when it is imported. And before the checks: imports are not to be timed.
    from incumbent.cli.doctor import data, machine, studies, workspace
    from incumbent.cli.doctor.prefect_server import check_prefect
    from incumbent.cli.doctor.project import check_project

    groups: dict[str, Group] = {"machine": lambda: machine.check_machine(project)}
    searchers = None
    if params is not None:
        searchers = params.search.workers
        groups |= {
            "device and cache": lambda: machine.check_for_project(project, params),
            "project": lambda: check_project(project),
            "storage": lambda: data.check_storage(project, params),
            "search.storage": lambda: studies.check_studies(params),
        }
    elif is_workspace(project):
        searchers = workspace.searchers(project)
        groups |= {
            "storage": lambda: workspace.check_storage(project),
            "projects": lambda: workspace.check_projects(project),
        }
    groups["Prefect"] = lambda: check_prefect(project, searchers)
    return groups


def _document(project: Path, findings: list[Finding]) -> dict[str, Any]:
    states = [finding.state for finding in findings]
    counts = {state: states.count(state) for state in ("ok", "warning", "failed")}
    return {"project": str(project), **counts, "checks": [asdict(finding) for finding in findings]}


def _text(document: dict[str, Any]) -> str:
    rows = [[check["state"], check["check"], check["says"]] for check in document["checks"]]
    summary = f"ok: {document['ok']}, warnings: {document['warning']}, failed: {document['failed']}"
    return "\n".join([table(rows[0], rows[1:]), summary])
