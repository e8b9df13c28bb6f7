"""Weight or resample training rows so that classes balance; learned from training rows alone.

Held-out rows never change. An update keeps the factors of the full training: were they learned anew, the
model's odds would change their meaning whenever the classes' shares do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from incumbent.errors import BadData
from incumbent.features.feature import Columns

NEIGHBOURS = 5
"""SMOTE's k, as in its paper."""


@dataclass(frozen=True)
class Resampled:
    """rows: numbers of the rows to fit on, ascending, each once; weights: (rows,) float64, None for ones;
    labels: (rows,) codes, None for their own; X, y: additional synthetic rows, of weight 1."""

    rows: np.ndarray
    weights: np.ndarray | None = None
    labels: np.ndarray | None = None
    X: np.ndarray | None = None
    y: np.ndarray | None = None

    @property
    def only_weighed(self) -> bool:
        """Whether the rows keep their values and labels, so that the bins of all rows can be used."""
        return self.labels is None and self.X is None


@dataclass(frozen=True)
class Balance:
    """`factors`: total weight of each class, as a multiple of its number of rows.

    `groups`: value of the protected column -> weight of its rows of each class; a negative one (binary target
    only) means the absolute weight with the other class's label.
    """

    method: str | None = None
    factors: tuple[float, ...] = ()
    groups: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def draw(self, X: np.ndarray, y: np.ndarray, fit: np.ndarray, columns: Columns, seed: int) -> Resampled:
        """Weight or resample the rows with the numbers `fit`, ascending.

        X: (n, features) float32 and y: (n,) class codes of all rows; only those of `fit` are used. Raises
        BadData for cells that SMOTE can't handle.
        """
        y = y[fit]
        rng = np.random.default_rng(seed)
        match self.method:
            case "weights":
                return Resampled(fit, np.array(self.factors)[y])
            case "over":
                return Resampled(fit, self._repeated(y, rng))
            case "under":
                return Resampled(fit[self._kept(y, rng)])
            case "smote":
                return self._with_made(X[fit], y, fit, columns, seed)
        return Resampled(fit)

    def by_group(self, protected: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The signed weights of `groups` for rows by value and class, (n,) each; 1 for an unknown value."""
        weights = np.ones(len(y))
        for value, by_class in self.groups.items():
            rows = protected == value
            weights[rows] = np.array(by_class)[y[rows]]
        return weights

    def to_json(self) -> dict[str, Any]:
        groups = {value: list(weights) for value, weights in self.groups.items()}
        return {"method": self.method, "factors": list(self.factors), "groups": groups}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Balance":
        groups = {value: tuple(weights) for value, weights in document["groups"].items()}
        return Balance(document["method"], tuple(document["factors"]), groups)

    @staticmethod
    def of_schema(document: Mapping[str, Any]) -> "Balance":
        """Read it from a manifest's `schema`; versions older than this part have no weights."""
        return Balance.from_json(document["balance"]) if "balance" in document else Balance()

    def _repeated(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Oversampling as weights: 1 for each row, plus its number of draws with replacement."""
        weights = np.ones(len(y))
        for label, factor in enumerate(self.factors):
            members = np.flatnonzero(y == label)
            more = round(factor * len(members)) - len(members)
            if more > 0:
                weights += np.bincount(rng.choice(members, more), minlength=len(y))
        return weights

    def _kept(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Indices of the rows that undersampling keeps, ascending; at least one of each class."""
        kept = []
        for label, factor in enumerate(self.factors):
            members = np.flatnonzero(y == label)
            if len(members):
                kept.append(rng.choice(members, max(1, round(factor * len(members))), replace=False))
        return np.sort(np.concatenate(kept))

    def _with_made(
        self, X: np.ndarray, y: np.ndarray, fit: np.ndarray, columns: Columns, seed: int
    ) -> Resampled:
        """SMOTE (Chawla et al. 2002): new rows between a row of a rare class and a near one of that class."""
        counts = np.bincount(y, minlength=len(self.factors))
        wanted = {
            label: round(factor * count)
            for label, (factor, count) in enumerate(zip(self.factors, counts.tolist(), strict=True))
            if round(factor * count) > count
        }
        # SMOTE needs two rows of a class; a lone row gets weight instead.
        alone = [label for label in wanted if counts[label] < 2 or np.count_nonzero(counts) < 2]
        weights = np.where(np.isin(y, alone), np.array(self.factors)[y], 1.0) if alone else None
        between = {label: count for label, count in wanted.items() if label not in alone}
        if not between:
            return Resampled(fit, weights)
        nearest = min(NEIGHBOURS, *(int(counts[label]) - 1 for label in between))
        made_X, made_y = _smote(X, y, between, nearest, columns, seed)
        return Resampled(fit, weights, X=made_X, y=made_y)


def learn_balance(y: np.ndarray, classes: int, method: str | None) -> Balance:
    """Factors that give all classes of these labels, (n,) codes, the same total weight or number of rows.

    weights: n / (classes * rows of the class), as scikit-learn's "balanced", so the mean weight is 1; over
    and smote: up to the most frequent class; under: down to the rarest.
    """
    if method is None:
        return Balance()
    counts = np.bincount(y, minlength=classes).astype(np.float64)
    there = counts > 0
    whole = {"weights": counts.sum() / there.sum(), "under": counts[there].min()}.get(method, counts.max())
    factors = np.divide(whole, counts, out=np.ones_like(counts), where=there)
    return Balance(method, tuple(factors.tolist()))


def learn_groups(protected: np.ndarray, y: np.ndarray, classes: int) -> dict[str, tuple[float, ...]]:
    """Reweighing (Kamiran and Calders 2012): P(value) P(class) / P(value and class), so that in the weighted
    rows the class does not depend on the value. protected: (n,) text; y: (n,) codes."""
    shares = np.bincount(y, minlength=classes) / len(y)
    weights = {}
    for value in sorted(set(protected.tolist())):
        inside = protected == value
        counts = np.bincount(y[inside], minlength=classes).astype(np.float64)
        expected = inside.sum() * shares
        weights[value] = tuple(np.divide(expected, counts, out=np.ones(classes), where=counts > 0).tolist())
    return weights


def _smote(
    X: np.ndarray, y: np.ndarray, wanted: Mapping[int, int], nearest: int, columns: Columns, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    sizes = {column: size for column, size in enumerate(columns.values()) if size is not None}
    numbers = {name: column for column, name in enumerate(columns) if column not in sizes}
    _require_full(X, numbers)
    filled = X.astype(np.float64)
    for column, size in sizes.items():  # missing is a category of its own
        filled[np.isnan(X[:, column]), column] = size
    given: dict[str, Any] = {"sampling_strategy": wanted, "random_state": seed, "k_neighbors": nearest}
    if not sizes:
        sampler = SMOTE(**given)
    elif numbers:
        sampler = SMOTENC(categorical_features=list(sizes), **given)
    else:
        sampler = SMOTEN(**given)
    every_X, every_y = sampler.fit_resample(filled, y)
    made = np.asarray(every_X[len(X) :], dtype=np.float32)
    for column, size in sizes.items():
        made[made[:, column] == size, column] = np.nan
    return made, np.asarray(every_y[len(X) :], dtype=y.dtype)


def _require_full(X: np.ndarray, numbers: Mapping[str, int]) -> None:
    empty = [name for name, column in numbers.items() if not np.isfinite(X[:, column]).all()]
    if empty:
        raise BadData(
            f"imbalance.method = 'smote' can't measure distances between rows with empty or infinite cells, "
            f"and {empty} have some; fill them with clean.missing, drop them with dataset.drop, or use "
            "imbalance.method = 'weights'"
        )
