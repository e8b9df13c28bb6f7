"""A correction of a model's predictions on part of the rows: few small trees on top of what it predicts."""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import expit, logit, softmax

from incumbent.errors import Tampered
from incumbent.features.schema import Schema
from incumbent.params import Task

ROUNDS = 20

# A segment has few rows, and the model has learned from all of them: small trees, and slow ones.
OPTIONS = {"num_leaves": 8, "learning_rate": 0.05, "min_child_samples": 20}

EDGE = 1e-12
"""Probabilities are clipped to [EDGE, 1 - EDGE], so that their logarithm is finite."""


@dataclass(frozen=True)
class Correction:
    booster: lgb.Booster

    def shift(self, X: np.ndarray) -> np.ndarray:
        """(n, features) float32 -> what to add to `linked` predictions, (n,) or (n, classes)."""
        return np.asarray(self.booster.predict(X, raw_score=True, num_threads=1), dtype=np.float64)

    @property
    def text(self) -> str:
        return str(self.booster.model_to_string())

    @staticmethod
    def of_text(text: str) -> "Correction":
        """Raises Tampered when it is no model of LightGBM's."""
        try:
            return Correction(lgb.Booster(model_str=text))
        except lgb.basic.LightGBMError as error:
            raise Tampered(f"LightGBM can't read a correction: {error}") from error


def fit_correction(
    X: np.ndarray,
    y: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray | None,
    schema: Schema,
    seed: int,
) -> Correction:
    """Learn what to add to the predictions of these rows.

    X: (n, features) float32; y: (n,) as Schema.labels; predicted: (n,) or (n, classes), by models that
    have not learned from the row, or the trees would have nothing to correct; weights: (n,), None for ones.
    """
    params: dict[str, Any] = {
        **OPTIONS,
        "objective": schema.task,
        "verbosity": -1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
    }
    if schema.task == "multiclass":
        params["num_class"] = len(schema.classes)
    rows = lgb.Dataset(
        X,
        y,
        weight=weights,
        init_score=linked(predicted, schema.task),
        categorical_feature=schema.categorical,
        params=params,
    )
    return Correction(lgb.Booster(model_str=lgb.train(params, rows, ROUNDS).model_to_string()))


def linked(predicted: np.ndarray, task: Task) -> np.ndarray:
    """Predictions on the scale that trees add to: log odds, logarithms of probabilities, or as they are."""
    if task == "regression":
        return predicted
    clipped = np.clip(predicted, EDGE, 1 - EDGE)
    return np.asarray(logit(clipped) if task == "binary" else np.log(clipped))


def unlinked(scores: np.ndarray, task: Task) -> np.ndarray:
    """The inverse of `linked`."""
    if task == "regression":
        return scores
    return np.asarray(expit(scores) if task == "binary" else softmax(scores, axis=1))
