"""incumbent status: services, addresses, and the current champion."""

from pathlib import Path
from typing import Any

from incumbent.cli.options import pairs
from incumbent.cli.ui import ui_command
from incumbent.errors import IncumbentError
from incumbent.local import stack
from incumbent.params import load_params


def overview(project: Path) -> dict[str, Any]:
    """Never fails on a service that is down: that is what the user asks about."""
    from incumbent.cli.models import registry_of

    params = load_params(project)
    about = {"project": str(project), "registry": params.registry.address, "model": params.dataset.name}
    document = {**stack.status(project), **about}
    try:
        champion = registry_of(project).champion()
    except IncumbentError as error:
        return {**document, "champion": None, "problem": str(error)}
    return {**document, "champion": champion.version if champion else None}


def describe(document: dict[str, Any]) -> str:
    lines: list[tuple[str, Any]] = [(name, _state(service)) for name, service in document["services"].items()]
    login = f" (login: {ui_command(document['project'])})"
    for name, address in document["addresses"].items():
        lines.append((name, f"{address}{login}" if address and name in {"ui", "studies"} else address))
    lines.append(("registry", f"{document['registry']}/{document['model']}"))
    unknown = "not known" if "problem" in document else "none"
    lines.append(("champion", document["champion"] or unknown))
    return "\n".join([pairs(lines), *([document["problem"]] if "problem" in document else [])])


def _state(service: dict[str, Any]) -> str:
    if not service["running"]:
        return "stopped"
    return f"{'running' if service['healthy'] else 'not healthy'} (pid {service['pid']})"
