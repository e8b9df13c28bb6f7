"""Batch predictions from a file to a file."""

import os
import uuid
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.clean import Touched
from incumbent.cli.models import CHAMPION, no_champion, registry_of
from incumbent.model import Model
from incumbent.params import load_params
from incumbent.rows import read_partition
from incumbent.storage.model_cache import load_champion, load_model
from incumbent.storage.registry import Registry


def predict_file(project: Path, source: Path, target: Path, version: str | None) -> dict[str, Any]:
    """Score IN by a verified version and write OUT, whole or not at all.

    Raises BadData when IN can't be read or lacks a column of the model, NotFound for no such version.
    """
    params, registry = load_params(project), registry_of(project)
    frame = read_partition(source)
    model = _model(project, registry, version or CHAMPION)
    known = [column for column in params.dataset.key if column in frame]
    keys = frame[known].reset_index(drop=True)
    touched = Touched()
    scored = pd.concat([keys, model.score(frame, touched)], axis=1).assign(version=model.version)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        scored.to_parquet(part, index=False)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return {"version": model.version, "rows": len(scored), "cleaned": dict(touched), "out": str(target)}


def _model(project: Path, registry: Registry, version: str) -> Model:
    if version != CHAMPION:
        return load_model(project, registry, version)
    model = load_champion(project, registry)
    if model is None:
        raise no_champion(registry)
    return model
