"""Numbers in another unit block, where history makes a false alarm unlikely; what was released once counts as
itself alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import Verdict
from incumbent.gate.learned_suite import from_suite, to_suite
from incumbent.gate.units import unit_of_values
from tests.gate.test_learned import Past, month


def trips(seed: int) -> pd.DataFrame:
    """The months of a taxi: distances, ratings of one to five stars, charges in tens, and refunds."""
    rng = np.random.default_rng(1000 + seed)
    rows = 2000
    return month(seed)[["id", "temp", "y"]].assign(
        distance=np.exp(rng.normal(1.2, 0.6, rows)),
        stars=rng.choice([1, 2, 3, 4, 5], rows, p=[0.1, 0.1, 0.2, 0.3, 0.3]),
        charge=rng.choice([10.0, 20.0, 30.0, 40.0], rows),
        wild=np.exp(rng.normal(1.2 + 0.5 * (seed % 3), 0.6, rows)),
    )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("units"), [trips(number) for number in range(8)])


def changed(column: str, change: Callable[[pd.Series], Any]) -> pd.DataFrame:
    frame = trips(99)
    return frame.assign(**{column: change(frame[column])})


@pytest.mark.parametrize(
    ("column", "change", "unit"),
    [
        pytest.param("stars", lambda s: s * 10, "units 10 times smaller", id="few values, ten times"),
        pytest.param("stars", lambda s: s / 100, "units 100 times larger", id="few values, a hundredth"),
        pytest.param("stars", lambda s: -s, "numbers of the other sign", id="few values, negated"),
        pytest.param("charge", lambda s: (s * 0.3048).round(2), "metres instead of feet", id="few, rounded"),
        pytest.param("distance", lambda s: s * 1.609344, "kilometres instead of miles", id="to kilometres"),
        pytest.param("distance", lambda s: s / 1.609344, "miles instead of kilometres", id="to miles"),
        pytest.param("distance", lambda s: s * 3.28084, "feet instead of metres", id="to feet"),
    ],
)
def test_another_unit_blocks_and_is_named(
    past: Past, column: str, change: Callable[[pd.Series], Any], unit: str
) -> None:
    report = past.gate(changed(column, change))
    [reason] = [each for each in report.reasons if each.startswith("critical")]
    assert f"the unit of '{column}' must stay: as if in {unit}" in reason


@pytest.mark.parametrize(
    ("column", "change"),
    [
        pytest.param("stars", lambda s: s + 1, id="ratings from two to six"),
        pytest.param("stars", lambda s: s.where(s < 5, 50), id="one value in another unit"),
        pytest.param("stars", lambda s: s * 1.3, id="by no unit's factor"),
        pytest.param("charge", lambda s: s / 10 + 9, id="values that only look like it"),
        pytest.param("distance", lambda s: s * 1.45, id="by a factor that news may have"),
        pytest.param("distance", lambda s: s**1.4, id="long ones more than short ones"),
        pytest.param("wild", lambda s: s * 1.609344, id="a column that goes so far by itself"),
    ],
)
def test_a_change_that_may_be_news_does_not_block(
    past: Past, column: str, change: Callable[[pd.Series], Any]
) -> None:
    assert past.gate(changed(column, change)).verdict is not Verdict.BLOCK


def test_a_flag_or_two_values_have_no_unit() -> None:
    assert unit_of_values([10, 100], [1, 10]) is None
    assert unit_of_values([0, 100], [0, 1]) is None


@pytest.fixture(scope="module")
def with_released(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """After eight months a person released one with distances a hundred times as long; two more followed."""
    odd = trips(8).assign(distance=lambda frame: frame["distance"] * 100)
    frames = [*(trips(number) for number in range(8)), odd, trips(9), trips(10)]
    return Past(tmp_path_factory.mktemp("released"), frames)


def test_a_released_partition_does_not_make_normal_what_lies_between(with_released: Past) -> None:
    """The same again passes; ten times as long blocks as before, and three times is suspicious."""
    assert with_released.gate(trips(99)).verdict is Verdict.PASS
    assert with_released.gate(changed("distance", lambda s: s * 100)).verdict is Verdict.PASS
    assert with_released.gate(changed("distance", lambda s: s * 10)).verdict is Verdict.BLOCK
    report = with_released.gate(changed("distance", lambda s: s * 1.8))
    assert report.verdict is Verdict.PROBATION
    assert " in 10 partitions, and " in report.reasons[0]
    assert " in p08.parquet" in report.reasons[0]


def test_two_of_a_kind_are_the_new_normal(tmp_path: Path) -> None:
    odd = [trips(each).assign(distance=lambda frame: frame["distance"] * 100) for each in (8, 9)]
    past = Past(tmp_path, [*(trips(number) for number in range(8)), *odd])
    assert past.gate(changed("distance", lambda s: s * 90)).verdict is Verdict.PASS


def test_what_is_set_apart_is_kept_in_the_suite(with_released: Past) -> None:
    learned = from_suite(with_released.suite)
    assert {name for each in learned.limits for name in each.apart} == {"p08.parquet"}
    assert to_suite("toy", learned, "binary") == with_released.suite
