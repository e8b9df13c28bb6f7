"""Slices: which there are, which can't be judged and why, and where a challenger is worse."""

import numpy as np
import pandas as pd
import pytest

from incumbent.compare import Incomparable, compare, compare_slices
from incumbent.errors import BadData
from incumbent.evaluation.decide import Evidence
from incumbent.params import PromotionParams, SliceParams
from tests.building import stored

ROWS = 1200


def policy(*columns: str, min_rows: int = 100, metric: str = "roc_auc") -> PromotionParams:
    return PromotionParams(
        metric=metric, resamples=500, slices=SliceParams(columns=[*columns], min_rows=min_rows)
    )


def table() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]:
    """A challenger that sees better in the north and east, and nothing in the south; groups are days."""
    rng = np.random.default_rng(0)
    region = np.array(["north", "east", "south", "west"])[np.arange(ROWS) % 4]
    y = rng.integers(0, 2, ROWS)
    champion = y + rng.normal(size=ROWS)
    challenger = np.where(region == "south", 0.0, 1.5 * y) + rng.normal(size=ROWS)
    return y, champion, challenger, np.arange(ROWS) // 4 % 60, pd.DataFrame({"region": region})


def test_the_slice_where_the_challenger_is_worse_is_found() -> None:
    y, champion, challenger, day, columns = table()
    found = compare_slices(y, champion, challenger, day, columns, policy("region"))
    assert [each.value for each in found] == ["east", "north", "south", "west"]
    assert [each.worse for each in found] == [False, False, True, False]
    rows = (columns["region"] == "south").to_numpy()
    alone = compare(y[rows], champion[rows], challenger[rows], day[rows], policy("region"))
    assert found[2].comparison == alone
    assert found[2].p_worse == pytest.approx(4 * alone.p_worse)
    assert compare(y, champion, challenger, day, policy()).gain.value > -0.1


def test_an_error_that_grows_is_worse() -> None:
    y, champion, challenger, day, columns = table()
    squeezed = [1 / (1 + np.exp(-2 * (each - 0.5))) for each in (champion, challenger)]
    found = compare_slices(y, *squeezed, day, columns, policy("region", metric="log_loss"))
    assert {each.value for each in found if each.worse} == {"south"}
    assert found[2].comparison is not None
    assert found[2].comparison.difference.value > 0


def test_p_values_are_adjusted_by_holm_over_all_columns() -> None:
    y, champion, challenger, day, columns = table()
    columns["channel"] = np.random.default_rng(1).choice(["a", "b", "c"], ROWS)
    found = compare_slices(y, champion, challenger, day, columns, policy("region", "channel"))
    raw = sorted(each.comparison.p_worse for each in found if each.comparison)
    adjusted = np.minimum(1, np.maximum.accumulate(np.array(raw) * np.arange(len(raw), 0, -1)))
    assert len(raw) == 7
    assert sorted(each.p_worse for each in found) == pytest.approx(adjusted.tolist())


def test_slices_that_can_not_be_judged_are_listed_with_the_reason() -> None:
    y, champion, challenger, day, columns = table()
    columns["part"] = ["few"] * 99 + ["one day"] * 150 + ["calm"] * 200 + ["rest"] * (ROWS - 449)
    days = np.where(columns["part"] == "one day", 7, day)
    labels = np.where(columns["part"] == "calm", 0, y)
    found = compare_slices(labels, champion, challenger, days, columns, policy("part"))
    assert {each.value: each.reason for each in found} == {
        "calm": "the rows to judge by hold one class only (0 positive, 200 negative)",
        "few": "99 rows; promotion.slices.min_rows = 100",
        "one day": "the rows to judge by belong to 1 group(s) of split.by; later arrivals add groups",
        "rest": None,
    }
    assert [each.value for each in found if each.comparison] == ["rest"]
    # One judged slice needs no correction; the others can't reject anything.
    assert {(each.p_worse, each.worse) for each in found if not each.comparison} == {(1.0, False)}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        pytest.param([None, "a", "b"] * 400, ["a", "b", "missing"], id="text with missing"),
        pytest.param([np.nan, 1.0, 2.0, 2.0] * 300, ["1.0", "2.0", "missing"], id="few numbers"),
        pytest.param([True, False] * 600, ["False", "True"], id="truth values"),
        pytest.param(
            list(range(ROWS)),
            ["(-0.001, 299.75]", "(299.75, 599.5]", "(599.5, 899.25]", "(899.25, 1199.0]"],
            id="many numbers: quartiles",
        ),
        pytest.param(
            [0] * 500 + list(range(700)),
            ["(-0.001, 99.5]", "(99.5, 399.25]", "(399.25, 699.0]"],
            id="quartiles that coincide",
        ),
        pytest.param(
            pd.Categorical(["x", "y"] * 600, categories=["y", "x", "unused"]), ["y", "x"], id="categories"
        ),
        pytest.param(
            pd.array([1, None] * 600, dtype="Int64"), ["1", "missing"], id="whole numbers with missing"
        ),
    ],
)
def test_each_value_of_a_column_is_a_slice(column: list[object], values: list[str]) -> None:
    y, champion, challenger, day, _ = table()
    frame = pd.DataFrame({"column": column})
    found = compare_slices(y, champion, challenger, day, frame, policy("column"))
    assert [each.value for each in found] == values
    assert sum(each.rows for each in found) == ROWS


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadData, match=r"promotion\.slices\.columns names 'planet'"):
        compare_slices(*table(), policy("planet"))


def test_no_columns_are_no_slices() -> None:
    assert compare_slices(*table(), policy()) == ()


def test_slices_survive_their_document() -> None:
    judged, unjudged = (compare_slices(*table(), policy("region", min_rows=rows)) for rows in (2, 301))
    assert judged != unjudged
    assert stored(Evidence(Incomparable("no rows"), judged + unjudged)).slices == judged + unjudged
