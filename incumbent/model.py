"""A version from the registry, ready to predict: its frozen schema and its learner's model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.learners import Learner, Trained, open_learner
from incumbent.params import Params
from incumbent.schema import Schema


@dataclass(frozen=True)
class Model:
    version: str
    schema: Schema
    learner: Learner
    trained: Trained

    def predict(self, frame: pd.DataFrame, *, absent_as_missing: bool = False) -> np.ndarray:
        """Probability of the positive class; (n,) float64. Raises BadData when a column does not fit."""
        return self.trained.predict(self.schema.encode(frame, absent_as_missing=absent_as_missing))


def open_model(folder: Path, manifest: dict[str, Any]) -> Model:
    """The model of a pulled (and so verified) version, with the parameters that made it."""
    schema = Schema.from_json(manifest["schema"])
    learner = open_learner(Params.model_validate(manifest["params"]), schema)
    return Model(manifest["version"], schema, learner, learner.load(folder / learner.file))
