"""A part of the key that says where, not which row, is watched as any column; an id is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import Verdict
from tests.building import toy_params
from tests.gate.test_learned import Past

PARAMS = toy_params(dataset={"name": "toy", "target": "y", "key": ["shop", "till", "week", "receipt"]})


def week(number: int) -> pd.DataFrame:
    random = np.random.default_rng(number)
    rows = 2400
    score = random.normal(0, 1, rows)
    return pd.DataFrame(
        {
            "shop": np.repeat(["Bern", "Graz", "Wien"], rows // 3),
            "till": np.tile(np.arange(1, 41), rows // 40),
            "week": number,
            "receipt": 10_000 * number + np.arange(rows) // 4,
            "price": np.exp(random.normal(3, 0.5, rows)),
            "score": score,
            "y": (score + random.normal(0, 1, rows) > 0).astype(int),
        }
    )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("weeks"), [week(number) for number in range(1, 10)], PARAMS)


def test_only_parts_of_the_key_that_repeat_are_in_the_profile(past: Past, tmp_path: Path) -> None:
    columns = {"week", "price", "score", "y"}
    assert past.profiles["p00.parquet"].columns.keys() == columns | {"shop", "till"}
    alone = toy_params(dataset={"name": "toy", "target": "y", "key": ["receipt"]})
    whole = Past(tmp_path, [week(1)], alone).profiles["p00.parquet"].columns
    assert whole.keys() == columns | {"shop", "till"}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        pytest.param(week(10).assign(shop=lambda f: f["shop"].str.lower()), "new: 'bern'", id="lower case"),
        pytest.param(
            week(10)[lambda f: f["shop"] != "Graz"],
            "the frequencies of the values of 'shop'",
            id="a shop gone",
        ),
        pytest.param(week(10).assign(till=lambda f: f["till"] + 100), "'till' is a value", id="other tills"),
    ],
)
def test_a_fault_in_a_part_of_the_key_is_suspicious(past: Past, frame: pd.DataFrame, words: str) -> None:
    report = past.gate(frame)
    assert report.verdict is Verdict.PROBATION
    assert any(words in reason for reason in report.reasons), report.reasons


@pytest.mark.parametrize("weeks", [1, 2, 6, 9])
def test_numbers_of_the_key_grow_and_are_no_other_unit(tmp_path: Path, weeks: int) -> None:
    """Twice as great a number is no unit, nor a longer one another text."""
    past = Past(tmp_path, [week(number) for number in range(1, weeks + 1)], PARAMS)
    assert past.gate(week(weeks + 1)).verdict is Verdict.PASS


def test_rows_that_repeat_under_another_key_are_told_also_where_a_part_of_it_is_watched(past: Past) -> None:
    again = week(4).assign(week=10, shop=lambda frame: frame["shop"].to_numpy()[::-1])
    report = past.gate(again)
    assert report.verdict is Verdict.BLOCK
    assert any("rows must not repeat an earlier partition's" in reason for reason in report.reasons)
