"""Numbers in another unit block, where history makes a false alarm unlikely; what was released once counts as
itself alone."""

import math
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incumbent.gate import Verdict
from incumbent.gate.check import gate_files
from incumbent.gate.learned_suite import LEARNED, from_suite, to_suite
from incumbent.gate.profile import QUANTILES
from incumbent.gate.scale import Scale
from incumbent.gate.units import distance, unit_of_values
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
        pytest.param("charge", lambda s: s / 1.609344, "miles instead of kilometres", id="few, to miles"),
        pytest.param("charge", lambda s: s * 2.54, "centimetres instead of inches", id="few, to centimetres"),
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
        pytest.param("charge", lambda s: s * 0.4, id="few values, less sixty per cent"),
        pytest.param("charge", lambda s: s / 10 + 9, id="values that only look like it"),
        pytest.param("distance", lambda s: s * 1.45, id="by a factor that news may have"),
        pytest.param("distance", lambda s: s * 2, id="doubled, which is nearly pounds"),
        pytest.param("distance", lambda s: s * 0.5, id="halved, which is nearly kilograms"),
        pytest.param("distance", lambda s: s**1.4, id="long ones more than short ones"),
        pytest.param("wild", lambda s: s * 1.609344, id="a column that goes so far by itself"),
    ],
)
def test_a_change_that_may_be_news_does_not_block(
    past: Past, column: str, change: Callable[[pd.Series], Any]
) -> None:
    assert past.gate(changed(column, change)).verdict is not Verdict.BLOCK


@pytest.mark.parametrize("factor", [2.5, 2.54, 0.6, 1 / 1.609344, 0.4, 1 / 2.54, 0.3, 0.3048])
def test_what_a_price_or_a_unit_may_be_is_released_by_a_person_alone(past: Past, factor: float) -> None:
    report = past.gate(changed("distance", lambda s: s * factor))
    assert report.verdict is Verdict.PROBATION
    assert any(each.by_person for each in report.failed)


def gusts(seed: int) -> pd.DataFrame:
    """Numbers in steps of 2, with about as many different ones as still count as few: 20."""
    rng = np.random.default_rng(3000 + seed)
    return trips(seed)[["id", "temp", "y"]].assign(
        gust=np.where(rng.random(2000) < 0.5, np.nan, 2.0 * rng.poisson(9, 2000) + 16),
        even=2.0 * rng.integers(3, 25, 2000),
    )


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Past:
    past = Past(tmp_path_factory.mktemp("steps"), [gusts(number) for number in range(10)])
    few = {each.columns["gust"].categories is not None for each in past.profiles.values()}
    assert few == {True, False}
    return past


@pytest.mark.parametrize("column", ["gust", "even"])
@pytest.mark.parametrize("factor", [10, 0.01, 2.20462, -1])
@pytest.mark.parametrize("seed", range(99, 103))
def test_another_unit_of_numbers_in_steps_blocks(
    stepped: Past, column: str, factor: float, seed: int
) -> None:
    frame = gusts(seed)
    assert stepped.gate(frame).verdict is not Verdict.BLOCK
    report = stepped.gate(frame.assign(**{column: frame[column] * factor}))
    assert any(f"the unit of '{column}' must stay" in reason for reason in report.reasons), report.reasons


def test_a_flag_or_two_values_have_no_unit() -> None:
    assert unit_of_values({10: 0.5, 100: 0.5}, {1: 0.5, 10: 0.5}) is None
    assert unit_of_values({0: 0.5, 100: 0.5}, {0: 0.5, 1: 0.5}) is None


def visits(seed: int) -> pd.DataFrame:
    """The days of a web shop: long-tailed seconds, counts from one, and whole percents, some empty."""
    rng = np.random.default_rng(2000 + seed)
    rows = int(340 * rng.uniform(0.8, 1.2))
    return month(seed, rows)[["id", "temp", "y"]].assign(
        secs=rng.exponential(180, rows).round(1),
        pages=rng.poisson(5, rows) + 1,
        discount=np.where(rng.random(rows) < 0.3, np.nan, rng.integers(0, 31, rows)),
        rating=rng.choice([1, 2, 3, 4, 5], rows, p=[0.05, 0.1, 0.2, 0.35, 0.3]),
    )


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("days"), [visits(number) for number in range(20)])


@pytest.mark.parametrize(
    ("column", "factor"),
    [
        *(("secs", factor) for factor in (60, 1 / 60, 1000, 1 / 3600, 0.1, 24)),
        *(("pages", factor) for factor in (10, 100, 0.1)),
        *(("discount", factor) for factor in (0.01, 0.1, 10)),
    ],
)
def test_another_unit_of_a_long_tail_or_of_counts_blocks(days: Past, column: str, factor: float) -> None:
    frame = visits(99)
    report = days.gate(frame.assign(**{column: frame[column] * factor}))
    assert report.verdict is Verdict.BLOCK, report.reasons
    assert any(f"the unit of '{column}' must stay" in reason for reason in report.reasons)


@pytest.mark.parametrize(
    ("column", "factor", "by_person"),
    [
        pytest.param("secs", 2, True, id="doubled, which is nearly Fahrenheit where numbers are great"),
        pytest.param("secs", 5, True, id="numbers times a factor that is no unit's"),
        pytest.param("rating", 2, True, id="few values times a factor that is no unit's"),
        pytest.param("secs", 1.4, False, id="by less than half, as prices may go"),
    ],
)
def test_numbers_on_another_scale_are_released_by_a_person_alone(
    days: Past, column: str, factor: float, by_person: bool
) -> None:
    frame = visits(99)
    report = days.gate(frame.assign(**{column: frame[column] * factor}))
    assert report.verdict is Verdict.PROBATION
    assert any(each.by_person for each in report.failed) is by_person


def test_of_units_that_a_column_which_varies_may_be_in_the_likeliest_is_named() -> None:
    quantiles = np.array([1, 2, 4, 8, 11, 16, 20])
    scale = Scale.of([tuple(quantiles * each) for each in (1.1, 0.9, 1.15, 0.85, 1, 1.2, 0.8, 1)])
    assert scale is not None
    shift = scale.shift(tuple(quantiles * 8.3))
    assert shift is not None
    assert scale.unit(shift) == "units 10 times smaller"  # 7 is nearer
    assert scale.unit(math.log(2.2)) is None  # it may have gone so far by itself


def test_a_suite_of_a_former_version_judges_on(days: Past) -> None:
    """It has values without shares, and a ratio in place of the scale."""
    suite = deepcopy(days.suite)
    for each in suite["meta"][LEARNED]["extremes"].values():
        each.pop("scale", None)
        each |= {"ratio": 0.05} if each["quantiles"] else {"values": [1.0, 2.0]}
    frame = visits(99)
    for cells, verdict in ((frame["temp"], Verdict.PASS), (frame["temp"] * 1.8 + 32, Verdict.BLOCK)):
        path = days.write(frame.assign(temp=cells))
        report = gate_files([(path.name, path)], [suite], days.params.dataset, days.params.gate)
        assert report.verdict is verdict, report.reasons


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


FINITE = st.lists(
    st.floats(allow_nan=False, allow_infinity=False), min_size=len(QUANTILES), max_size=len(QUANTILES)
).map(sorted)


@example([1e300] * 7, [1e-300] * 7)
@example([1.7e308] * 7, [-1.7e308] * 3 + [0.0] + [1.7e308] * 3)
@given(FINITE, FINITE)
def test_the_distance_of_finite_quantiles_is_a_finite_number(now: list[float], before: list[float]) -> None:
    assert math.isfinite(distance(now, before))
    assert distance(now, now) == 0
