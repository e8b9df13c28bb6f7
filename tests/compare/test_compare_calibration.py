"""Calibration: scikit-learn's curve over the same bins, and the error of honest and of loud models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from incumbent.compare import Incomparable, calibration
from incumbent.evaluation.decide import Evidence
from tests.building import fewer_examples, stored


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=2, max_size=200))
def test_the_curve_is_scikit_learns_over_equally_filled_bins(rows: list[tuple[int, float]]) -> None:
    y, prediction = np.array(rows).T
    seen = calibration(y.astype(int), prediction)
    observed, predicted = calibration_curve(y, prediction, n_bins=10, strategy="quantile")
    assert [each.observed for each in seen.bins] == pytest.approx(observed.tolist())
    assert [each.predicted for each in seen.bins] == pytest.approx(predicted.tolist())
    assert sum(each.rows for each in seen.bins) == len(y)


@fewer_examples
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1, max_size=60), st.randoms())
def test_neither_the_order_of_the_rows_nor_their_ties_count(rows: list[tuple[int, int]], random) -> None:
    one, two = (np.array(each).T for each in (rows, random.sample(rows, len(rows))))
    seen, shuffled = calibration(one[0], one[1] / 9), calibration(two[0], two[1] / 9)
    assert [each.rows for each in seen.bins] == [each.rows for each in shuffled.bins]
    assert seen.error == pytest.approx(shuffled.error)
    assert 0 <= seen.error <= 1


def test_bins_are_equally_filled() -> None:
    rng = np.random.default_rng(0)
    seen = calibration(rng.integers(0, 2, 1000), rng.beta(1, 9, 1000))
    assert [each.rows for each in seen.bins] == [100] * 10


def test_an_honest_model_has_a_small_error_and_a_loud_one_a_large_one() -> None:
    rng = np.random.default_rng(1)
    honest = rng.random(20_000)
    y = (rng.random(20_000) < honest).astype(int)
    loud = np.clip(1.6 * honest - 0.3, 0, 1)
    assert calibration(y, honest).error < 0.02
    # The loud one is off by 0.6 |p - 1/2| in the middle, by p or 1 - p where it is clipped.
    assert calibration(y, loud).error == pytest.approx(0.0938, abs=0.015)


def test_of_many_classes_the_confidence_of_the_likeliest_is_judged() -> None:
    prediction = np.repeat([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], 10, axis=0)
    y = np.array([0] * 7 + [1] * 3 + [2] * 3 + [0] * 7)
    seen = calibration(y, prediction)
    assert [(each.predicted, each.observed, each.rows) for each in seen.bins] == [
        (pytest.approx(0.6), 0.3, 10),
        (pytest.approx(0.7), 0.7, 10),
    ]
    assert seen.error == pytest.approx(0.15)


def test_a_constant_probability_is_one_bin() -> None:
    seen = calibration(np.array([0, 0, 0, 1]), np.full(4, 0.5))
    assert [each.rows for each in seen.bins] == [4]
    assert seen.error == pytest.approx(0.25)


def test_a_curve_survives_its_document() -> None:
    seen = calibration(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.4, 0.6]))
    assert stored(Evidence(Incomparable("no rows"), calibration=seen)).calibration == seen
