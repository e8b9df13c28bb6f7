"""The estimate of how good a version is before labels come, in figures and in words. It never promotes."""

from dataclasses import dataclass

import numpy as np

from incumbent.compare import Interval
from incumbent.errors import BadData
from incumbent.evaluation.simulated_labels import Unlabelled, estimate_unlabelled
from incumbent.models.model import Model
from incumbent.models.reference import Reference
from incumbent.params import METRICS, Params

BLIND = "blind to a change of how the target follows from the columns"


@dataclass(frozen=True)
class Estimated:
    """The metric that `rows` predictions without a label are expected to have, with its interval; worse:
    whether that is significantly worse than promised, at this one look. Only labels can show decay."""

    metric: str
    value: float
    low: float
    high: float
    rows: int
    worse: bool


def estimate_before_labels(
    model: Model, rows: Unlabelled, reference: Reference | None, promised: Interval | None, params: Params
) -> tuple[Estimated | None, str]:
    """The estimate, and a sentence about it or why there is none. reference: the version's."""
    metric, least, count = params.promotion.metric, params.monitor.min_rows, len(rows.scores)
    none = f"no estimate of {metric} before labels come: "
    if reference is None:
        return None, (
            f"{none}{model.version} keeps no reference rows, as versions of earlier releases, adopted models "
            "and those of rows that are all of one group; later trainings keep some"
        )
    if count < least:
        few = f"{count:,} predictions without a label are fewer than monitor.min_rows = {least:,}"
        return None, none + few
    try:
        interval = estimate_unlabelled(rows, reference, model.output.threshold, params.promotion, params.seed)
    except BadData as error:
        return None, none + str(error)
    worse = promised is not None and loss_of(metric, interval, promised, interval.half_width).low > 0
    verdict = "is estimated to be worse than promised" if worse else "is estimated"
    figures = f"{metric} {interval} on {count:,} predictions that have no label yet"
    beside = f", promised {promised}" if promised else ""
    estimated = Estimated(metric, interval.value, interval.low, interval.high, count, worse)
    return estimated, f"{model.version} {verdict}: {figures}{beside}; {BLIND}"


def loss_of(metric: str, now: Interval, promised: Interval, half_width: float) -> Interval:
    """How much worse now than promised; half_width: that of `now`. The two samples share no row, so squares
    add up."""
    half = float(np.hypot(half_width, promised.half_width))
    value = METRICS[metric].gain(now.value, promised.value)
    return Interval(value, value - half, value + half).within(*METRICS[metric].bounds_of_a_difference)
