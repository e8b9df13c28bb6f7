"""Model families behind one protocol: a learner turns binned rows into the bytes of a model.

Models are plain text or tensors, never pickles. The same rows, options and seed give the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from incumbent.errors import BadInput
from incumbent.learners.devices import Device
from incumbent.params import Params
from incumbent.recipe import TorchParams
from incumbent.schema import Schema

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


class Fold(Protocol):
    """How one fold went: the best score on its held-out rows, and after how many rounds.

    A greater score is better: errors are negated, as scikit-learn does.
    """

    @property
    def score(self) -> float: ...

    @property
    def rounds(self) -> int: ...


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

    def fit_fold(
        self,
        binned: Any,
        options: dict[str, Any],
        fit: np.ndarray | None,
        stop: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Fold:
        """Fit on the row numbers `fit` until the metric on the row numbers `stop` stops rising.

        weights: of the rows `fit`, in their order; the metric takes every row of `stop` once.
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


def learner_type(name: str) -> type[Learner]:
    """The learner of this name, to load its models with. Raises BadInput for a name from the future."""
    match name:
        case "lightgbm":
            from incumbent.learners.lightgbm import LightGBM

            return LightGBM
        case "torch":
            from incumbent.learners.torch import Torch

            return Torch
    raise BadInput(f"the model was made by the learner '{name}', which this incumbent does not know: upgrade")


def open_learner(params: Params, schema: Schema) -> Learner:
    """The learner that params.yaml names, ready for rows of this schema."""
    if isinstance(params.learner, TorchParams):
        from incumbent.learners.torch import Torch

        folds = params.promotion.model_copy(update={"metric": params.fold_metric})
        return Torch(params.learner, params.seed, schema, folds)
    from incumbent.learners.lightgbm import LightGBM

    return LightGBM(params.learner, params.seed, schema, params.fold_metric)
