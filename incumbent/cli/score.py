"""Batch predictions from a file to a file."""

import os
import uuid
from pathlib import Path
from typing import Any

from incumbent.cli.models import registry_of, version_named
from incumbent.params import load_params
from incumbent.rows import read_partition
from incumbent.storage.model_cache import load_model


def predict_file(project: Path, source: Path, target: Path, version: str | None) -> dict[str, Any]:
    """Score IN by a verified version and write OUT, whole or not at all.

    Raises BadData when IN can't be read or lacks a column of the model, NotFound for no such version.
    """
    params, registry = load_params(project), registry_of(project)
    frame = read_partition(source)
    name = version_named(registry, version or "champion")
    model = load_model(project, registry, name)
    known = [column for column in params.dataset.key if column in frame]
    scored = frame[known].assign(score=model.predict(frame), version=name)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        scored.to_parquet(part, index=False)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return {"version": name, "rows": len(scored), "out": str(target)}
