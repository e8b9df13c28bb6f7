"""Two columns that stand under each other's names are more like a fault than news."""

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import Verdict
from tests.gate.test_learned import Past
from tests.gate.test_units import visits


def shop(seed: int) -> pd.DataFrame:
    frame = visits(seed)
    return frame.assign(
        device=frame["rating"].map({1: "tv", 2: "tablet", 3: "laptop", 4: "mobile", 5: "desktop"}),
        country=frame["pages"].mod(4).map({0: "DE", 1: "FR", 2: "IT", 3: "ES"}),
        price=(frame["temp"] + 30) ** 2 / 20,
        hue=np.exp(frame["temp"] / 100),
        ash=2.3 * np.exp((frame["pages"] + frame["temp"] / 10) / 30),
    )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("swaps"), [shop(number) for number in range(12)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("secs", "price", id="numbers"),
        pytest.param("device", "country", id="texts"),
        pytest.param("pages", "price", id="few values and many"),
        pytest.param("hue", "ash", id="numbers that look as if in inches and in centimetres"),
        pytest.param("rating", "discount", id="one that is never empty and one that is"),
    ],
)
def test_swapped_columns_are_told_with_each_other_and_released_by_a_person_alone(
    past: Past, one: str, other: str
) -> None:
    frame = shop(99)
    report = past.gate(frame.assign(**{one: frame[other], other: frame[one]}))
    assert report.verdict is Verdict.PROBATION, report.reasons
    told = {each.figure[0]: each for each in report.failed if each.figure}
    for column, instead in ((one, other), (other, one)):
        assert f"; perhaps swapped with '{instead}'" in told[column].observed
        assert told[column].by_person


def test_a_column_that_became_like_another_is_not_swapped(past: Past) -> None:
    frame = shop(99)
    report = past.gate(frame.assign(secs=frame["price"]))
    assert not any("swapped" in each.observed for each in report.failed)
