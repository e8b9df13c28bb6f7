"""incumbent doctor: is everything there that a project needs, and if not, what to do?"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from incumbent.cli.doctor.finding import Finding, Group, failed, side_by_side
from incumbent.cli.options import Json, Project, enter, show, table, use_stack
from incumbent.errors import BadInput
from incumbent.params import Params, load_params

FAILED = 1


def doctor(project: Project = Path(), as_json: Json = False) -> None:
    """Check the machine, S3, DVC, git and Prefect, and say for each fault what to do. Changes nothing.

    Outside of a project it checks the machine and the Prefect server. Exit code 1 if a check failed.
    """
    from incumbent.cli.doctor import machine

    project = project.resolve()
    findings = machine.variables(project)
    params = None
    if (project / "params.yaml").exists():
        try:
            params = load_params(enter(project))
        except BadInput as error:
            findings.append(failed("params.yaml", str(error)))
    if params is None:
        use_stack(project)
    # Prefect reads its settings when it is imported. And before the checks: imports are not to be timed.
    from incumbent.cli.doctor import data, studies
    from incumbent.cli.doctor.prefect_server import check_prefect

    groups: dict[str, Group] = {"machine": lambda: machine.check_machine(project)}
    if params is not None:
        known: Params = params
        groups |= {
            "project": lambda: machine.check_for_project(project, known),
            "git": lambda: data.check_git(project),
            "storage": lambda: data.check_storage(project, known),
            "search.storage": lambda: studies.check_studies(known),
        }
    groups["Prefect"] = lambda: check_prefect(project, params)
    findings += side_by_side(groups)
    show(_document(project, findings), as_json, _text)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(FAILED)


def _document(project: Path, findings: list[Finding]) -> dict[str, Any]:
    states = [finding.state for finding in findings]
    counts = {state: states.count(state) for state in ("ok", "warning", "failed")}
    return {"project": str(project), **counts, "checks": [asdict(finding) for finding in findings]}


def _text(document: dict[str, Any]) -> str:
    rows = [[check["state"], check["check"], check["says"]] for check in document["checks"]]
    summary = f"ok: {document['ok']}, warnings: {document['warning']}, failed: {document['failed']}"
    return "\n".join([table(rows[0], rows[1:]), summary])
