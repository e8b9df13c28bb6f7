"""incumbent status: services, addresses, the current champion, and what waits for a person."""

from pathlib import Path
from typing import Any

from incumbent.cli.approve import how_to_answer
from incumbent.cli.options import command, enter, pairs
from incumbent.cli.ui import ui_command
from incumbent.cli.workspace import require_no_folder_of_projects
from incumbent.errors import IncumbentError
from incumbent.local import stack
from incumbent.local.names import explained, others_named
from incumbent.local.workspace import root_of
from incumbent.params import load_params

SHOWN = 3  # partitions on probation


def overview(project: Path) -> dict[str, Any]:
    """Never fails on a service that is down: that is what the user asks about.

    Raises BadInput where the folder is no project.
    """
    require_no_folder_of_projects(project)
    project = enter(project)
    params = load_params(project)
    about = {"project": str(project), "registry": params.registry.address, "model": params.dataset.name}
    root = root_of(project)
    member = {"workspace": str(root)} if root != project else {}
    if others := others_named(project, params.dataset.name):
        member["name_shared"] = explained(params.dataset.name, [project, *others])
    return {**stack.status(project), **about, **member, **_models(project), **_probations(project)}


def _models(project: Path) -> dict[str, Any]:
    """The champion and the version that waits for a person; `problem`: why they are not known."""
    from incumbent.cli.registry import registry_of

    try:
        registry = registry_of(project)
        champion, request = registry.champion(), registry.approvals.waiting()
    except IncumbentError as error:
        return {"champion": None, "pending": None, "problem": str(error)}
    known = {"champion": champion.version, "provisional": champion.provisional} if champion else {}
    return {"champion": None, **known, "pending": request.version if request else None}


def _probations(project: Path) -> dict[str, Any]:
    """The partitions on probation; `unreadable`: why they are not known."""
    from incumbent.gate.probation import held
    from incumbent.storage.dataset.probation import record_at
    from incumbent.storage.dataset.versions import resolve_or_empty

    try:
        record = record_at(project)
        return {"on_probation": list(held(record, resolve_or_empty(project).digests)) if record else []}
    except IncumbentError as error:
        return {"unreadable": str(error)}


def services(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """The services and addresses of a stack, as names and values."""
    folder = document.get("workspace") or document["project"]
    lines: list[tuple[str, Any]] = [(name, _state(service)) for name, service in document["services"].items()]
    known = {name: address for name, address in document["addresses"].items() if address}
    if any(service["running"] for service in document["services"].values()):
        login = f" (login: {ui_command(folder)})"
        pages = {"ui", "studies", "prometheus", "metrics"}
        lines += [(name, f"{known[name]}{login if name in pages else ''}") for name in known]
    else:
        lines += [(name, f"{address} after {command('up', folder)}") for name, address in known.items()]
    if not known:
        lines.append(("addresses", f"none before {command('up', folder)}"))
    return lines


def describe(document: dict[str, Any]) -> str:
    lines = services(document)
    if document.get("workspace"):
        lines.append(("workspace", document["workspace"]))
    lines.append(("registry", f"{document['registry']}/{document['model']}"))
    unknown = "not known" if "problem" in document else "none"
    provisional = " (provisional)" if document.get("provisional") else ""
    lines.append(("champion", f"{document['champion'] or unknown}{provisional}"))
    if document["pending"]:
        lines.append(("pending", how_to_answer(document["pending"])))
    on_probation = document.get("on_probation", ())
    for name in on_probation[:SHOWN]:
        lines.append(("probation", f"{name}; why: incumbent quarantine show {name}"))
    if len(on_probation) > SHOWN:
        lines.append(("probation", f"and {len(on_probation) - SHOWN:,} more: incumbent quarantine list"))
    if "unreadable" in document:
        lines.append(("probation", "not known"))
    problems = (document[name] for name in ("name_shared", "problem", "unreadable") if name in document)
    return "\n".join([pairs(lines), *problems])


def _state(service: dict[str, Any]) -> str:
    if not service["running"]:
        return "stopped"
    return f"{'running' if service['healthy'] else 'not healthy'} (pid {service['pid']})"
