"""Fairness: fairlearn's two differences against counting by hand, for two classes and for many."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incumbent.compare import Incomparable, fairness
from incumbent.errors import BadData
from incumbent.evaluation.decide import Evidence
from tests.building import fewer_examples, stored

ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=60
)


def spread(hits: np.ndarray, among: np.ndarray, values: np.ndarray, judged: set[str]) -> float:
    """The largest difference of the share of `hits` among the chosen rows of each value."""
    rates = [hits[among & (values == value)].mean() for value in judged]
    return max(rates) - min(rates) if rates else 0.0


def by_hand(y: np.ndarray, named: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    everyone = np.ones(len(y), dtype=bool)
    both = {value for value in set(values) if len(set(y[values == value])) == 2}
    odds = max(spread(named, y, values, both), spread(named, ~y, values, both))
    return spread(named, everyone, values, set(values)), odds


@fewer_examples
@given(ROWS)
def test_of_two_classes_the_differences_are_those_of_the_rates(rows: list[tuple[int, int, str]]) -> None:
    y, named, values = (np.array(column) for column in zip(*rows, strict=True))
    y, named = np.minimum(y, 1), np.minimum(named, 1)
    seen = fairness(y, 0.2 + 0.4 * named, pd.Series(values, name="sex"), threshold=0.6)
    assert (seen.parity_difference, seen.odds_difference) == pytest.approx(
        by_hand(y == 1, named == 1, values)
    )
    assert {each.label for each in seen.groups} == {1}


@settings(max_examples=settings().max_examples // 20)  # an example takes a tenth of a second
@given(ROWS)
def test_of_many_classes_the_worst_class_counts(rows: list[tuple[int, int, str]]) -> None:
    y, named, values = (np.array(column) for column in zip(*rows, strict=True))
    seen = fairness(y, np.eye(3)[named], pd.Series(values, name="sex"), threshold=0.5)
    each = [by_hand(y == label, named == label, values) for label in range(3)]
    assert (seen.parity_difference, seen.odds_difference) == pytest.approx(np.max(each, axis=0))


def test_the_rates_of_each_value_are_told() -> None:
    y = np.array([1, 1, 0, 0, 1, 0, 0, 0, 1])
    prediction = np.array([0.9, 0.2, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9])
    sex = pd.Series(["m", "m", "m", "m", "f", "f", None, None, "x"], name="sex")
    seen = fairness(y, prediction, sex, threshold=0.5)
    told = {
        rates.value: (rates.rows, rates.selection_rate, rates.true_positive_rate, rates.false_positive_rate)
        for rates in seen.groups
    }
    assert told == {
        "m": (4, 0.5, 0.5, 0.5),
        "f": (2, 0.5, 1.0, 0.0),
        "missing": (2, 0.0, None, 0.0),
        "x": (1, 1.0, 1.0, None),
    }
    # Odds between m and f only: nobody knows the rate of positives that there are none of.
    assert (seen.column, seen.parity_difference, seen.odds_difference) == ("sex", 1.0, 0.5)


def test_one_value_only_differs_from_nothing() -> None:
    seen = fairness(np.array([0, 1]), np.array([0.1, 0.9]), pd.Series(["a", "a"], name="sex"), 0.5)
    assert (seen.parity_difference, seen.odds_difference) == (0.0, 0.0)


def test_categories_and_numbers_can_be_protected() -> None:
    y, prediction = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.9, 0.1])
    for column in (pd.Categorical(["a", "a", "b", None]), [1, 1, 2, 3], [True, True, False, False]):
        seen = fairness(y, prediction, pd.Series(column, name="sex"), 0.5)
        assert sum(each.rows for each in seen.groups) == 4


def test_other_rows_are_refused() -> None:
    with pytest.raises(BadData, match="2 labels, 2 predictions and 1 values"):
        fairness(np.array([0, 1]), np.array([0.1, 0.9]), pd.Series(["a"], name="sex"), 0.5)


def test_fairness_survives_its_document() -> None:
    seen = fairness(
        np.array([0, 1, 1]), np.array([0.1, 0.9, 0.2]), pd.Series(["a", "a", "b"], name="sex"), 0.5
    )
    assert stored(Evidence(Incomparable("no rows"), fairness=seen)).fairness == seen
