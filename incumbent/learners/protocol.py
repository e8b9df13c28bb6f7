"""The protocols of a model family: a learner that fits binned rows, and the trained model."""

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
    """X: (n, features) float32; y: (n,) labels; weights: (n,) of the rows, None for ones; leaves: what
    Learner.look_up says of the rows, None if it was not asked."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    leaves: np.ndarray | None = None

    def take(self, numbers: np.ndarray) -> "Batch":
        """The rows with these numbers."""
        weights, leaves = (None if each is None else each[numbers] for each in (self.weights, self.leaves))
        return Batch(self.X[numbers], self.y[numbers], weights, leaves)


def joined(first: Batch, second: Batch) -> Batch:
    """The rows of both, one after the other."""
    X, y = np.concatenate([first.X, second.X]), np.concatenate([first.y, second.y])
    weights = leaves = None
    if first.weights is not None or second.weights is not None:
        both = (np.ones(len(each.y)) if each.weights is None else each.weights for each in (first, second))
        weights = np.concatenate(list(both))
    if first.leaves is not None and second.leaves is not None:
        leaves = np.concatenate([first.leaves, second.leaves])
    return Batch(X, y, weights, leaves)


class Trained(Protocol):
    """A model, fitted or loaded."""

    @property
    def rounds(self) -> int:
        """Number of its boosting rounds or epochs."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(n, features) float32 -> float64: binary (n,) the probability of the positive class,
        multiclass (n, classes) probabilities, regression (n,) the value."""

    def gains(self) -> np.ndarray:
        """Contribution of each feature to the model; (features,) float64, any unit."""

    def save(self, path: Path) -> None:
        """Write the model's own format, never a pickle."""

    def to_onnx(self) -> Any:
        """An onnx.ModelProto with the input X and the predictions as its last output, or NotPortable."""


class Point(NamedTuple):
    """The score on held-out rows after `rounds` rounds.

    A greater score is better: errors are negated, as in scikit-learn. loss_growth: mean loss on the training
    rows since the point before, in units of the untrained model's; None for a learner that does not tell it.
    """

    rounds: int
    score: float
    loss_growth: float | None = None


class Learner(Protocol):
    """`bin` once, then `fit` as often as needed on subsets of the same rows. Safe to use from threads."""

    file: ClassVar[str]
    """Name of the model's file in a version."""

    device: Device
    """Where it trains."""

    def bin(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Prepare X, (n, features) float32, and labels, (n,), once for all folds and trials."""

    def search_space(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Options for this trial, drawn from Params.space."""

    def curve(
        self,
        binned: Any,
        options: dict[str, Any],
        fit: np.ndarray | None,
        held: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Iterator[Point]:
        """Fit on the row numbers `fit`; yield the score on the row numbers `held` every few rounds.

        Training goes on only while the caller asks for the next point, up to learner.rounds. All curves of
        a learner have points after the same rounds. weights: of the rows `fit`, in their order; the score
        gives every row of `held` the weight 1.
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
        """Fit `rounds` rounds on the row numbers `rows`, ascending, or on all rows; `weights`: of these.

        checkpoint: a file to resume from if it exists, written as often as learner.checkpoint says; it must
        be of the same fit. The model has the same bytes either way.
        """

    def fit_share(self, share: Batch, options: dict[str, Any], rounds: int, start: Path) -> Trained | None:
        """Fit `rounds` rounds as one of a group of processes, each with a share of the rows. The first of the
        group returns the model; the others return the same one, or None where they don't hold all of it.

        The group exists already: torch's process group, or LightGBM's network in `options`. start: file of
        an untrained network, made by `fit` with 0 rounds from a sample of the rows.
        """

    def update(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int
    ) -> Trained:
        """Continue from a model's file with new rows and a sample of history.

        options: those that the model was tuned to; known: number of rows that it was trained on so far.
        """

    def predict_updated(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int, held: Batch
    ) -> np.ndarray:
        """What that update predicts for the rows `held`, shaped as Trained.predict; its model is not kept."""

    def look_up(self, champion: Path, X: np.ndarray) -> np.ndarray | None:
        """What several updates of a champion with rows X have to know of them, for Batch.leaves; a row's
        entry depends on that row alone. None when there is no such thing, or too much of it."""

    def reseeded(self, seed: int) -> "Learner":
        """The same learner with another seed; results of `bin` stay valid."""

    @staticmethod
    def load(path: Path, threads: int) -> Trained:
        """The model in a file whose digest was verified. Raises Tampered when it holds no model."""
