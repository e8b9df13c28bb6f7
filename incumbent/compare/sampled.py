"""A metric's value together with its variation when other groups of rows are drawn."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampled:
    """The Euclidean norm of `deviations` is the standard error of `value`.

    Deviations are influences of groups (DeLong) or scaled replicates (bootstrap). Those of two models on the
    same rows are subtracted element by element, which makes their difference paired.
    """

    value: float
    deviations: np.ndarray

    @property
    def standard_error(self) -> float:
        return float(np.linalg.norm(self.deviations))

    def minus(self, other: "Sampled") -> "Sampled":
        return Sampled(self.value - other.value, self.deviations - other.deviations)
