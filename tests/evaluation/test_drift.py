"""How new rows differ from the champion's sample: measured against shifts that were made on purpose."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, norm, wasserstein_distance

from incumbent.errors import BadData
from incumbent.evaluation.drift import MAJOR, Drift, Shift, drift
from incumbent.features.clean import Cleaning
from incumbent.features.schema import Feature, Schema
from incumbent.params import CleanParams, Limits

SCHEMA = Schema((Feature("size"), Feature("colour", ("blue", "green", "red"))), target="y", positive=1)
EVENLY = {"size": 0.5, "colour": 0.5}


def table(rows: int, seed: int, mean: float = 0.0, red: float = 0.2, rate: float = 0.3) -> pd.DataFrame:
    """A number, a category and a target, drawn anew for each seed."""
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "green", "blue"], rows, p=[red, (1 - red) / 2, (1 - red) / 2])
    return pd.DataFrame(
        {"size": rng.normal(mean, 1, rows), "colour": colour, "y": (rng.random(rows) < rate).astype(int)}
    )


def seen(before: pd.DataFrame, now: pd.DataFrame, schema: Schema = SCHEMA) -> Drift:
    found = drift(schema, before, [now], EVENLY)
    assert found is not None
    return found


def shift(found: Drift, column: str) -> Shift:
    [one] = [each for each in (*found.features, found.target) if each.column == column]
    return one


def test_rows_of_the_same_kind_have_not_moved() -> None:
    found = seen(table(20_000, 1), table(5_000, 2))
    assert found.moved == ()
    assert not found.target.moved
    assert (found.share, found.before, found.now) == (0.0, 10_000, 5_000)
    assert max(each.psi for each in (*found.features, found.target)) < 0.02


def test_each_distance_is_what_its_definition_gives() -> None:
    number = shift(seen(table(100_000, 1), table(100_000, 2, mean=1.0)), "size")
    assert number.wasserstein == pytest.approx(1.0, abs=0.04)  # one standard deviation
    assert number.ks == pytest.approx(2 * norm.cdf(0.5) - 1, abs=0.02)
    edges = norm.cdf(norm.ppf(np.arange(1, 10) / 10) - 1)
    q, p = np.diff([0.0, *edges, 1.0]), np.full(10, 0.1)
    assert number.psi == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=0.1)
    category = shift(seen(table(100_000, 1, red=0.2), table(100_000, 2, red=0.6)), "colour")
    p, q = np.array([0.2, 0.4, 0.4]), np.array([0.6, 0.2, 0.2])
    assert category.psi == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=0.1)
    m = (p + q) / 2
    divergence = ((p * np.log2(p / m)).sum() + (q * np.log2(q / m)).sum()) / 2
    assert category.jensen_shannon == pytest.approx(np.sqrt(divergence), rel=0.06)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 300), values=st.integers(1, 300))
def test_the_distances_of_numbers_are_scipys(seed: int, rows: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    before, now = table(300, seed), table(rows, seed + 1, mean=rng.normal())
    for frame in (before, now):
        frame["size"] = (frame["size"] * values).round()  # some values come often
    number = shift(seen(before, now), "size")
    first, second = before["size"].to_numpy(), now["size"].to_numpy()
    assert number.ks == pytest.approx(ks_2samp(first, second).statistic)
    assert number.wasserstein == pytest.approx(wasserstein_distance(first, second) / first.std())


def test_what_moved_counts_by_what_the_model_makes_of_it() -> None:
    found = drift(SCHEMA, table(5_000, 1), [table(5_000, 2, mean=2.0)], {"size": 0.7, "colour": 0.3})
    assert found is not None
    assert [each.column for each in found.moved] == ["size"]
    assert found.share == 0.7
    assert found.features[0].words == "major"


def test_the_target_moves_by_itself() -> None:
    found = seen(table(5_000, 1, rate=0.1), table(5_000, 2, rate=0.5))
    assert found.target.moved
    assert found.moved == ()


def test_a_moderate_shift_is_called_so() -> None:
    number = shift(seen(table(50_000, 1), table(50_000, 2, mean=0.4)), "size")
    assert 0.1 < number.psi < MAJOR
    assert (number.words, number.moved) == ("moderate", False)


def test_cells_that_empty_out_are_a_shift() -> None:
    now = table(5_000, 2)
    now.loc[::2, "size"] = np.nan
    now.loc[::2, "colour"] = None
    found = seen(table(5_000, 1), now)
    for column in ("size", "colour"):
        assert shift(found, column).moved
        assert (shift(found, column).missing_before, shift(found, column).missing_now) == (0.0, 0.5)


def test_a_column_that_never_varied_shows_when_it_does() -> None:
    for value in (-1.0, 3.0):
        found = seen(table(500, 1).assign(size=2.0), table(500, 2).assign(size=value))
        assert shift(found, "size").moved
        assert shift(found, "size").wasserstein is None  # no spread to measure by
    assert not shift(seen(table(500, 1).assign(size=2.0), table(500, 2).assign(size=2.0)), "size").moved


def test_categories_that_nobody_knew_are_a_shift() -> None:
    found = seen(table(5_000, 1), table(5_000, 2).assign(colour="mauve"))
    assert shift(found, "colour").moved


def test_cleaning_comes_before_the_comparison() -> None:
    cleaning = Cleaning(CleanParams(trim=True, case="lower", impossible={"size": Limits(min=-10)}))
    schema = Schema(SCHEMA.features, target="y", positive=1, cleaning=cleaning)
    now = table(5_000, 2)
    untidy = now.assign(colour=" " + now["colour"].str.upper())
    assert not shift(seen(table(5_000, 1), untidy, schema), "colour").moved
    assert shift(seen(table(5_000, 1), untidy), "colour").moved
    now.loc[::2, "size"] = -999.0
    assert shift(seen(table(5_000, 1), now, schema), "size").missing_now == 0.5


def test_a_column_that_became_empty_is_compared_too() -> None:
    found = seen(table(500, 1), table(500, 2).assign(size=None, colour=None))
    assert shift(found, "size").moved
    assert (shift(found, "size").ks, shift(found, "size").wasserstein) == (None, None)


def test_without_rows_there_is_nothing_to_say() -> None:
    assert drift(SCHEMA, table(0, 1), [table(10, 2)], EVENLY) is None
    assert drift(SCHEMA, table(10, 1), [], EVENLY) is None
    with pytest.raises(BadData, match="colour"):
        drift(SCHEMA, table(10, 1), [table(10, 2).drop(columns="colour")], EVENLY)


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(20, 400),
    categories=st.integers(2, 200),
)
def test_chance_on_few_rows_is_no_shift(seed: int, rows: int, categories: int) -> None:
    """The convention alone would call many of these major: 100 categories on 50 rows."""
    rng = np.random.default_rng(seed)
    words = [f"c{number:03d}" for number in range(categories)]
    schema = Schema((Feature("size"), Feature("colour", tuple(words))), target="y", positive=1)
    before, now = (
        pd.DataFrame({"size": rng.normal(size=n), "colour": rng.choice(words, n), "y": rng.integers(0, 2, n)})
        for n in (5_000, rows)
    )
    found = seen(before, now, schema)
    # Three columns that each pass for moved once in a thousand times: two at once are a defect.
    assert sum(each.moved for each in (*found.features, found.target)) <= 1


@given(st.data())
def test_any_two_tables_of_a_schema_can_be_compared(data: st.DataObject) -> None:
    numbers = st.one_of(st.none(), st.floats(width=32), st.integers(-3, 3).map(float))
    words = st.one_of(st.none(), st.sampled_from(["red", "blue", "mauve", ""]))
    rows = st.lists(st.tuples(numbers, words, st.integers(0, 1)), min_size=1, max_size=30)
    before, now = (
        pd.DataFrame(data.draw(rows), columns=["size", "colour", "y"]).astype({"size": "float64"})
        for _ in range(2)
    )
    for each in (*seen(before, now).features, seen(before, now).target):
        assert np.isfinite(each.psi)
        assert each.psi >= 0
        assert each.jensen_shannon is None or 0 <= each.jensen_shannon <= 1
        assert each.ks is None or 0 <= each.ks <= 1
        assert each.wasserstein is None or each.wasserstein >= 0


def test_rows_without_a_label_drift_by_their_features_alone() -> None:
    before, now = table(20_000, 1), table(5_000, 2, mean=1.0).astype({"y": float})
    half = now.assign(y=now["y"].where(np.arange(5_000) % 2 == 0))
    assert not seen(before, half).target.moved
    none = seen(before, now.assign(y=np.nan))
    assert (none.target, none.now) == (None, 5_000)
    assert shift(seen(before, half), "size") == none.features[0]
    assert none.to_json()["target"] is None
