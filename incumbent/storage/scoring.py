"""Batch predictions from a file to a file, logged so that late labels can tell how good they were."""

import os
import uuid
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.clean import Touched
from incumbent.errors import NotFound
from incumbent.feedback import to_log
from incumbent.model import Model
from incumbent.params import load_params
from incumbent.rows import read_partition
from incumbent.storage.feedback import open_feedback
from incumbent.storage.model_cache import load_champion, load_model
from incumbent.storage.registry import open_registry


def predict_file(project: Path, source: Path, target: Path, version: str | None = None) -> dict[str, Any]:
    """Score a Parquet file by a verified version, by default the champion; write it whole or not at all.

    The predictions are logged first, where the rows have the key; "logged" is the log's address, or None.
    Raises BadData when the file can't be read or lacks a column of the model, NotFound for no such version.
    """
    params = load_params(project)
    frame = read_partition(source)
    model = _model(project, version)
    touched = Touched()
    scored = model.score(frame, touched)
    key = params.dataset.key
    logged = None
    if key and set(key) <= set(frame.columns):
        logged = open_feedback(params).keep_predictions(model.version, to_log(scored, frame, params))
    known = frame[[column for column in key if column in frame]].reset_index(drop=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        pd.concat([known, scored], axis=1).assign(version=model.version).to_parquet(part, index=False)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return {
        "version": model.version,
        "rows": len(scored),
        "cleaned": dict(touched),
        "out": str(target),
        "logged": logged,
    }


def _model(project: Path, version: str | None) -> Model:
    registry = open_registry(load_params(project), project)
    if version is not None:
        return load_model(project, registry, version)
    model = load_champion(project, registry)
    if model is None:
        raise NotFound(f"model '{registry.model}' has no champion yet; train one with 'incumbent retrain'")
    return model
