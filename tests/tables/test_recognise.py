"""The first guess at a table that nobody has seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadData
from incumbent.tables.recognise import Recognised, recognise

ROWS = 400
RNG = np.random.default_rng(7)
KINDS = {"b": "boolean", "i": "number", "u": "number", "f": "number", "M": "time"}


def look(
    folder: Path, target: Any, key: tuple[str, ...] = (), time: str | None = None, **more: Any
) -> Recognised:
    frame = pd.DataFrame({"x": RNG.normal(size=ROWS), "target": target, **more})
    frame.to_parquet(folder / "table.parquet")
    columns = {name: KINDS.get(frame[name].dtype.kind, "text") for name in frame}
    return recognise([folder / "table.parquet"], columns, "target", key, time)


@pytest.mark.parametrize(
    ("values", "task", "positive"),
    [
        pytest.param([True, False], "binary", True, id="booleans"),
        pytest.param([0, 1], "binary", 1, id="zero and one"),
        pytest.param([0.0, 1.0], "binary", 1, id="zero and one as floats"),
        pytest.param([1, 2], "binary", 2, id="one and two"),
        pytest.param(["no", "Yes"], "binary", "Yes", id="a word that says yes"),
        pytest.param(["good", "good", "good", "bad"], "binary", "bad", id="the rarer word"),
        pytest.param([0.5, 1.5], "regression", True, id="two fractions"),
        pytest.param(["a", "b", "c"], "multiclass", True, id="three words"),
        pytest.param([0, 1, 2, 3], "multiclass", True, id="few whole numbers"),
        pytest.param(list(range(40)), "regression", True, id="many whole numbers"),
        pytest.param([0.1, 0.2, 0.7], "regression", True, id="fractions"),
    ],
)
def test_the_target_tells_the_task(tmp_path: Path, values: list[Any], task: str, positive: Any) -> None:
    seen = look(tmp_path, np.resize(np.array(values, dtype=object), ROWS).tolist())
    assert (seen.task, seen.positive) == (task, positive)
    assert type(seen.positive) is type(positive)


def test_what_only_tells_rows_apart_is_no_feature(tmp_path: Path) -> None:
    seen = look(
        tmp_path,
        np.resize([True, False], ROWS),
        key=("customer",),
        row=np.arange(ROWS) + 17,
        name=[f"person {number}" for number in range(ROWS)],
        customer=RNG.permutation(ROWS),
        city=np.resize(["Bern", "Ulm", "Graz"], ROWS),
    )
    assert sorted(seen.drop) == ["customer", "name", "row"]
    assert "nearly every row" in seen.why_drop
    assert seen.split_by == ["customer"]


def visits(days: int, stations: int) -> pd.DataFrame:
    """One row of each station and day."""
    times = pd.date_range("2026-03-01", periods=days).repeat(stations)
    place = np.tile([f"station {number}" for number in range(stations)], days)
    return pd.DataFrame({"day": times, "station": place, "target": np.resize([True, False], len(times))})


@pytest.mark.parametrize(
    ("tables", "key", "split_by"),
    [
        pytest.param([visits(31, 5), visits(30, 5)], ["station", "day"], ["day"], id="months of days"),
        pytest.param(
            [visits(31, 5), visits(3, 5), visits(30, 5)], ["day", "station"], ["day"], id="one short"
        ),
        pytest.param([visits(1, 40)] * 3, ["station", "day"], ["station", "day"], id="a day a partition"),
        pytest.param([visits(31, 1)], ["station", "day"], ["station", "day"], id="a row a day"),
        pytest.param([visits(31, 5)], ["station"], ["station"], id="the time is not in the key"),
        pytest.param([visits(31, 1)], ["day"], ["day"], id="the time is the key"),
        pytest.param([visits(31, 5)], [], [], id="no key"),
    ],
)
def test_rows_of_one_time_count_as_one_where_time_and_entity_tell_rows_apart(
    tmp_path: Path, tables: list[pd.DataFrame], key: list[str], split_by: list[str]
) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        table.to_parquet(path)
    columns = {"day": "time", "station": "text", "target": "boolean"}
    recognised = recognise(paths, columns, "target", key, "day")  # type: ignore[arg-type]
    assert recognised.split_by == split_by
    assert ("rows of one day resemble each other" in recognised.why_split) is (len(key) > len(split_by))


@pytest.mark.parametrize(
    ("rows", "dropped"),
    [
        pytest.param(60, ["item", "number", "sku"], id="sixty rows"),
        pytest.param(19, [], id="too few rows to tell"),
    ],
)
def test_what_differs_in_every_row_of_a_short_table_is_no_feature(
    tmp_path: Path, rows: int, dropped: list[str]
) -> None:
    frame = pd.DataFrame(
        {
            "target": np.resize([True, False], rows),
            "sku": [f"ü{number:03}" for number in range(rows)],
            "number": np.arange(rows) + 5,
            "item": RNG.permutation(rows) * 7,
            "nearly": [f"n{number}" for number in [0, *range(rows - 1)]],
            "size": RNG.permutation(rows),
        }
    )
    frame.to_parquet(tmp_path / "table.parquet")
    columns = {name: KINDS.get(frame[name].dtype.kind, "text") for name in frame}
    recognised = recognise([tmp_path / "table.parquet"], columns, "target", ["item"], None)
    assert sorted(recognised.drop) == dropped


def test_an_error_may_grow_by_a_tenth_of_the_targets_spread(tmp_path: Path) -> None:
    seen = look(tmp_path, RNG.normal(1000, 50, ROWS))
    assert 4 < seen.max_decay < 6
    assert seen.metric == "rmse"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param([None], "'target' is empty in all rows", id="no label"),
        pytest.param([1.5, None, None, None], "has a single value, 1.5", id="one label"),
        pytest.param([1.5, 2.5, 1e39, 3.5], r"1e39.\; learners hold targets as float32", id="too large"),
        pytest.param([1.5, 2.5, np.inf, 3.5], "100 values beyond 3.4e38 .inf.", id="infinite"),
        pytest.param([3], "'target' has a single value, 3; nothing can be learned", id="one value"),
        pytest.param(
            pd.date_range("2026", periods=ROWS), "is a time; predict a number or a class", id="a time"
        ),
        pytest.param([f"t{n}" for n in range(300)], "300 different texts; is it a name or an id", id="names"),
    ],
)
def test_a_target_that_can_t_be_learned_is_refused(tmp_path: Path, target: Any, message: str) -> None:
    values = (
        target if isinstance(target, pd.DatetimeIndex) else np.resize(np.array(target, dtype=object), ROWS)
    )
    with pytest.raises(BadData, match=message):
        look(tmp_path, pd.Series(values).infer_objects())


@pytest.mark.parametrize(
    ("labels", "task", "positive", "classes"),
    [
        pytest.param(
            [1, 0, 0, None], "binary", 1, [0, 1], id="whole numbers, that an empty cell makes floats"
        ),
        pytest.param([True, False, None], "binary", True, [False, True], id="booleans"),
        pytest.param(["no", "yes", "no", None], "binary", "yes", ["no", "yes"], id="words"),
        pytest.param(["c", "a", "b", None], "multiclass", True, ["a", "b", "c"], id="classes"),
        pytest.param([1.25, 2.5, 3.5, None], "regression", True, [], id="numbers"),
    ],
)
def test_rows_without_a_label_are_counted_and_tell_nothing(
    tmp_path: Path, labels: list[Any], task: str, positive: Any, classes: list[Any]
) -> None:
    values = pd.Series(np.resize(np.array(labels, dtype=object), ROWS)).infer_objects()
    seen = look(tmp_path, values)
    assert (seen.task, seen.positive, seen.classes) == (task, positive, classes)
    assert [type(each) for each in seen.classes] == [type(each) for each in classes]
    assert seen.unlabelled == values.isna().sum() > 0


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"no column 'id'; the data has \['target', 'x'\]"):
        look(tmp_path, np.resize([True, False], ROWS), key=("id",))
