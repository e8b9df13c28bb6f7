"""incumbent models approve and refuse: a person's word on the challenger that waits."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, show
from incumbent.errors import BadInput
from incumbent.storage.registry.approval_request import ApprovalRequest
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.storage.registry.verdicts import requests

if TYPE_CHECKING:
    from tasks.approval import Word

Waiting = Annotated[str, typer.Argument(help="The version that waits, such as v17.")]
Why = Annotated[str, typer.Option("--reason", help="Why; the registry keeps it, with who said it.")]


def approve(version: Waiting, reason: Why, project: Project = Path(), as_json: Json = False) -> None:
    """Make the challenger that waits for approval the champion; the log keeps who approved it and why.

    After another change of champion, and after a newer challenger, it can't be approved any more.
    """
    show(answer(project, version, "approve", reason), as_json, _text)


def refuse(version: Waiting, reason: Why, project: Project = Path(), as_json: Json = False) -> None:
    """Refuse the challenger that waits for approval; the champion stays, and the registry keeps why."""
    show(answer(project, version, "refuse", reason), as_json, _text)


def answer(project: Path, version: str, decision: "Word", reason: str) -> dict[str, Any]:
    """Run the flow `approve` here as this user; returns what --json prints."""
    if not reason.strip():
        raise BadInput(f"--reason is empty; say why you {decision} {version}, the registry keeps it")
    project = enter(project)  # before Prefect is imported, which reads the environment once
    from flows.approve import approve as flow
    from incumbent.cli.prefect_runs import in_this_process
    from incumbent.cli.registry import require_registry
    from incumbent.storage.s3.documents import who

    require_registry(project)
    done = in_this_process(flow, project=project, version=version, decision=decision, reason=reason, by=who())
    return dict(done)


def _text(document: dict[str, Any]) -> str:
    decision, champion = document["decision"], document["champion"] or "none"
    if decision["kind"] == "promote":
        return f"champion is {champion}, approved by {decision['by']}"
    return f"{document['challenger']} is refused by {decision['by']}; champion is {champion}"


def states(registry: Registry) -> dict[str, dict[str, Any]]:
    """Version -> what became of its approval, of every refused version and of the newest that waited.

    state: pending, approved, refused or expired; then by whom, when and why.
    """
    champion, known = registry.champion(), requests(registry)
    return {version: _state(request, champion) for version, request in known.items()}


def _state(request: ApprovalRequest, champion: Champion | None = None) -> dict[str, Any]:
    if request.answer is None:
        asked, why = {"by": request.by, "at": request.at}, request.expired(champion)
        if why:
            return {"state": "expired", **asked, "reason": why}
        return {"state": "pending", **asked, "reason": "; ".join(request.reasons)}
    said = asdict(request.answer)
    return {"state": said.pop("kind"), **said}


def as_history(refusal: ApprovalRequest) -> dict[str, Any]:
    """A refusal among the entries of the log, which changed no champion."""
    entry = {"seq": None, "op": "refuse", "version": refusal.version, "replaced": None}
    about = _state(refusal)
    return {**entry, "run_seq": refusal.run_seq, **{name: about[name] for name in ("at", "by", "reason")}}


def how_to_answer(version: str) -> str:
    """For the terminal: a version waits, and what to type."""
    from incumbent.evaluation.approval import commands

    approve_it, refuse_it = commands(version, "")
    return f"{version} waits for approval: `{approve_it}` or `{refuse_it}`"
