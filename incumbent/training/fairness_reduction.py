"""Bias reduction by fairlearn: weights and labels that make a learner treat the values of a column alike.

Agarwal et al. 2018, "A Reductions Approach to Fair Classification", section 3.4: for given Lagrange
multipliers, a fairness constraint becomes a classification problem with other weights and labels. A grid
search chooses the multipliers, so the result is one ordinary model. The new weight and label of a row depend
on its protected value and class alone: the result is a table, as for reweighing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from incumbent.errors import BadData
from incumbent.params import BiasParams

Groups = Mapping[str, tuple[float, ...]]
"""As Balance.groups."""

MOST_MULTIPLIERS = 4
"""With more, fairlearn warns, no practical grid is fine enough."""


class _Candidate:
    """An estimator for fairlearn; X is row numbers. The first row of each value and class gives the weight of
    all of them. It holds functions only, as fairlearn deep-copies it for each point of the grid."""

    def __init__(
        self, table: Callable[[np.ndarray], Groups], answers: Callable[[Groups], np.ndarray]
    ) -> None:
        self._table, self._answers = table, answers

    def fit(self, X: np.ndarray, y: Any, sample_weight: Any) -> "_Candidate":
        self.groups = self._table(np.where(y == 1, sample_weight, -np.asarray(sample_weight)))
        self._given = self._answers(self.groups)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self._given


def learn_reduction(
    protected: np.ndarray, y: np.ndarray, bias: BiasParams, answers: Callable[[Groups], np.ndarray]
) -> Groups:
    """The table with the least sum of error and constraint violation, from fairlearn's grid search.

    protected: (n,) text; y: (n,) codes 0 and 1; answers: a table -> (n,) bool, out-of-fold decisions of
    models trained by it. Empty for a column of a single value. Raises BadData when the column has too many
    values for the grid, or when the same answer for every row does best.
    """
    from fairlearn import reductions

    values = sorted(set(protected.tolist()))
    if len(values) < 2:
        return {}
    _require_few(values, bias)
    moment: Any = {
        "demographic_parity": reductions.DemographicParity,
        "true_positive_rate_parity": reductions.TruePositiveRateParity,
        "false_positive_rate_parity": reductions.FalsePositiveRateParity,
        "equalized_odds": reductions.EqualizedOdds,
    }[bias.constraint]
    candidate = _Candidate(_tabulating(values, protected, y), answers)
    search = reductions.GridSearch(candidate, moment(), grid_size=bias.grid)
    search.fit(np.arange(len(y))[:, None], y, sensitive_features=protected)
    best = search.predictors_[search.best_idx_]
    if not isinstance(best, _Candidate):
        raise BadData(
            f"bias.reduce = '{bias.reduce}' with {bias.constraint} does best, on {len(y):,} training rows, "
            "with the same answer for everybody; use bias.reweigh, or another bias.constraint"
        )
    return best.groups


def _tabulating(values: list[str], protected: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], Groups]:
    """Makes the table of signed weights as fairlearn's, (n,): above 0 for class 1, below for class 0."""
    cells = {
        value: [np.flatnonzero((protected == value) & (y == label))[:1] for label in (0, 1)]
        for value in values
    }

    def table(signed: np.ndarray) -> Groups:
        return {
            value: tuple(
                float(signed[first[0]]) * own if len(first) else 1.0
                for first, own in zip(cells[value], (-1, 1), strict=True)
            )
            for value in values
        }

    return table


def _require_few(values: list[str], bias: BiasParams) -> None:
    multipliers = (len(values) - 1) * (2 if bias.constraint == "equalized_odds" else 1)
    if multipliers > MOST_MULTIPLIERS:
        raise BadData(
            f"bias.reduce = '{bias.reduce}' has {len(values)} values in the training rows ({values[0]}, "
            f"{values[1]} and on), and {bias.constraint} needs {multipliers} multipliers for them, where a "
            f"grid can search {MOST_MULTIPLIERS} at most; join rare values, or use bias.reweigh"
        )
    if bias.grid < 2**multipliers:
        raise BadData(
            f"bias.grid = {bias.grid} is too coarse for {bias.constraint} between the values {values} of "
            f"'{bias.reduce}': give {2**multipliers} or more"
        )
