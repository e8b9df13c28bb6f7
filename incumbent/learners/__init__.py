"""Model families behind one protocol: a learner turns binned rows into the bytes of a model.

Models are plain text or tensors, never pickles. The same rows, options and seed give the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from incumbent.errors import BadInput
from incumbent.params import Params, TorchParams
from incumbent.schema import Schema

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class NotPortable:
    """Why a model can't be written as ONNX."""

    reason: str


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

    def bin(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Prepare (n, features) float32 and (n,) labels once for all folds and trials."""

    @staticmethod
    def search_space(trial: "optuna.Trial") -> dict[str, Any]:
        """Options that this trial tries."""

    def fit_fold(self, binned: Any, options: dict[str, Any], fit: np.ndarray, stop: np.ndarray) -> Fold:
        """Fit on the row numbers `fit` until the metric on the row numbers `stop` stops rising."""

    def fit(
        self, binned: Any, options: dict[str, Any], rounds: int, rows: np.ndarray | None = None
    ) -> Trained:
        """Fit a fixed number of rounds, on the row numbers `rows` or on all."""

    def update(
        self, champion: Path, fresh: tuple[np.ndarray, np.ndarray], replay: tuple[np.ndarray, np.ndarray]
    ) -> Trained:
        """Continue from a model's file with new rows and a sample of history, each (X, y)."""

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

        return Torch(params.learner, params.seed, schema, params.promotion)
    from incumbent.learners.lightgbm import LightGBM

    return LightGBM(params.learner, params.seed, schema, params.promotion.metric)
