"""incumbent models adopt: a champion that was trained elsewhere."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.mirror import send_champion
from incumbent.cli.options import Json, Project, enter, show
from incumbent.errors import BadInput
from incumbent.params import load_params
from incumbent.storage.registry.registry import open_registry

if TYPE_CHECKING:
    from incumbent.challenger import Challenger
    from incumbent.params import Params
    from incumbent.tracking.mlflow_download import Downloaded

Address = Annotated[
    str, typer.Argument(metavar="MODEL", help="models:/NAME@ALIAS or models:/NAME/VERSION, in MLflow.")
]


def adopt(address: Address, project: Project = Path(), as_json: Json = False) -> None:
    """Make a LightGBM model of MLflow's registry the champion: the incumbent that challengers have to beat.

    MLFLOW_TRACKING_URI names the server. The model counts as trained on the data that the project has now, so
    rows that come later judge it.
    """
    show(adopted(enter(project), address), as_json, describe)


def adopted(project: Path, address: str) -> dict[str, Any]:
    """Take the model over; returns what --json prints. Raises BadInput where there is a champion."""
    from incumbent.storage.dataset.versions import fetch, resolve
    from incumbent.storage.registry.identity import register_project
    from incumbent.tracking.mlflow_api import open_api
    from incumbent.tracking.mlflow_download import download

    params = load_params(project)
    registry = open_registry(params, project)
    register_project(params, project)
    if champion := registry.champion():
        raise BadInput(
            f"model '{registry.model}' has a champion, '{champion.version}'; a model is taken over only "
            "where there is none"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = download(open_api(os.environ), address, folder)
        data = resolve(project)
        from incumbent.challenger.foreign import adopt as make

        made = make(model.file, fetch(project, data, list(data.digests)), params, folder)
        version = f"v{registry.start_run({'adopted': address})}"
        files = {file: folder / file for file in made.files}
        registry.publish(version, files, _manifest(project, params, made, model, address))
    entry = registry.force(version, f"taken over from MLflow: {address}, version {model.version} there")
    send_champion(project, registry)
    return {"champion": entry.version, "from": address, "version": model.version, "rounds": made.rounds}


def _manifest(
    project: Path, params: "Params", made: "Challenger", model: "Downloaded", address: str
) -> dict[str, Any]:
    """As of a version that a run made, with what is known of this one."""
    from incumbent.models.environment import describe_environment
    from incumbent.storage.dataset.versions import code_revision, resolve
    from incumbent.storage.s3.documents import now

    return {
        "model": params.dataset.name,
        "learner": params.learner.name,
        "created": now(),
        "kind": made.kind,
        "parent": None,
        "updates": 0,
        "data": resolve(project).to_json(),
        "window": None,
        "schema": made.lineage.document,
        "params": params.model_dump(mode="json"),
        "options": made.options,
        "rounds": made.rounds,
        "drift": None,
        "drift_since_full": 0.0,
        "search": None,
        "seed": params.seed,
        "prior": list(made.prior),
        "training_rows": made.rows,
        "rows_known": made.rows,
        "metrics": {"metric": params.promotion.metric, "cv": None, "holdout": None},
        "cleaned": made.cleaned,
        "device": made.device.to_json(),
        "engine": made.engine.to_json(),
        "onnx": made.onnx.to_json(),
        "adopted": {"from": address, "version": model.version},
        "code": code_revision(project),
        "environment": describe_environment(),
    }


def describe(document: dict[str, Any]) -> str:
    return f"champion is {document['champion']}, taken over from {document['from']}"
