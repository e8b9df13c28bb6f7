"""The metrics: their tasks and which direction is better. No other module knows the direction."""

from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Metric:
    """`bounds`: lowest and highest possible value. The calculation is in incumbent.compare."""

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    bounds: tuple[float, float]

    @property
    def bounds_of_a_difference(self) -> tuple[float, float]:
        """Lowest and highest possible difference between two models."""
        span = self.bounds[1] - self.bounds[0]
        return -span, span

    def gain(self, champion: float, challenger: float) -> float:
        """How much better the challenger is, in units of the metric; negative when it is worse."""
        return challenger - champion if self.greater_is_better else champion - challenger

    def worthwhile(self, value: float) -> float:
        """The smallest gain worth having over a model of this value: .005 of a score, 1 % of an error."""
        return 0.005 if self.greater_is_better else 0.01 * value


_INF = float("inf")
_ALL = (
    Metric("roc_auc", ("binary",), True, (0, 1)),
    Metric("average_precision", ("binary",), True, (0, 1)),
    Metric("f1", ("binary",), True, (0, 1)),
    Metric("accuracy", ("binary", "multiclass"), True, (0, 1)),
    Metric("log_loss", ("binary", "multiclass"), False, (0, _INF)),
    Metric("brier", ("binary", "multiclass"), False, (0, 2)),
    Metric("roc_auc_macro", ("multiclass",), True, (0, 1)),
    Metric("roc_auc_weighted", ("multiclass",), True, (0, 1)),
    Metric("average_precision_macro", ("multiclass",), True, (0, 1)),
    Metric("average_precision_weighted", ("multiclass",), True, (0, 1)),
    Metric("f1_macro", ("multiclass",), True, (0, 1)),
    Metric("f1_weighted", ("multiclass",), True, (0, 1)),
    Metric("rmse", ("regression",), False, (0, _INF)),
    Metric("mae", ("regression",), False, (0, _INF)),
    Metric("r2", ("regression",), True, (-_INF, 1)),
)
METRICS = {metric.name: metric for metric in _ALL}
