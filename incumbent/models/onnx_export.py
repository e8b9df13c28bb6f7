"""A version's model as ONNX, for serving systems that know neither incumbent nor the learner's library."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incumbent.errors import Unfaithful
from incumbent.features.schema import Schema
from incumbent.learners import NotPortable, Trained
from incumbent.models.calibration import Output
from incumbent.models.model import Model

TOLERANCE = 1e-5
"""ONNX sums leaves in float32: errors of 1e-6 in a probability are usual; a wrong branch exceeds 1e-5."""

CHECKED_ROWS = 1000
SCHEMA = "schema"


@dataclass(frozen=True)
class Export:
    """Result of an export: the largest difference in the check, or the reason why there is no file."""

    difference: float | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def to_onnx(trained: Trained, output: Output, document: Mapping[str, Any]) -> bytes | NotPortable:
    """The model in ONNX. `document`, the manifest's `schema`, becomes the metadata `schema` as JSON: all that
    a caller needs to encode the input.

    The output is the version's: calibrated, with `label` by the version's threshold. The input `features` is
    float32 (n, features), as Schema.encode makes it: columns in the schema's order, categories as their
    position in the vocabulary, missing and unseen as NaN. The same model gives the same bytes.
    """
    model = trained.to_onnx()
    if isinstance(model, NotPortable):
        return model
    from incumbent.models.onnx_tail import append_output

    model = append_output(model, output)
    if isinstance(model, NotPortable):
        return model
    model.metadata_props.add().key = SCHEMA
    return _with_schema(model, document)


def rewrite_schema(path: Path, document: Mapping[str, Any]) -> None:
    """Put this document in the place of the `schema` in a file that to_onnx made; the model stays."""
    import onnx

    path.write_bytes(_with_schema(onnx.load(path), document))


def _with_schema(model: Any, document: Mapping[str, Any]) -> bytes:
    [entry] = [each for each in model.metadata_props if each.key == SCHEMA]
    entry.value = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return bytes(model.SerializeToString(deterministic=True))


def check_onnx(model: bytes, X: np.ndarray, native: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """Run it in onnxruntime on X, float32 (n, features); return the largest absolute difference to `native`.

    native: the version's predictions for the same rows, as Model.predict. For a regression, which has no
    scale of its own, the difference is divided by the range of the predictions. Raises Unfaithful beyond the
    tolerance.
    """
    session = _session(model)
    *labels, predicted = session.run(None, {session.get_inputs()[0].name: X})
    is_regression = not labels
    difference = np.abs((predicted[:, -1] if native.ndim == 1 else predicted) - native)
    if is_regression:
        difference /= _scale(native)
    largest = float(difference.max(initial=0.0))
    if not largest <= tolerance:  # written so that NaN fails too
        rows = int((~(difference <= tolerance)).reshape(len(X), -1).any(axis=1).sum())
        unit = " of the predictions' range" if is_regression else ""
        raise Unfaithful(
            f"the ONNX model differs from the model by up to {largest:.3g}{unit} in {rows} of {len(X)} rows; "
            f"{tolerance:g} is allowed"
        )
    return largest


def export_onnx(model: Model, document: Mapping[str, Any], X: np.ndarray, path: Path) -> Export:
    """Write the model as ONNX if that is possible and if it predicts the same on `odd_rows` of X.

    document: as in to_onnx; X: float32 (n, features), encoded rows.
    """
    if model.segments is not None and model.segments.corrections:
        return Export(None, f"ONNX would hold the model without its corrections by '{model.segments.by}'")
    exported = to_onnx(model.trained, model.output, document)
    if isinstance(exported, NotPortable):
        return Export(None, exported.reason)
    rows = odd_rows(X, model.schema)
    try:
        difference = check_onnx(exported, rows, model.output.apply(model.trained.predict(rows)))
    except Unfaithful as error:
        return Export(None, str(error))
    path.write_bytes(exported)
    return Export(difference)


def odd_rows(X: np.ndarray, schema: Schema) -> np.ndarray:
    """Some rows of X; the same with a third of the cells missing; and with codes outside the vocabulary."""
    rng = np.random.default_rng(0)
    rows = X[np.linspace(0, len(X) - 1, min(len(X), CHECKED_ROWS), dtype=np.int64)]
    missing = np.where(rng.random(rows.shape) < 1 / 3, np.float32(np.nan), rows)
    beyond = rows.copy()
    for column in schema.categorical:
        size = len(schema.features[column].categories or ())
        beyond[:, column] = rng.choice(np.array([-1, size, size + 1000], np.float32), len(rows))
    return np.concatenate([rows, missing, beyond])


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _scale(predictions: np.ndarray) -> float:
    return float(np.ptp(predictions)) or float(np.abs(predictions).max()) or 1.0
