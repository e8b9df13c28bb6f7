"""Bring a model here that MLflow's registry has: LightGBM's text file, and nothing that can run code."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from incumbent.errors import BadData, BadInput, NotFound
from incumbent.tracking.mlflow_api import MLflowApi
from incumbent.tracking.sink import Refused

ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[\w-]+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class Downloaded:
    """The model's file here, and which version of which model it is in MLflow."""

    file: Path
    name: str
    version: str


def download(api: MLflowApi, address: str, folder: Path) -> Downloaded:
    """Download the model at "models:/NAME@ALIAS" or "models:/NAME/VERSION".

    Raises BadInput for another address, NotFound for no such model, BadData for one that is not in LightGBM's
    text format, Undelivered when the server does not answer.
    """
    match = ADDRESS.fullmatch(address)
    if match is None:
        raise BadInput(f"{address!r} names no model: give models:/NAME@ALIAS or models:/NAME/VERSION")
    name, version = match["name"], match["version"]
    try:
        if version is None:
            answer = api.get("registered-models/alias", name=name, alias=match["alias"])
            version = str(answer["model_version"]["version"])
        source = api.get("model-versions/get-download-uri", name=name, version=version)["artifact_uri"]
        data = _data(_fetch(api, source, "MLmodel"), address)
        body = _fetch(api, source, data)
    except Refused as error:  # of an alias that is not there, MLflow says that the request is wrong
        raise NotFound(f"no model at {address}: {error}") from error
    file = folder / "model.txt"
    file.write_bytes(body)
    return Downloaded(file, name, version)


def _data(mlmodel: bytes, address: str) -> str:
    """The name of LightGBM's file. Raises BadData."""
    try:
        flavors = YAML(typ="safe", pure=True).load(mlmodel.decode())["flavors"]
    except (YAMLError, ValueError, LookupError, TypeError) as error:
        raise BadData(f"the file MLmodel of {address} can't be read: {error}") from error
    if "lightgbm" not in flavors:
        raise BadData(f"{address} is no LightGBM model; MLflow has it as {', '.join(sorted(flavors))}")
    kind, name = flavors["lightgbm"].get("model_class"), str(flavors["lightgbm"].get("data"))
    if kind != "lightgbm.basic.Booster":
        raise BadData(
            f"{address} is a {kind}, kept in a form that can run code when it is opened; log its booster "
            "instead: mlflow.lightgbm.log_model(model.booster_, …)"
        )
    return name


def _fetch(api: MLflowApi, source: str, name: str) -> bytes:
    place = urlsplit(source)
    if place.scheme == "mlflow-artifacts":
        return api.download(quote(f"{place.path.strip('/')}/{name}"))
    if place.scheme == "s3":
        from incumbent.storage.s3.address import open_store

        return open_store(source).get(name).body
    raise BadInput(f"the model's files are at {source}; they can be brought from MLflow's server or from S3")
