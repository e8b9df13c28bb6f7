"""Cleaning: the same cells change in training and in scoring, and each step tells how many."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.errors import BadData
from incumbent.features.clean import Cleaning, CleaningCounts, CleaningLearner
from incumbent.features.frames import Side
from incumbent.features.learn_schema import learn_schema
from incumbent.features.rows import read_rows, training_rows
from incumbent.features.schema import Schema
from incumbent.params import CleanParams, Params
from tests.building import changed, toy_params

TABLE = pd.DataFrame(
    {
        "age": [20.0, 30.0, np.nan, 40.0, 999.0],
        "fare": [1.0, 2.0, 3.0, 4.0, 1000.0],
        "city": [" Rome", "rome", "ROME ", None, "  "],
        "y": [0, 1, 0, 1, 1],
    }
)


def cleaned(frame: pd.DataFrame = TABLE, **steps: Any) -> tuple[pd.DataFrame, CleaningCounts]:
    learner = CleaningLearner(CleanParams.model_validate(steps))
    learner.clean(frame)
    cleaning_counts = CleaningCounts()
    return learner.learned().apply(frame, cleaning_counts), cleaning_counts


@pytest.mark.parametrize(
    ("steps", "column", "expected", "told"),
    [
        ({"trim": True}, "city", ["Rome", "rome", "ROME", None, None], {"trim city": 3}),
        ({"case": "lower"}, "city", [" rome", "rome", "rome ", None, "  "], {"case city": 2}),
        (
            {"trim": True, "case": "upper"}, "city", ["ROME", "ROME", "ROME", None, None],
            {"trim city": 3, "case city": 2},
        ),
        ({"impossible": {"age": {"max": 120}}}, "age", [20, 30, None, 40, None], {"impossible age": 1}),
        ({"impossible": {"age": {"min": 25}}}, "age", [None, 30, None, 40, 999], {"impossible age": 1}),
        ({"clip": {"fare": [0.25, 0.75]}}, "fare", [2, 2, 3, 4, 4], {"clip fare": 2}),
        ({"missing": {"age": "median"}}, "age", [20, 30, 35, 40, 999], {"missing age": 1}),
        ({"missing": {"age": -1.0}}, "age", [20, 30, -1, 40, 999], {"missing age": 1}),
        (
            {"impossible": {"age": {"max": 120}}, "missing": {"age": "mean"}}, "age", [20, 30, 30, 40, 30],
            {"impossible age": 1, "missing age": 2},
        ),
        (
            {"trim": True, "case": "lower", "missing": {"city": "most-frequent"}}, "city", ["rome"] * 5,
            {"trim city": 3, "case city": 2, "missing city": 2},
        ),
        (
            {"missing": {"city": "nowhere"}}, "city", [" Rome", "rome", "ROME ", "nowhere", "  "],
            {"missing city": 1},
        ),
    ],
)  # fmt: skip
def test_each_step_changes_its_cells_and_counts_them(
    steps: dict[str, Any], column: str, expected: list[object], told: dict[str, int]
) -> None:
    before = TABLE.copy(deep=True)
    frame, cleaning_counts = cleaned(**steps)
    found = [None if pd.isna(value) else value for value in frame[column]]
    assert found == expected
    assert {step: count for step, count in cleaning_counts.items() if count} == told
    pd.testing.assert_frame_equal(frame.drop(columns=column), TABLE.drop(columns=column))
    pd.testing.assert_frame_equal(TABLE, before)


def test_a_quantile_and_a_fill_come_from_the_training_rows_alone() -> None:
    learner = CleaningLearner(CleanParams(clip={"fare": [0.0, 0.75]}, missing={"age": "median"}))
    for part in (TABLE.iloc[:2], TABLE.iloc[2:]):
        learner.clean(part)
    later = pd.DataFrame({"age": [np.nan], "fare": [5e6], "city": [None]})
    assert learner.learned().apply(later)[["age", "fare"]].to_numpy().tolist() == [[35.0, 4.0]]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ({"missing": {"size": 0.0}}, "clean names ['size'], but the data has only ['age', 'city', 'fare',"),
        ({"clip": {"city": [0, 1]}}, "clean.clip of 'city' needs numbers; it holds ' Rome'"),
        ({"missing": {"city": "mean"}}, "clean.missing of 'city' needs numbers"),
        ({"missing": {"age": "medain"}}, "clean.missing of 'age' is 'medain', and the column holds 20.0"),
        ({"missing": {"city": 0.0}}, "clean.missing of 'city' is 0.0, and the column holds ' Rome'"),
    ],
)
def test_a_step_that_does_not_fit_its_column_is_refused(steps: dict[str, Any], told: str) -> None:
    with pytest.raises(BadData) as caught:
        cleaned(**steps)
    assert told in str(caught.value)


def test_limits_of_numbers_leave_a_text_trimmed() -> None:
    frame, _ = cleaned(trim=True, impossible={"city": {"min": 0}})
    assert frame["city"].tolist()[:3] == ["Rome", "rome", "ROME"]


def test_empty_cells_among_booleans_and_in_empty_columns_are_filled() -> None:
    flags = pd.DataFrame({"flag": [True, None, True], "age": [1.0, 2.0, 3.0]})
    learner = CleaningLearner(CleanParams(missing={"flag": "most-frequent", "age": "mean"}))
    learner.clean(flags)
    assert learner.learned().apply(flags)["flag"].tolist() == [1.0, 1.0, 1.0]
    for empty in (pd.Series([None], dtype=object), pd.Series([None], dtype="str")):
        later = pd.DataFrame({"flag": [False], "age": empty})
        assert learner.learned().apply(later)["age"].tolist() == [2.0]


def test_a_fill_of_a_column_without_values_is_refused() -> None:
    with pytest.raises(BadData, match="'age': the column is empty in all training rows"):
        cleaned(TABLE.assign(age=np.nan), missing={"age": "mean"})


STEPS = {
    "trim": True,
    "case": "lower",
    "impossible": {"age": {"min": 0, "max": 120}},
    "clip": {"fare": [0.1, 0.9]},
    "missing": {"age": "median", "city": "unknown"},
}


@given(
    st.lists(
        st.tuples(
            st.floats(-10, 200) | st.none(),
            st.floats(-1e6, 1e6) | st.none(),
            st.sampled_from([None, "", " ", "Rome", " rome", "OSLO", "oslo "]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_cleaning_a_clean_table_changes_nothing(rows: list[tuple[Any, Any, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=["age", "fare", "city"])
    frame = frame.astype({"age": "float64", "fare": "float64", "city": "str"})
    learner = CleaningLearner(CleanParams.model_validate(STEPS))
    learner.clean(TABLE)
    cleaning = Cleaning.from_json(learner.learned().to_json())
    once = cleaning.apply(frame)
    cleaning_counts = CleaningCounts()
    twice = cleaning.apply(once, cleaning_counts)
    assert once.astype("object").equals(twice.astype("object"))
    assert sum(cleaning_counts.values()) == 0
    assert not once[["age", "city"]].isna().any(axis=None)


def wide(folder: Path, name: str, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, 400).round(1),
            "city": rng.choice(["Rome", " Rome", "rome", "Oslo"], 400),
            "row": range(400),
            "y": rng.integers(0, 2, 400),
        }
    )
    frame.loc[::7, "age"] = 999.0
    frame.loc[::11, "age"] = np.nan
    path = folder / name
    pd.concat([frame, frame.iloc[:50]]).to_parquet(path, index=False)
    return path


@pytest.fixture
def params() -> Params:
    steps = {**STEPS, "clip": {"age": [0.05, 0.95]}, "duplicates": True}
    return changed(toy_params(), split={"by": ["row"]}, clean=steps, dataset={"drop": ["row"]})


def test_training_and_scoring_see_the_same_cells(tmp_path: Path, params: Params) -> None:
    path = wide(tmp_path, "a.parquet", 1)
    schema, rows = training_rows([path], params)
    assert {feature.name: feature.categories for feature in schema.features}["city"] == (
        "oslo", "rome", "unknown",
    )  # fmt: skip
    assert not np.isnan(rows.X).any()
    assert rows.cleaning_counts["impossible age"] > 0
    assert rows.cleaning_counts["duplicates"] > 0
    raw = pd.read_parquet(path)
    again = Schema.from_json(schema.to_json())
    assert np.array_equal(again.encode(raw), schema.encode(raw))
    dirty = pd.DataFrame({"age": [999.0, np.nan, 40.0], "city": [" ROME ", None, "oslo"]})
    encoded = again.encode(dirty)
    assert encoded[0, 0] == encoded[1, 0] == np.float32(schema.cleaning.fills["age"])
    assert encoded[:, 1].tolist() == [1, 2, 0]
    assert again.unseen_share(dirty) == 0.0


def test_copies_of_a_row_train_once_and_judge_as_often_as_they_are(tmp_path: Path, params: Params) -> None:
    path = wide(tmp_path, "a.parquet", 1)
    keep = changed(params, clean={"duplicates": False})
    schema = learn_schema([pd.read_parquet(path)], params.dataset, clean=params.clean)
    for side, fewer in ((Side.TRAINING, True), (Side.HOLDOUT, False)):
        once, all_ = (len(read_rows([path], schema, each, side).y) for each in (params, keep))
        assert (once < all_) is fewer


def test_versions_from_before_there_was_cleaning_need_no_retraining(params: Params) -> None:
    plain = toy_params()
    before = plain.model_dump(mode="json")
    del before["clean"]
    assert plain.shaping_changes(before) == ()
    assert params.shaping_changes(before) != ()
