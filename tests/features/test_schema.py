"""The contract between a table and a model: learned from training rows, then frozen."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.challenger import REPLAY, make_full
from incumbent.errors import BadData
from incumbent.features.frames import Side, frames
from incumbent.features.learn_schema import learn_schema
from incumbent.features.rows import training_rows
from incumbent.features.schema import Feature, Schema, differences
from incumbent.params import DatasetParams, Params
from incumbent.search.tune import StudyResult
from incumbent.tables.split import group_hashes
from tests.building import fewer_examples

TOY = DatasetParams(name="toy", target="y", positive=1)
DAY = pd.Timestamp("2013-01-01")


def learn(frame: pd.DataFrame, dataset: DatasetParams = TOY) -> Schema:
    return learn_schema([frame], dataset)


def test_features_are_the_sorted_columns_with_the_vocabulary_of_the_text_ones() -> None:
    frame = pd.DataFrame({"size": [1.5, 2.5], "y": [0, 1], "color": ["red", "blue"], "flag": [True, False]})
    assert learn(frame).features == (Feature("color", ("blue", "red")), Feature("flag"), Feature("size"))
    assert learn(frame).categorical == [0]


def test_a_vocabulary_is_gathered_from_all_partitions() -> None:
    parts = [pd.DataFrame({"color": colors, "y": [0, 1]}) for colors in (["red", None], ["blue", "red"])]
    assert learn_schema(parts, TOY).features == (Feature("color", ("blue", "red")),)


@pytest.mark.parametrize(
    ("column", "dataset"),
    [
        pytest.param({"x": [DAY, None]}, {}, id="a timestamp"),
        pytest.param({"x": [DAY.tz_localize("UTC"), None]}, {}, id="a timestamp with a zone"),
        pytest.param({"x": [dt.date(2013, 1, 1), None]}, {}, id="a date"),
        pytest.param({"x": [3, 4]}, {"time": "x"}, id="the column that orders the rows"),
        pytest.param({"x": ["a", "b"]}, {"drop": ["x"]}, id="a dropped column"),
        pytest.param({}, {}, id="the target"),
    ],
)
def test_is_no_feature(column: dict[str, list[object]], dataset: dict[str, object]) -> None:
    frame = pd.DataFrame({"number": [1.0, 2.0], "y": [0, 1], **column})
    assert learn(frame, TOY.model_copy(update=dataset)).features == (Feature("number"),)


def test_a_number_is_a_category_when_params_say_so() -> None:
    schema = learn(pd.DataFrame({"month": [2, 1, 2], "y": [0, 1, 1]}), TOY.model_copy(update=MONTH))
    assert schema.features == (Feature("month", ("1", "2")),)
    assert encoded(schema, month=[1, 2, 3]) == [[0.0], [1.0], [None]]


MONTH = {"categorical": ["month"]}


def test_an_empty_cell_does_not_change_the_categories_of_a_number() -> None:
    schema = learn(pd.DataFrame({"month": [1, 2], "y": [0, 1]}), TOY.model_copy(update=MONTH))
    assert encoded(schema, month=[1, None, 2]) == [[0.0], [None], [1.0]]


def encoded(schema: Schema, **columns: object) -> list[list[float | None]]:
    matrix = schema.encode(pd.DataFrame(columns))
    assert matrix.dtype == np.float32
    return [[None if np.isnan(cell) else float(cell) for cell in row] for row in matrix]


COLORED = Schema((Feature("color", ("blue", "red")), Feature("size")), "y", 1)


@pytest.mark.parametrize(
    ("color", "code"),
    [
        pytest.param("blue", 0.0, id="the first of the vocabulary"),
        pytest.param("red", 1.0, id="the second"),
        pytest.param("green", None, id="never seen"),
        pytest.param("Red", None, id="another case"),
        pytest.param("red ", None, id="another spacing"),
        pytest.param("", None, id="empty text"),
        pytest.param("nan", None, id="the word nan"),
        pytest.param(None, None, id="missing"),
    ],
)
@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_category_is_encoded_as_its_code_or_as_nan(
    color: str | None, code: float | None, dtype: str
) -> None:
    colors = pd.Series([color, "blue"], dtype=dtype)
    assert encoded(COLORED, color=colors, size=[1, 2]) == [[code, 1.0], [0.0, 2.0]]


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(pd.Series([3, None]), id="float"),
        pytest.param(pd.Series([3, None], dtype="Int64"), id="nullable integer"),
        pytest.param(pd.Series([3, None], dtype="Float32"), id="nullable float"),
        pytest.param(pd.Series([3.0, np.nan], dtype="float32"), id="float32"),
    ],
)
def test_an_empty_number_is_encoded_as_nan(sizes: pd.Series) -> None:
    assert encoded(COLORED, color=["red", "red"], size=sizes) == [[1.0, 3.0], [1.0, None]]


@fewer_examples
@given(
    st.lists(st.tuples(st.none() | st.text(max_size=3), st.integers(-999, 999)), min_size=1),
    st.sets(st.text(max_size=3)),
)
def test_a_row_is_encoded_by_itself(rows: list[tuple[str | None, int]], vocabulary: set[str]) -> None:
    schema = Schema((Feature("color", tuple(sorted(vocabulary))), Feature("size")), "y", 1)
    frame = pd.DataFrame(rows, columns=["color", "size"])
    matrix = schema.encode(frame)
    for (color, size), cells in zip(rows, matrix, strict=True):
        assert cells[1] == size
        assert np.isnan(cells[0]) if color not in vocabulary else sorted(vocabulary)[int(cells[0])] == color
    assert np.array_equal(
        matrix, np.vstack([schema.encode(frame[i : i + 1]) for i in range(len(rows))]), True
    )


def test_the_order_of_the_files_columns_does_not_matter(
    january: pd.DataFrame, flights_params: Params
) -> None:
    backwards = january[january.columns[::-1]]
    schema = learn(january, flights_params.dataset)
    assert learn(backwards, flights_params.dataset) == schema
    assert np.array_equal(schema.encode(backwards), schema.encode(january), equal_nan=True)


def test_columns_that_the_model_does_not_know_are_ignored() -> None:
    assert encoded(COLORED, color=["red"], size=[1], weight=[2], y=[1]) == [[1.0, 1.0]]


def test_missing_columns_are_refused_by_name() -> None:
    with pytest.raises(BadData, match=r"columns \['color', 'size'\] are missing"):
        COLORED.encode(pd.DataFrame({"weight": [1]}))


def test_a_number_that_arrives_as_text_is_refused_with_its_column_and_values() -> None:
    arrived = pd.DataFrame({"color": ["red"] * 4, "size": ["1,5", None, "2,5", "n/a"]})
    with pytest.raises(BadData, match=r"column 'size' was a number and now holds \['1,5', '2,5', 'n/a'\]"):
        COLORED.encode(arrived)


def test_a_number_column_without_any_value_is_encoded_as_nan() -> None:
    assert encoded(COLORED, color=["red"], size=pd.Series([None], dtype="object")) == [[1.0, None]]


@pytest.mark.parametrize(
    ("target", "positive", "labels"),
    [
        pytest.param([0, 1, 1], 1, [0, 1, 1], id="integers"),
        pytest.param([0, 1, 1], 0, [1, 0, 0], id="the other class is positive"),
        pytest.param([0.0, 1.0], 1, [0, 1], id="floats"),
        pytest.param([False, True], True, [0, 1], id="booleans"),
        pytest.param([0, 1], True, [0, 1], id="integers for a boolean"),
        pytest.param(["no", "yes"], "yes", [0, 1], id="words"),
        pytest.param(pd.Series([1, 0], dtype="Int64"), 1, [1, 0], id="nullable integers"),
        pytest.param(pd.Series([True, False], dtype="boolean"), True, [1, 0], id="nullable booleans"),
        pytest.param([1, 1], 1, [1, 1], id="only the positive class"),
        pytest.param([0, 0], 1, [0, 0], id="only the other class"),
        pytest.param([], 1, [], id="no rows"),
    ],
)
def test_labels_are_one_for_the_positive_class(target: object, positive: object, labels: list[int]) -> None:
    seen = Schema((Feature("x"),), "y", positive).labels(pd.DataFrame({"y": target}))
    assert (seen.tolist(), seen.dtype) == (labels, np.int8)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        pytest.param({"x": [1]}, r"'y' is not among the columns \['x'\]; correct dataset\.target", id="gone"),
        pytest.param({"y": [1, None, None]}, "'y' is empty in 2 rows", id="empty cells"),
        pytest.param({"y": [0, 1, 2]}, r"holds \['0', '1', '2'\].*two classes", id="three classes"),
        pytest.param({"y": [2, 3]}, r"holds \['2', '3'\].*dataset\.positive = 1", id="positive not found"),
        pytest.param({"y": ["0", "1"]}, r"holds \['0', '1'\].*positive = 1", id="text for numbers"),
        pytest.param({"y": list(range(99))}, r"holds \['0', '1', '10',", id="a number to regress"),
    ],
)
def test_a_target_that_is_not_binary_is_refused(frame: dict[str, list[object]], told: str) -> None:
    with pytest.raises(BadData, match=told):
        COLORED.labels(pd.DataFrame(frame))


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        pytest.param([], "no training rows to learn from", id="no partitions"),
        pytest.param([pd.DataFrame({"y": [0, 1]})], "no features to learn from", id="no column besides"),
        pytest.param(
            [pd.DataFrame({"y": [0, 1], "when": pd.to_datetime(["2025-01-01", "2025-01-02"])})],
            r"has the columns \['when'\], and each of them is a time or in dataset.drop",
            id="times alone",
        ),
        pytest.param([pd.DataFrame({"x": [0]})], r"'y' is not among the columns \['x'\]", id="no target"),
    ],
)
def test_a_table_that_teaches_nothing_is_refused(parts: list[pd.DataFrame], told: str) -> None:
    with pytest.raises(BadData, match=told):
        learn_schema(parts, TOY)


def test_the_newest_partition_tells_which_columns_there_are() -> None:
    old = pd.DataFrame({"color": ["red"], "size": [1.0], "y": [0]})
    new = pd.DataFrame({"size": [2.0], "age": [3.0], "y": [1]})
    schema = learn_schema([old, new], TOY)
    assert [feature.name for feature in schema.features] == ["age", "size"]
    encoded = schema.encode(old, absent_as_missing=True)
    assert np.isnan(encoded[0, 0])
    assert encoded[0, 1] == 1.0
    with pytest.raises(BadData, match="age"):
        schema.encode(old)


@pytest.mark.parametrize(
    ("colors", "share"),
    [
        pytest.param(["red", "blue"], 0.0, id="all known"),
        pytest.param(["red", "green", "pink", "blue"], 0.5, id="two of four"),
        pytest.param([None, "red"], 0.0, id="missing is not unseen"),
        pytest.param(["green"], 1.0, id="all unseen"),
        pytest.param([], 0.0, id="no rows"),
    ],
)
def test_the_share_of_rows_with_an_unseen_category(colors: list[str | None], share: float) -> None:
    frame = pd.DataFrame({"color": pd.Series(colors, dtype="str"), "size": np.zeros(len(colors))})
    assert COLORED.unseen_share(frame) == share


def test_a_row_with_two_unseen_categories_counts_once() -> None:
    schema = Schema((Feature("a", ("x",)), Feature("b", ("x",))), "y", 1)
    assert schema.unseen_share(pd.DataFrame({"a": ["z", "x"], "b": ["z", "x"]})) == 0.5


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        pytest.param(["size", "y", "color"], [], id="the same in another order"),
        pytest.param(["color", "y"], ["column 'size' is gone"], id="one gone"),
        pytest.param(["color", "size", "y", "weight"], ["column 'weight' is new"], id="one new"),
        pytest.param(
            ["colour", "size", "y"], ["column 'colour' is new", "column 'color' is gone"], id="renamed"
        ),
    ],
)
def test_changed_columns_are_told_in_a_sentence_each(columns: list[str], told: list[str]) -> None:
    assert differences(COLORED, pd.DataFrame({name: [1] for name in columns}), TOY) == told


def test_a_schema_survives_its_document(january: pd.DataFrame, flights_params: Params) -> None:
    schema = learn(january, flights_params.dataset)
    read = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    assert read == schema
    assert np.array_equal(read.encode(january), schema.encode(january), equal_nan=True)


def test_the_flights_features_are_what_is_known_at_the_gate(
    january: pd.DataFrame, flights_params: Params
) -> None:
    names = {feature.name for feature in learn(january, flights_params.dataset).features}
    assert names.isdisjoint({"late", "date", "time_hour", "dep_delay", "dep_time", "arr_delay", "air_time"})
    assert {"carrier", "origin", "dest", "sched_dep_time", "wind_speed"} <= names


def test_a_category_of_the_holdout_reaches_no_part_of_a_version(
    thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[0])
    held_out = group_hashes(frame, quick_params.split.by) < quick_params.split.holdout
    third = np.arange(len(frame)) % 3 == 0
    planted = frame.assign(
        carrier=frame["carrier"].mask(held_out & third, "ZH").mask(~held_out & third, "ZT"),
    )
    partition = tmp_path / "planted.parquet"
    planted.to_parquet(partition, index=False)
    study = StudyResult({"num_leaves": 15}, rounds=5, trials=())
    schema = make_full([partition], quick_params, study, tmp_path).schema
    carriers = next(feature.categories for feature in schema.features if feature.name == "carrier")
    assert carriers is not None
    assert ("ZT" in carriers, "ZH" in carriers) == (True, False)
    replay = set(pd.read_parquet(tmp_path / REPLAY)["carrier"])
    assert ("ZT" in replay, "ZH" in replay) == (True, False)
    assert b"ZH" not in (tmp_path / "model.txt").read_bytes()
    # What is in no vocabulary reaches the model as missing.
    judged = next(part for part, _ in frames([partition], quick_params, Side.HOLDOUT))
    codes = schema.encode(judged)[:, [feature.name for feature in schema.features].index("carrier")]
    assert np.array_equal(np.isnan(codes), (judged["carrier"] == "ZH").to_numpy())


def test_the_training_rows_are_what_the_schema_was_learned_from(
    thinned: Sequence[Path], quick_params: Params
) -> None:
    schema, rows = training_rows(thinned, quick_params)
    training = pd.concat([part for part, _ in frames(thinned, quick_params, Side.TRAINING)])
    for position, feature in enumerate(schema.features):
        if feature.categories is not None:
            assert feature.categories == tuple(sorted(training[feature.name].dropna().unique()))
            assert np.nanmax(rows.X[:, position]) == len(feature.categories) - 1
