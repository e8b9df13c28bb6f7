"""Labels that come apart from the data: read as the target's kind, refused where they can't be used."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadData
from incumbent.evaluation.label_files import count_corrections, require_one_label_a_key, usable_labels
from incumbent.features.schema import Schema
from incumbent.params import Task


def read(
    labels: Any,
    task: Task = "binary",
    positive: Any = 1,
    known: Any = (0, 1),
    classes: tuple[str, ...] = (),
) -> list[Any]:
    frame = pd.DataFrame({"k": range(len(labels)), "y": labels})
    schema = Schema((), "y", positive, task, classes)
    usable = usable_labels(frame, "labels.csv", ["k"], schema, known)
    assert list(usable) == ["k", "y"]
    return list(usable["y"])


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([0, 1], id="integers"),
        pytest.param([0.0, 1.0], id="floats"),
        pytest.param(["0", "1"], id="text"),
        pytest.param(["0.0", " 1.0"], id="floats as text"),
        pytest.param([False, True], id="truth values"),
        pytest.param(["false", "True"], id="truth values as text"),
    ],
)
@pytest.mark.parametrize(("positive", "known"), [(1, (0, 1)), (True, (False, True)), (1, (0.0, 1.0))])
def test_labels_are_read_as_the_target_is(labels: Any, positive: Any, known: Any) -> None:
    assert read(labels, positive=positive, known=known) == [0, 1]


def test_words_numbers_and_classes_are_read_as_the_target_is() -> None:
    assert read(["no", "yes"], positive="yes", known=("yes", "no")) == ["no", "yes"]
    assert read([1, 2], positive="2", known=("1", "2")) == ["1", "2"]
    assert read(["1.5", "2"], "regression") == [1.5, 2.0]
    assert read([1, 2, 7], "multiclass", classes=("1", "2", "3")) == ["1", "2", "7"]


def test_rows_without_a_label_have_none_yet() -> None:
    assert read([1, None, 0]) == [1, 0]
    assert read(["1", " ", None]) == [1]


@pytest.mark.parametrize(
    ("labels", "task", "told"),
    [
        pytest.param(["yes", "no", "no"], "binary", "'y' holds 'yes', 'no' in 3 rows", id="words"),
        pytest.param(
            [0, 1, 2, 2], "binary", "'y' holds '2' in 2 rows, but the model knows 0 and 1", id="third"
        ),
        pytest.param(["1.5", "high"], "regression", "'y' holds 'high' in 1 rows", id="no number"),
        pytest.param([1.5, np.inf], "regression", "'y' holds 'inf' in 1 rows", id="infinite"),
        pytest.param(["d", "e"], "multiclass", "the model knows a, b", id="no class is known"),
        pytest.param([None, None], "binary", "'y' is empty in all 2 rows", id="none"),
    ],
)
def test_labels_that_are_no_value_of_the_target_are_refused(labels: Any, task: Any, told: str) -> None:
    with pytest.raises(BadData) as refused:
        read(labels, task, classes=("a", "b"))
    assert str(refused.value).startswith("labels.csv")
    assert told in str(refused.value)


def test_the_case_of_a_word_is_no_trifle() -> None:
    with pytest.raises(BadData, match="'YES' in 1 rows, but the model knows no and yes"):
        read(["YES", "no"], positive="yes", known=("no", "yes"))


def test_a_label_needs_its_key() -> None:
    schema = Schema((), "y")
    with pytest.raises(BadData, match=r"lacks \['k'\]"):
        usable_labels(pd.DataFrame({"y": [1]}), "labels.csv", ["k"], schema, ())
    with pytest.raises(BadData, match="the key 'k' is empty in 1 rows"):
        usable_labels(pd.DataFrame({"k": [None, 2], "y": [1, 0]}), "labels.csv", ["k"], schema, ())


def test_keys_with_two_labels_are_refused_with_their_number() -> None:
    once = pd.DataFrame({"k": range(5), "y": [0, 1, 0, 1, 0]})
    require_one_label_a_key([pd.concat([once, once])], ["k"], "y")
    require_one_label_a_key([once, once.astype(float)], ["k"], "y")
    other = once.assign(y=1)
    with pytest.raises(BadData, match=r"3 keys have different labels, such as k = 0 \(0 and 1\), k = 2"):
        require_one_label_a_key([once, other], ["k"], "y")
    with pytest.raises(BadData, match="3 keys have different labels"):
        require_one_label_a_key([pd.concat([once, other])], ["k"], "y")


def test_the_same_time_in_another_zone_is_the_same_key() -> None:
    times = pd.date_range("2025-01-01", periods=3, freq="h", tz="Europe/Berlin")
    zoned = pd.DataFrame({"at": times, "y": [0, 1, 0]})
    in_utc = pd.DataFrame({"at": times.tz_convert(None).astype("datetime64[us]"), "y": [1, 1, 0]})
    with pytest.raises(BadData, match="1 keys have different labels, such as at = 2024-12-31 23:00:00"):
        require_one_label_a_key([zoned, in_utc], ["at"], "y")


def test_a_row_is_named_by_its_whole_key() -> None:
    rows = pd.DataFrame({"shop": ["a", "a", "b"], "day": [1, 1, 1], "y": [0, 1, 1]})
    with pytest.raises(BadData, match=r"1 keys .* shop = a, day = 1 \(0 and 1\)"):
        require_one_label_a_key([rows], ["shop", "day"], "y")


def test_a_later_label_is_a_correction() -> None:
    first = pd.DataFrame({"k": range(5), "y": [0, 1, 0, 1, 0]})
    second = pd.DataFrame({"k": [0, 1, 9], "y": [1, 1, 1]})
    assert count_corrections([first], [], ["k"], "y") == 0
    assert count_corrections([second], [first], ["k"], "y") == 1
    assert count_corrections([first], [first, second], ["k"], "y") == 1
    assert count_corrections([second], [first, second], ["k"], "y") == 0
