"""Intervals end where the metric does: no AUC above 1, no loss below 0."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incumbent.compare import Comparison, estimate, try_compare
from incumbent.compare.result import Interval
from incumbent.params import METRICS, PromotionParams
from tests.building import fewer_examples

GROUP = st.integers(0, 8)
NUMBER = st.integers(0, 4)
# (label, the champion's and the challenger's predictions, group): few rows and many ties, so wide intervals.
ROWS = st.lists(st.tuples(st.integers(0, 2), NUMBER, NUMBER, GROUP), min_size=4, max_size=30)


def as_predictions(number: np.ndarray, task: str) -> np.ndarray:
    if task == "regression":
        return number.astype(float)
    if task == "binary":
        return number / 4
    shares = 1.0 + np.stack([number == 0, number % 2 == 1, number == 4], axis=1)
    return shares / shares.sum(axis=1, keepdims=True)


def ends_within(interval: Interval, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= interval.low <= interval.value <= interval.high <= bounds[1]


@pytest.mark.parametrize(
    ("metric", "task"), [(name, task) for name, metric in METRICS.items() for task in metric.tasks]
)
@fewer_examples
@given(ROWS)
def test_no_interval_leaves_the_range_of_its_metric(
    metric: str, task: str, rows: list[tuple[int, int, int, int]]
) -> None:
    label, first, second, groups = np.array(rows).T
    y = label.astype(float) if task == "regression" else label.clip(max=1 if task == "binary" else 2)
    assume(len(set(y)) == (2 if task == "binary" else 3) and len(set(groups)) > 1)
    champion, challenger = (as_predictions(each, task) for each in (first, second))
    promotion = PromotionParams(metric=metric, resamples=100, confidence=0.99)
    comparison, known = try_compare(y, champion, challenger, groups, promotion), METRICS[metric]
    assume(isinstance(comparison, Comparison))
    assert isinstance(comparison, Comparison)
    for level in (comparison.champion, comparison.challenger, estimate(y, champion, groups, promotion)):
        assert ends_within(level, known.bounds)
    assert ends_within(comparison.difference, known.bounds_of_a_difference)


def test_a_cut_interval_still_knows_how_wide_it_was() -> None:
    auc = Interval(0.95, 0.85, 1.05).within(0, 1)
    assert auc == Interval(0.95, 0.85, 1)
    assert auc.half_width == pytest.approx(0.1)
    assert Interval(0.05, -0.05, 0.15).within(0, 1).half_width == pytest.approx(0.1)
