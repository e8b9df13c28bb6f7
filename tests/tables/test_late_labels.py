"""Labels that come by the key, into the rows of a partition that waited for them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.late_labels import fill_labels

TIMES = pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04"])


def partition(folder: Path, target: pa.Array) -> Path:
    path = folder / "january.parquet"
    columns = {"id": [1, 2, 3, 4], "at": TIMES, "x": [0.5, 1.5, 2.5, 3.5], "y": target}
    pq.write_table(pa.table(columns), path)
    return path


def column(*labels: Any) -> pa.Array:
    return pa.array(labels)


def completed(path: Path, labels: pd.DataFrame, key: list[str]) -> tuple[int, list[Any]]:
    filled = path.with_name("filled") / path.name
    count = fill_labels(path, labels, DatasetParams(name="toy", target="y", key=key), filled)
    before = pq.read_table(path)
    if not count:
        assert not filled.exists()
        return 0, before["y"].to_pylist()
    table = pq.read_table(filled)
    assert table.drop_columns("y").equals(before.drop_columns("y"))
    return count, table["y"].to_pylist()


@pytest.mark.parametrize(
    ("target", "came", "expected"),
    [
        pytest.param(column("no", None, None, "yes"), ["yes", "no"], ["no", "yes", "no", "yes"], id="texts"),
        pytest.param(column(0, None, None, 1), [1.0, 0.0], [0, 1, 0, 1], id="integers, from floats"),
        pytest.param(
            column(False, None, None, True), [True, False], [False, True, False, True], id="booleans"
        ),
        pytest.param(column(0.5, float("nan"), None, 2.5), [1, 3], [0.5, 1.0, 3.0, 2.5], id="numbers"),
        pytest.param(
            column("a", None, None, "b").dictionary_encode(),
            ["b", "a"],
            ["a", "b", "a", "b"],
            id="categories",
        ),
        pytest.param(pa.nulls(4), ["b", "a"], [None, "b", "a", None], id="a column without any label"),
    ],
)
def test_rows_that_waited_get_their_label(
    tmp_path: Path, target: pa.Array, came: list[Any], expected: list[Any]
) -> None:
    labels = pd.DataFrame({"id": [2, 3], "y": came})
    assert completed(partition(tmp_path, target), labels, ["id"]) == (2, expected)


def test_a_label_that_is_there_stays_and_of_two_that_come_the_last_counts(tmp_path: Path) -> None:
    path = partition(tmp_path, pa.array(["no", None, None, "yes"]))
    labels = pd.DataFrame({"id": [1, 2, 2, 3, 9], "y": ["yes", "no", "yes", None, "no"]})
    assert completed(path, labels.head(1), ["id"])[0] == 0
    assert completed(path, labels, ["id"]) == (1, ["no", "yes", None, "yes"])


def test_keys_are_compared_whatever_the_file_has_them_as(tmp_path: Path) -> None:
    path = partition(tmp_path, pa.array([None, "no", None, "yes"]))
    labels = pd.DataFrame({"at": ["2025-01-03 00:00", "2025-01-01 00:00"], "id": [3.0, 1.0], "y": ["a", "b"]})
    assert completed(path, labels, ["at", "id"]) == (2, ["b", "no", "a", "yes"])


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    path = partition(tmp_path, pa.array([None, "no", None, "yes"]))
    dataset = DatasetParams(name="toy", target="y", key=["id"])
    labels = pd.DataFrame({"id": [3, 1], "y": ["a", "b"]})
    first, second = tmp_path / "first", tmp_path / "second"
    fill_labels(path, labels, dataset, first)
    fill_labels(path, labels.iloc[::-1], dataset, second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        pytest.param({"id": ["two"], "y": [True]}, "can't be compared", id="key"),
        pytest.param({"id": [2], "y": ["perhaps"]}, "labels of 'y' are not of the data's kind", id="label"),
    ],
)
def test_keys_and_labels_of_another_kind_are_refused(
    tmp_path: Path, labels: dict[str, list[Any]], told: str
) -> None:
    path = partition(tmp_path, pa.array([False, None, None, True]))
    with pytest.raises(BadData, match=told):
        completed(path, pd.DataFrame(labels), ["id"])
