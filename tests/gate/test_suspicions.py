"""Warnings that no suite has to ask for: infinities, times to come, a target that leaks or never varies."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from incumbent.gate.suspicions import oddities, suspicions
from incumbent.params import DatasetParams, FeatureParams

ROWS = 2_000
RNG = np.random.default_rng(7)
TARGET = RNG.random(ROWS) < 0.2
EVERY_TIME = FeatureParams(dates={"closed": ["day"]})


def seen(
    tmp_path: Path,
    frame: pd.DataFrame,
    task: Any = "binary",
    features: FeatureParams = EVERY_TIME,
    **dataset: Any,
) -> dict[str, str]:
    """What is suspicious about a table with the target `y`, by the expectation that it breaks."""
    frame.to_parquet(tmp_path / "new.parquet", index=False)
    known = DatasetParams(**{"name": "toy", "target": "y", **dataset})
    found = suspicions("new.parquet", tmp_path / "new.parquet", known, task, features)
    assert all(each.severity == "warning" and not each.success for each in found)
    return {each.expectation: each.observed for each in found}


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"size": RNG.normal(size=ROWS), "y": TARGET, **columns})


def test_an_ordinary_table_is_not_suspicious(tmp_path: Path) -> None:
    useful = TARGET + RNG.normal(0, 0.7, ROWS)
    assert 0.8 < roc_auc_score(TARGET, useful) < 0.9
    assert seen(tmp_path, table(useful=useful, word=RNG.choice(list("abc"), ROWS))) == {}


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(TARGET, id="the target itself"),
        pytest.param(~TARGET, id="its opposite"),
        pytest.param(np.where(TARGET, 5.0, 1.0) + RNG.normal(0, 0.3, ROWS), id="a number after the fact"),
        pytest.param(np.where(TARGET, "late", "fine"), id="a word for it"),
        pytest.param(np.where(RNG.random(ROWS) < 0.5, TARGET.astype(float), np.nan), id="where it is known"),
    ],
)
def test_a_target_in_disguise_is_told(tmp_path: Path, leak: Any) -> None:
    [(expected, told)] = seen(tmp_path, table(arrived=leak)).items()
    assert expected == "column 'arrived' should be no leak of the target"
    assert "known before the target is?" in told


def test_an_identifier_is_no_leak(tmp_path: Path) -> None:
    words = [f"row {number}" for number in range(ROWS)]
    assert seen(tmp_path, table(word=words, number=RNG.permutation(ROWS))) == {}


def test_what_is_no_feature_may_know_the_target(tmp_path: Path) -> None:
    assert seen(tmp_path, table(arrived=TARGET), drop=["arrived"]) == {}


def test_the_gate_says_nothing_of_a_time_that_the_model_does_not_read(tmp_path: Path) -> None:
    frame = table(closed=pd.to_datetime(np.where(TARGET, "2025-01-31", None)))
    assert seen(tmp_path, frame, features=FeatureParams()) == {}
    assert seen(tmp_path, frame, features=FeatureParams(frequency=["closed"]))
    assert seen(tmp_path, frame, features=FeatureParams(function="own:features"))
    [at_first] = oddities([tmp_path / "new.parquet"], DatasetParams(name="toy", target="y"), "binary")
    assert at_first.column == "closed"  # init tells a person who may make features of it


def test_the_gate_says_nothing_of_infinite_numbers_that_the_model_does_not_read(tmp_path: Path) -> None:
    frame = table(ratio=np.inf)
    assert seen(tmp_path, frame, drop=["ratio"]) == {}
    assert seen(tmp_path, frame) == {"column 'ratio' should be finite": "infinite in 2,000 rows"}


def test_classes_and_numbers_leak_too(tmp_path: Path) -> None:
    classes = RNG.choice(["low", "middle", "high"], ROWS)
    assert seen(tmp_path, table(y=classes, code=classes), "multiclass")
    assert not seen(tmp_path, table(y=classes), "multiclass")
    prices = RNG.lognormal(size=ROWS)
    assert seen(tmp_path, table(y=prices, tax=prices**0.2), "regression")
    assert not seen(tmp_path, table(y=prices, near=prices + RNG.normal(size=ROWS)), "regression")


def test_a_target_that_never_varies_is_told(tmp_path: Path) -> None:
    assert seen(tmp_path, table(y=True)) == {"the target should vary": "every row has y = True"}


def test_infinite_numbers_are_counted(tmp_path: Path) -> None:
    frame = table()
    frame.loc[[3, 9], "size"] = [np.inf, -np.inf]
    assert seen(tmp_path, frame) == {"column 'size' should be finite": "infinite in 2 rows"}


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_times_to_come_are_told(tmp_path: Path, zone: str | None) -> None:
    times = pd.Series(pd.Timestamp.now(tz=zone) - pd.to_timedelta(np.arange(ROWS), unit="h"))
    assert seen(tmp_path, table(at=times), time="at") == {}
    times.iloc[:3] += pd.Timedelta(days=400)
    [(expected, told)] = seen(tmp_path, table(at=times), time="at").items()
    assert expected == "column 'at' should not be in the future"
    assert told.startswith("3 rows lie ahead")


def test_a_table_without_its_target_is_left_to_the_gate(tmp_path: Path) -> None:
    assert seen(tmp_path, table().drop(columns="y")) == {}


SOME = RNG.random(ROWS) < 0.5
UNIQUE = np.array([f"note {number}" for number in range(ROWS)])
GROUPS = RNG.integers(0, 100, ROWS)


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(
            np.where(TARGET, RNG.lognormal(3, 1, ROWS), np.nan), id="a number that is filled for it"
        ),
        pytest.param(np.where(TARGET, np.nan, RNG.lognormal(3, 1, ROWS)), id="a number that is empty for it"),
        pytest.param(np.where(TARGET, UNIQUE, None), id="a text that is filled for it"),
        pytest.param(np.where(TARGET, True, None), id="a truth value that is filled for it"),
        pytest.param(pd.to_datetime(np.where(TARGET, "2025-01-31", None)), id="a time that is filled for it"),
        pytest.param(np.where(TARGET, RNG.normal(size=ROWS), -1), id="a number that stands for none"),
        pytest.param(np.where(TARGET, UNIQUE, "none"), id="a word that stands for none"),
        pytest.param(np.where(SOME & ~TARGET, np.nan, np.where(TARGET, 9, 0)), id="a value, another, empty"),
        pytest.param(2 * GROUPS + TARGET, id="codes of groups"),
        pytest.param((2 * GROUPS + TARGET).astype(str), id="names of groups"),
    ],
)
def test_emptiness_and_single_values_tell_the_target_too(tmp_path: Path, leak: Any) -> None:
    [(expected, told)] = seen(tmp_path, table(closed=leak)).items()
    assert expected == "column 'closed' should be no leak of the target"
    assert "known before the target is?" in told


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_cells_that_are_empty_at_random_or_more_often_for_one_class_are_no_leak(
    tmp_path: Path, share: float
) -> None:
    target = RNG.random(ROWS) < share
    values = RNG.normal(size=ROWS)
    innocent = pd.DataFrame(
        {
            "y": target,
            "at random": np.where(SOME, values, np.nan),
            "more often": np.where(RNG.random(ROWS) < np.where(target, 0.1, 0.9), np.nan, values),
            "mostly": np.where(RNG.random(ROWS) < 0.01, values, np.nan),
            "never": np.nan,
            "always one": 1,
            "customer": RNG.integers(0, ROWS // 5, ROWS),
            "street": RNG.integers(0, ROWS // 10, ROWS).astype(str),
            "twice": np.arange(ROWS) // 2,
        }
    )
    assert seen(tmp_path, innocent) == {}


def test_a_number_is_told_by_emptiness_and_by_groups_as_well(tmp_path: Path) -> None:
    prices = RNG.lognormal(size=ROWS)
    innocent = np.where(RNG.random(ROWS) < np.where(prices > 1, 0.2, 0.7), np.nan, 1.0)
    assert not seen(tmp_path, table(y=prices, near=innocent, group=GROUPS), "regression")
    paid = np.where(prices > 1, 1.0, np.nan)
    [told] = seen(tmp_path, table(y=prices, paid=paid), "regression").values()
    assert told.startswith("perhaps a leak: y is low where it is empty: an AUC of 1.000")
    means = RNG.normal(size=100)[GROUPS] + RNG.normal(0, 0.01, ROWS)
    assert "value by value" in seen(tmp_path, table(y=means, group=GROUPS), "regression").popitem()[1]


def test_partitions_with_few_rows_are_looked_at_together(tmp_path: Path) -> None:
    days = [tmp_path / f"2025-01-{day:02}.parquet" for day in range(1, 41)]
    leak = np.where(TARGET, 1.0, np.nan)
    for number, day in enumerate(days):
        table(closed=leak).iloc[number * 50 : number * 50 + 50].to_parquet(day, index=False)
    toy = DatasetParams(name="toy", target="y")
    assert suspicions(days[0].name, days[0], toy, "binary", FeatureParams()) == []
    [leaking] = oddities(days, toy, "binary")
    assert leaking.column == "closed"


def test_a_column_that_always_told_the_target_as_well_is_no_news(tmp_path: Path) -> None:
    days = []
    for number in range(3):
        days.append(tmp_path / f"{number}.parquet")
        noise = RNG.normal(0, 0.3, ROWS)
        table(alcohol=TARGET + noise, closed=RNG.normal(size=ROWS)).to_parquet(days[-1], index=False)
    new = table(alcohol=TARGET + RNG.normal(0, 0.3, ROWS), closed=TARGET + RNG.normal(0, 0.01, ROWS))
    new.to_parquet(tmp_path / "new.parquet", index=False)
    toy = DatasetParams(name="toy", target="y")

    def leaking(recent: list[Path]) -> set[str]:
        findings = suspicions(
            "new.parquet", tmp_path / "new.parquet", toy, "binary", EVERY_TIME, recent=recent
        )
        return {each.expectation.split("'")[1] for each in findings}

    assert leaking([]) == {"alcohol", "closed"}
    assert leaking(days) == {"closed"}
