"""incumbent models mirror: the trackers' registries show ours."""

import os
from pathlib import Path
from typing import Any

from incumbent.cli.options import Json, Project, enter, say, show
from incumbent.errors import BadInput
from incumbent.params import load_params
from incumbent.storage.registry.registry import Registry, open_registry


def mirror(project: Project = Path(), as_json: Json = False) -> None:
    """Make MLflow's model registry show this one: versions, tags, and the aliases champion and challenger.

    Also tells MLflow of the runs that wait in .incumbent/outbox/. This registry stays
    the truth: nothing in it changes.
    """
    from incumbent.storage.registry.identity import require_own_model
    from incumbent.tracking.deliver import outbox_of
    from incumbent.tracking.loadable import make_loadable
    from incumbent.tracking.send import sinks_of
    from incumbent.tracking.sinks import open_sink
    from incumbent.tracking.state import whole_state

    project = enter(project)
    params = load_params(project)
    require_own_model(params, project)
    if "mlflow" not in sinks_of(params):
        raise BadInput(
            "no tracker with a model registry is chosen: set MLFLOW_TRACKING_URI, and if params.yaml has "
            "tracking.sinks, name mlflow in it"
        )
    sink, registry = open_sink("mlflow", project, os.environ), open_registry(params, project)
    for problem in outbox_of(project, "mlflow").deliver(sink):
        say(problem)
    state = whole_state(registry)
    for each in state.versions:
        make_loadable(registry, each.version)
    document = {"model": state.model, "versions": len(state.versions), "changes": sink.mirror(state)}
    show(document, as_json, _text)


def send_champion(project: Path, registry: Registry) -> None:
    """Tell the trackers who is champion now; what fails is only said."""
    from incumbent.tracking.send import send_champion

    for problem in send_champion(project.resolve(), load_params(project), registry):
        say(problem)


def _text(document: dict[str, Any]) -> str:
    whole = f"MLflow shows all {document['versions']} versions of '{document['model']}' as they are here"
    return "\n".join([*(f"mended: {each}" for each in document["changes"]), whole])
