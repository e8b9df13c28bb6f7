"""What every model family gives: a learner that fits binned rows, and the trained model."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from incumbent.learners.devices import Device

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class NotPortable:
    """Why a model can't be written as ONNX."""

    reason: str


class Batch(NamedTuple):
    """X: (n, features) float32; y: (n,) labels; weights: (n,) of the rows, None for ones."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None


def joined(first: Batch, second: Batch) -> Batch:
    """The rows of both, one after the other."""
    X, y = np.concatenate([first.X, second.X]), np.concatenate([first.y, second.y])
    if first.weights is None and second.weights is None:
        return Batch(X, y)
    weights = (np.ones(len(each.y)) if each.weights is None else each.weights for each in (first, second))
    return Batch(X, y, np.concatenate(list(weights)))


class Trained(Protocol):
    """A model that is done, or was loaded."""

    @property
    def rounds(self) -> int:
        """Boosting rounds or epochs that it has."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n, features) float32 -> float64: binary (n,) the probability of the positive class,
        multiclass (n, classes) probabilities, regression (n,) the value."""

    def gains(self) -> np.ndarray:
        """How much each feature contributed to the model; (features,) float64, any unit."""

    def save(self, path: Path) -> None:
        """Write the model's own format, never a pickle."""

    def to_onnx(self) -> Any:
        """An onnx.ModelProto that takes X and has the predictions in its last output, or NotPortable."""


class Point(NamedTuple):
    """The score on held-out rows after so many rounds.

    A greater score is better: errors are negated, as scikit-learn does.
    """

    rounds: int
    score: float


class Learner(Protocol):
    """`bin` once, then `fit` as often as needed on subsets of the same rows. Safe to use from threads."""

    file: ClassVar[str]
    """What its model's file is called in a version."""

    device: Device
    """Where it trains."""

    def bin(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Prepare (n, features) float32 and (n,) labels once for all folds and trials."""

    @staticmethod
    def search_space(trial: "optuna.Trial") -> dict[str, Any]:
        """Options that this trial tries."""

    def curve(
        self,
        binned: Any,
        options: dict[str, Any],
        fit: np.ndarray | None,
        held: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Iterator[Point]:
        """Fit on the row numbers `fit`, and tell every few rounds how the row numbers `held` are predicted.

        It goes on, up to learner.rounds, for as long as it is asked for a next point; curves of the same
        learner have their points after the same rounds.
        weights: of the rows `fit`, in their order; the metric takes every row of `held` once.
        """

    def fit(
        self,
        binned: Any,
        options: dict[str, Any],
        rounds: int,
        rows: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        checkpoint: Path | None = None,
    ) -> Trained:
        """Fit so many rounds, on the row numbers `rows`, ascending, or on all; `weights`: of these.

        checkpoint: a file that is kept up to date by learner.checkpoint, and gone on from where it is there;
        it must be of the same fit. The model has the same bytes either way.
        """

    def fit_share(self, share: Batch, options: dict[str, Any], rounds: int, start: Path) -> Trained:
        """Fit so many rounds as one of a group of processes, each with a share of the rows; all get one
        model.

        The group is there already: torch's, or LightGBM's in `options`. start: what networks begin with, a
        file that `fit` made in no rounds of a sample of the rows.
        """

    def update(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int
    ) -> Trained:
        """Continue from a model's file with new rows and a sample of history.

        options: those that the model was tuned to; known: training rows that it has seen so far.
        """

    def reseeded(self, seed: int) -> "Learner":
        """The same with another seed; what it was given to `bin` stays good."""

    @staticmethod
    def load(path: Path, threads: int) -> Trained:
        """A model from a file whose digest was verified. Raises Tampered when it is no model."""
