"""Differences in how a classifier treats the values of a protected column, by fairlearn's definitions."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from incumbent.compare.sums import predicted
from incumbent.errors import BadData

MISSING = "missing"


@dataclass(frozen=True)
class GroupRates:
    """Rates of one value of the column for the prediction "is class `label`" (1 for a binary target).

    A rate is None where it is undefined: no positive, or no negative, row has this value.
    """

    label: int
    value: str
    rows: int
    selection_rate: float
    true_positive_rate: float | None
    false_positive_rate: float | None


@dataclass(frozen=True)
class Fairness:
    """parity_difference: largest difference of selection rates between two values (demographic parity).

    odds_difference: the larger of the largest differences in true and in false positive rate (equalized
    odds; Hardt, Price and Srebro 2016). Of many classes: the largest over the classes.
    """

    column: str
    parity_difference: float
    odds_difference: float
    groups: tuple[GroupRates, ...]


def fairness(y: np.ndarray, prediction: np.ndarray, protected: pd.Series, threshold: float) -> Fairness:
    """y: (n,) class codes. prediction: (n,) probabilities of class 1, or (n, K). protected: (n,) values.

    A missing value is a value of its own. Limits: the differences are point estimates, so a value with few
    rows differs by chance: join rare values first. Odds are compared between values that have both outcomes
    (fairlearn takes an undefined rate as 0); without two such values their difference is 0.0. No other column
    is examined, so a proxy of the protected one stays undetected; and the two definitions can't both hold
    when the outcome's rate differs between values (Kleinberg et al. 2016).

    Raises BadData without rows, or for lengths that differ.
    """
    if not len(y) == len(prediction) == len(protected) or not len(y):
        raise BadData(
            f"fairness by '{protected.name}' needs rows: {len(y)} labels, {len(prediction)} predictions and "
            f"{len(protected)} values of the column"
        )
    # A Series, as fairlearn squeezes an array of a single row to zero dimensions.
    values = protected.astype(str).where(protected.notna(), MISSING).astype(object).reset_index(drop=True)
    named = predicted(prediction, threshold)
    labels = range(prediction.shape[1]) if prediction.ndim == 2 else (1,)
    by_class = [_of_class(label, y == label, named == label, values) for label in labels]
    parity, odds, rates = zip(*by_class, strict=True)
    return Fairness(str(protected.name), max(parity), max(odds), tuple(chain.from_iterable(rates)))


def _of_class(
    label: int, true: np.ndarray, named: np.ndarray, values: pd.Series
) -> tuple[float, float, list[GroupRates]]:
    from fairlearn import metrics

    y, chosen = true.astype(int), named.astype(int)
    frame = metrics.MetricFrame(
        metrics={
            "rows": metrics.count,
            "selected": metrics.selection_rate,
            "true_positive": metrics.true_positive_rate,
            "false_positive": metrics.false_positive_rate,
        },
        y_true=y,
        y_pred=chosen,
        sensitive_features=values,
    )
    base = pd.Series(true).groupby(values).mean()
    rates = [
        GroupRates(
            label,
            str(value),
            int(row.rows),
            float(row.selected),
            float(row.true_positive) if base[value] > 0 else None,
            float(row.false_positive) if base[value] < 1 else None,
        )
        for value, row in frame.by_group.iterrows()
    ]
    both = values.isin(base.index[(base > 0) & (base < 1)]).to_numpy()
    parity = metrics.demographic_parity_difference(y, chosen, sensitive_features=values)
    odds = 0.0
    if both.any():
        odds = metrics.equalized_odds_difference(y[both], chosen[both], sensitive_features=values[both])
    return float(parity), float(odds), rates
