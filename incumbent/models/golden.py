"""Golden rows: rows kept with a version, and its predictions for them from when it was made.

Digests prove that a file is the published one. Golden rows prove that this machine's libraries read it as the
same model: half a file of trees still parses without an error.
"""

import numpy as np
import pandas as pd

from incumbent.errors import Tampered
from incumbent.models.model import Model

GOLDEN = "golden.parquet"

SIZE = 200

TOLERANCE = 1e-6
"""Relative for predictions above 1. Other builds of a learner sum the trees in another order or with other
instructions, which changes the last digits of a float64; a lost tree changes the first ones."""


def make_golden(sample: pd.DataFrame, model: Model, size: int = SIZE) -> pd.DataFrame:
    """The first `size` rows of the sample, raw, with the model's predictions in the last columns.

    The sample must be of training rows: these rows are published. Columns: the inputs that the sample has,
    those of Derivation.added, then `prediction`, or `prediction_0` to `prediction_K-1` for K classes.
    """
    schema = model.schema
    known = [name for name in (*schema.inputs, *schema.derivation.added_names) if name in sample]
    rows = sample[known].head(size).reset_index(drop=True)
    predictions = _columns(model.predict(rows, absent_as_missing=True, complete=True))
    single = predictions.shape[1] == 1
    for number, column in enumerate(predictions.T):
        name = "prediction" if single else f"prediction_{number}"
        while name in rows:  # a feature of that name
            name = f"_{name}"
        rows[name] = column
    return rows


def check_golden(model: Model, golden: pd.DataFrame) -> None:
    """Raise Tampered when the predictions for golden rows differ from the stored ones or are not finite."""
    predicted = _columns(model.predict(golden, absent_as_missing=True, complete=True))
    stored = golden.iloc[:, -predicted.shape[1] :].to_numpy(np.float64)
    if not np.isfinite(predicted).all():
        rows = int((~np.isfinite(predicted)).any(axis=1).sum())
        raise Tampered(f"it predicts NaN or infinity for {rows} of its {len(golden)} golden rows")
    difference = np.abs(predicted - stored) / np.maximum(1.0, np.abs(stored))
    if not difference.max() <= TOLERANCE:  # written so that NaN fails too
        rows = int((~(difference <= TOLERANCE)).any(axis=1).sum())
        raise Tampered(
            f"it does not predict what it did when it was made: {rows} of its {len(golden)} golden rows "
            f"differ, by up to {difference.max():.3g}"
        )


def _columns(predictions: np.ndarray) -> np.ndarray:
    return predictions.reshape(len(predictions), -1)
