"""incumbent status: services, addresses, and who is in office."""

from pathlib import Path
from typing import Any

from incumbent.errors import IncumbentError
from incumbent.local import stack
from incumbent.params import load_params


def overview(project: Path) -> dict[str, Any]:
    """Never fails on a service that is down: that is what the user asks about."""
    from incumbent.cli.models import registry_of

    params = load_params(project)
    document = {**stack.status(project), "registry": params.registry.address, "model": params.dataset.name}
    try:
        champion = registry_of(project).champion()
    except IncumbentError as error:
        return {**document, "champion": None, "problem": str(error)}
    return {**document, "champion": champion.version if champion else None}


def describe(document: dict[str, Any]) -> str:
    lines = []
    for name, service in document["services"].items():
        state = "running" if service["running"] else "stopped"
        if service["running"] and not service["healthy"]:
            state = "not healthy"
        lines.append(f"{name:<12}{state}" + (f" (pid {service['pid']})" if service["running"] else ""))
    lines += [f"{name:<12}{address}" for name, address in document["addresses"].items()]
    lines.append(f"{'registry':<12}{document['registry']}/{document['model']}")
    lines.append(f"{'champion':<12}{document['champion'] or 'none'}")
    return "\n".join([*lines, document["problem"]] if "problem" in document else lines)
