"""A version from the registry, ready to predict: frozen schema, learner's model, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from incumbent.errors import Tampered
from incumbent.features.clean import CleaningCounts
from incumbent.features.schema import Schema
from incumbent.learners import Trained, learner_type
from incumbent.models.calibration import Output
from incumbent.models.reference import ERRORS, load_errors
from incumbent.models.segments import FILE, Segments
from incumbent.tables.split import text_or_none

if TYPE_CHECKING:
    from incumbent.learners.expected_error import ExpectedError


@dataclass(frozen=True)
class Model:
    """`output`: calibration and threshold, applied to the learner's scores; segments: corrections of what
    that gives, None without; errors: of a regression, how far off it expects to be, None without."""

    version: str
    schema: Schema
    trained: Trained
    output: Output = field(default_factory=Output)
    segments: Segments | None = None
    errors: "ExpectedError | None" = None

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        absent_as_missing: bool = False,
        complete: bool = False,
        cleaning_counts: CleaningCounts | None = None,
    ) -> np.ndarray:
        """Calibrated predictions for raw rows, shaped as Trained.predict; arguments as in Schema.encode."""
        X = self.schema.encode(
            frame, absent_as_missing=absent_as_missing, complete=complete, cleaning_counts=cleaning_counts
        )
        predicted = self.output.apply(self.trained.predict(X))
        if self.segments is None:
            return predicted
        values = text_or_none(frame, self.segments.by)
        return self.segments.corrected(values, X, predicted, self.schema.task)

    def score(self, frame: pd.DataFrame, cleaning_counts: CleaningCounts | None = None) -> pd.DataFrame:
        """Predictions as a table: `score`; for a multiclass target `score_<class>` for each class, and the
        likeliest class as `predicted`.

        A binary model with a threshold also has `predicted`: true from the threshold on. Raises BadData when
        a column does not fit.
        """
        predicted = self.predict(frame, cleaning_counts=cleaning_counts)
        if predicted.ndim == 1:
            threshold = self.output.threshold
            decided = {} if threshold is None else {"predicted": predicted >= threshold}
            return pd.DataFrame({"score": predicted, **decided})
        names = self.schema.classes
        by_class = {f"score_{name}": predicted[:, label] for label, name in enumerate(names)}
        return pd.DataFrame({**by_class, "predicted": np.array(names)[predicted.argmax(axis=1)]})

    def expected_error(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Of raw rows, (n,), as ExpectedError; None for a model that does not know."""
        return None if self.errors is None else self.errors.of(self.schema.encode(frame))


def open_model(folder: Path, manifest: dict[str, Any]) -> Model:
    """The model of a pulled (and so verified) version.

    Reads only the number of threads from the manifest's parameters: a model with the params.yaml of another
    release of incumbent, with other keys, still predicts. Raises Tampered for a manifest without schema or
    learner, BadInput for a learner that only a newer incumbent has.
    """
    try:
        version, learner = manifest["version"], learner_type(manifest["learner"])
        schema = Schema.from_json(manifest["schema"])
        output = Output.of_schema(manifest["schema"])
    except (LookupError, TypeError) as error:
        raise Tampered(f"{folder / 'manifest.json'} lacks what a model needs: {error!r}") from error
    segments = Segments.load(folder / FILE) if FILE in manifest.get("files", ()) else None
    errors = load_errors(folder / ERRORS) if ERRORS in manifest.get("files", ()) else None
    trained = learner.load(folder / learner.file, _threads(manifest))
    return Model(version, schema, trained, output, segments, errors)


def importances(model: Trained, names: Sequence[str]) -> dict[str, float]:
    """Share of each feature in the model's total gain, largest first."""
    gains = model.gains()
    if np.isinf(gains).any():
        # LightGBM keeps gains as float32, where those of targets beyond 1e19 are infinite.
        gains = np.isinf(gains).astype(float)
    total = float(gains.sum()) or 1.0
    order = np.argsort(-gains, kind="stable")
    return {names[i]: float(gains[i]) / total for i in order}


def _threads(manifest: dict[str, Any]) -> int:
    try:
        return max(1, int(manifest["params"]["learner"]["threads"]))
    except (LookupError, TypeError, ValueError):
        return 1
