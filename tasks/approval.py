"""A person's word on a challenger that waits: ask for it in the UI, carry it out, announce it."""

import json
import shlex
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from incumbent.evaluation.approval import commands
from incumbent.local.workspace import place_of
from incumbent.params import load_params
from incumbent.storage.registry.identity import require_own_model
from incumbent.storage.registry.registry import open_registry
from incumbent.tables.partitions import DataVersion
from incumbent.tracking.send import send_champion
from tasks.events import emit
from tasks.flow_run import name_flow_run
from tasks.runs import Run
from tasks.step import enter, retried

DEPLOYMENT = "approve/approve"

Word = Literal["approve", "refuse"]


def how_to_answer(run: Run, version: str) -> str:
    """For a challenger that waits: the form in the UI, and the commands, in markdown."""
    approve, refuse = commands(version, f" --project {shlex.quote(str(run.project))}")
    form = _form(run.project, version)
    in_the_ui = f"with [the form]({form}) of the deployment `{DEPLOYMENT}`, or " if form else ""
    return (
        f"**{version} waits for a person.** Answer {in_the_ui}in a terminal:\n\n"
        f"```\n{approve}\n{refuse}\n```\n\n"
        "The question expires when the champion changes or a newer challenger comes."
    )


def _form(project: Path, version: str) -> str | None:
    """The address of the form with project and version filled in; None where the flow is not deployed."""
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            return None
    page = url_for("deployment", obj_id=deployment.id)
    filled = json.dumps({"project": place_of(project), "version": version})
    # The UI decodes the value once more than a server would.
    return page and f"{page}/run?parameters={quote(quote(filled))}"


@retried
def answer(project: Path, version: str, decision: Word, reason: str, by: str) -> dict[str, Any]:
    """Make the waiting version champion, or refuse it; the registry keeps who and why.

    Safe to repeat: the first answer counts. Raises what Approvals.approve and refuse raise.
    """
    enter(project)
    project = project.resolve()
    params = load_params(project)
    require_own_model(params, project)
    registry = open_registry(params, project)
    name_flow_run(f"{decision} {version}", [f"model:{registry.model}"])
    if decision == "approve":
        champion = registry.approvals.approve(version, reason, by)
        said = {"kind": "promote", "reasons": [champion.reason], "by": champion.by}
    else:
        refusal = registry.approvals.refuse(version, reason, by).to_json()["answer"]
        said = {"kind": "refuse", "reasons": [refusal["reason"]], "by": refusal["by"]}
    for problem in send_champion(project, params, registry):
        get_run_logger().warning("%s", problem)
    current, manifest = registry.champion(), registry.manifest(version)
    return {
        "run": manifest["run_seq"],
        "data": DataVersion.from_json(manifest["data"]).short,
        "challenger": version,
        "decision": said,
        "champion": current.version if current else None,
    }


@retried
def announce(project: Path, answered: dict[str, Any]) -> None:
    """Log it, show it in the UI, and emit the event of the decision, once for each run's challenger."""
    params = load_params(project.resolve())
    name, decision = params.dataset.name, answered["decision"]
    approved = decision["kind"] == "promote"
    title = f"{answered['challenger']} was {'approved' if approved else 'refused'} by {decision['by']}"
    [reason] = decision["reasons"]
    get_run_logger().info("%s: %s", title, reason)
    create_markdown_artifact(
        key="decision",
        description="Who let a challenger become champion or refused it, and why",
        markdown=f"# {title}\n\n{reason}\n\nChampion: {answered['champion'] or 'none'}",
    )
    about = {name: value for name, value in answered.items() if name != "decision"}
    emit(
        project,
        "model.promoted" if approved else "model.refused",
        f"incumbent.model.{name}",
        name,
        once=f"run {answered['run']} of {params.registry.address}",
        payload={**about, **decision},
    )
