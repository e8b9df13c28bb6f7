"""How MLflow opens a version: `mlflow.pyfunc` calls `_load_pyfunc` of the module that MLmodel names."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.errors import Tampered
from incumbent.models.model import Model, open_model
from incumbent.storage.registry.model_versions import MANIFEST, is_there


@dataclass(frozen=True)
class Scorer:
    """A version as MLflow calls it."""

    model: Model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Raw rows in, the scores of `incumbent score` out."""
        return self.model.score(model_input)


def _load_pyfunc(path: str) -> Scorer:
    """Open the version in a folder that MLflow downloaded. Raises Tampered for other bytes."""
    folder = Path(path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, listed in manifest["files"].items():
        if not is_there(folder / name, listed):
            raise Tampered(
                f"{folder / name} is missing, or not what was published as '{manifest['version']}'"
            )
    return Scorer(open_model(folder, manifest))
