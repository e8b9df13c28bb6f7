"""The file `MLmodel` beside a version's own: with it MLflow loads our bytes, without a pickle."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from incumbent.features.schema import Schema
from incumbent.models.calibration import Output

FILE = "MLmodel"


def mlmodel(manifest: Mapping[str, Any]) -> bytes:
    """JSON, which is YAML. Flavors: python_function, which takes raw rows and gives what `incumbent score`
    gives, and onnx where the version has an ONNX model. The same manifest gives the same bytes."""
    flavors: dict[str, Any] = {
        "python_function": {
            "loader_module": "incumbent.tracking.pyfunc",
            "python_version": manifest.get("environment", {}).get("python", "3"),
            "env": {},
        }
    }
    if "model.onnx" in manifest["files"]:
        flavors["onnx"] = {"data": "model.onnx", "providers": ["CPUExecutionProvider"]}
    document = {
        "flavors": flavors,
        "model_uuid": hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32],
        "utc_time_created": manifest["created"],
        "signature": signature(manifest["schema"]),
        "metadata": {"incumbent.version": manifest["version"], "incumbent.model": manifest["model"]},
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def signature(document: Mapping[str, Any]) -> dict[str, str]:
    """MLflow's signature by a manifest's `schema`: raw columns in, those of Model.score out.

    The types of inputs are open: as "double", MLflow would refuse whole numbers, and as "string" pandas'
    categories. The model checks them itself.
    """
    schema, output = Schema.from_json(dict(document)), Output.of_schema(dict(document))
    inputs = [{"type": "any", "name": name, "required": True} for name in schema.inputs]
    return {
        "inputs": json.dumps(inputs, ensure_ascii=False),
        "outputs": json.dumps(list(_scores(schema, output))),
    }


def columns_of(schema: Schema) -> dict[str, str]:
    """The columns that a model needs, with MLflow's types; what features are derived from may be anything."""
    kinds = {each.name: "string" if each.is_category else "double" for each in schema.features}
    own = set(schema.own)
    return {name: kinds[name] if name in own else "any" for name in schema.inputs}


def _scores(schema: Schema, output: Output) -> Iterator[dict[str, Any]]:
    if schema.task == "multiclass":
        for name in schema.classes:
            yield {"type": "double", "name": f"score_{name}", "required": True}
        yield {"type": "string", "name": "predicted", "required": True}
        return
    yield {"type": "double", "name": "score", "required": True}
    if output.threshold is not None:
        yield {"type": "boolean", "name": "predicted", "required": True}
