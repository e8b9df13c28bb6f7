"""A version from the registry, ready to predict: its frozen schema, its learner's model, its calibration."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import Tampered
from incumbent.features.clean import CleaningCounts
from incumbent.features.schema import Schema
from incumbent.learners import Trained, learner_type
from incumbent.models.calibration import Output


@dataclass(frozen=True)
class Model:
    """`output` is what follows the learner's scores."""

    version: str
    schema: Schema
    trained: Trained
    output: Output = field(default_factory=Output)

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        absent_as_missing: bool = False,
        complete: bool = False,
        touched: CleaningCounts | None = None,
    ) -> np.ndarray:
        """As Trained.predict, calibrated, for raw rows; arguments and errors are those of Schema.encode."""
        X = self.schema.encode(frame, absent_as_missing=absent_as_missing, complete=complete, touched=touched)
        return self.output.apply(self.trained.predict(X))

    def score(self, frame: pd.DataFrame, touched: CleaningCounts | None = None) -> pd.DataFrame:
        """Predictions as a table: `score`, or `score_<class>` for each class and the likeliest, `predicted`.

        A model of two classes with a threshold also has `predicted`: true from the threshold on. Raises
        BadData when a column does not fit.
        """
        predicted = self.predict(frame, touched=touched)
        if predicted.ndim == 1:
            threshold = self.output.threshold
            decided = {} if threshold is None else {"predicted": predicted >= threshold}
            return pd.DataFrame({"score": predicted, **decided})
        names = self.schema.classes
        by_class = {f"score_{name}": predicted[:, place] for place, name in enumerate(names)}
        return pd.DataFrame({**by_class, "predicted": np.array(names)[predicted.argmax(axis=1)]})


def open_model(folder: Path, manifest: dict[str, Any]) -> Model:
    """The model of a pulled (and so verified) version.

    Of the parameters that made it only the number of threads counts: a params.yaml of another incumbent,
    with other keys, is no reason not to predict. Raises Tampered for a manifest without schema or learner,
    BadInput for a learner of a newer incumbent.
    """
    try:
        version, learner = manifest["version"], learner_type(manifest["learner"])
        schema = Schema.from_json(manifest["schema"])
        output = Output.of_schema(manifest["schema"])
    except (LookupError, TypeError) as error:
        raise Tampered(f"{folder / 'manifest.json'} lacks what a model needs: {error!r}") from error
    return Model(version, schema, learner.load(folder / learner.file, _threads(manifest)), output)


def importances(model: Trained, names: Sequence[str]) -> dict[str, float]:
    """Share of each feature in the model's total gain, largest first."""
    gains = model.gains()
    total = float(gains.sum()) or 1.0
    order = np.argsort(-gains, kind="stable")
    return {names[i]: float(gains[i]) / total for i in order}


def _threads(manifest: dict[str, Any]) -> int:
    try:
        return max(1, int(manifest["params"]["learner"]["threads"]))
    except (LookupError, TypeError, ValueError):
        return 1
