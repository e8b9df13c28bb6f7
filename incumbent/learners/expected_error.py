"""How far off a regression's prediction of a row is expected to be: few small trees that learn its errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from incumbent.errors import Tampered

ROUNDS = 50

# Errors are mostly noise: small trees, and leaves of many rows.
OPTIONS = {"num_leaves": 8, "learning_rate": 0.1, "min_child_samples": 50}

LEAST = 0.01
"""No error is expected to be smaller, in units of the mean: errors are divided by it."""


@dataclass(frozen=True)
class ExpectedError:
    booster: lgb.Booster

    def of(self, X: np.ndarray) -> np.ndarray:
        """(n, features) float32 -> expected absolute errors, (n,), in units of their mean in training."""
        return np.asarray(self.booster.predict(X, num_threads=1), dtype=np.float64).clip(LEAST)

    @property
    def text(self) -> str:
        return str(self.booster.model_to_string())

    @staticmethod
    def of_text(text: str) -> "ExpectedError":
        """Raises Tampered when it is no model of LightGBM's."""
        try:
            return ExpectedError(lgb.Booster(model_str=text))
        except lgb.basic.LightGBMError as error:
            raise Tampered(f"LightGBM can't read the expected errors: {error}") from error


def fit_expected_error(
    X: np.ndarray, y: np.ndarray, predicted: np.ndarray, categorical: Sequence[int], seed: int
) -> ExpectedError:
    """X: (n, features) float32; y: (n,); predicted: (n,), by models that have not learned from the row."""
    params: dict[str, Any] = {
        **OPTIONS,
        "objective": "regression",
        "verbosity": -1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
    }
    errors = np.abs(y - predicted)
    rows = lgb.Dataset(
        X, errors / (errors.mean() or 1.0), categorical_feature=list(categorical), params=params
    )
    return ExpectedError(lgb.Booster(model_str=lgb.train(params, rows, ROUNDS).model_to_string()))
