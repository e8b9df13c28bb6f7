"""A row's side follows from its group's values alone: never from its neighbours, file or types."""

import datetime as dt
import hashlib
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.errors import BadData
from incumbent.tables.split import group_hashes
from tests.building import fewer_examples

INTEGERS = st.integers(-(2**53), 2**53)
NO_SEPARATOR = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=4)
DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2050, 1, 1))

# Few values, so that groups have several rows; every column may have empty cells.
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from(["a", "b", ""]),
        st.none() | st.sampled_from([0.5, 1.0, -0.0, 0.0]),
        st.none() | st.sampled_from([dt.date(2013, 1, 1), dt.date(2013, 1, 2)]),
    ),
    min_size=1,
    max_size=12,
)
BY = st.sampled_from([[], ["number"], ["text"], ["day"], ["number", "text"], ["share", "day", "text"]])


def table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["number", "text", "share", "day"])


@fewer_examples
@given(ROWS, BY, st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows: list[tuple], by: list[str], random) -> None:
    frame = table(rows)
    order = random.sample(range(len(rows)), len(rows))
    assert np.array_equal(group_hashes(frame.iloc[order], by), group_hashes(frame, by)[order])


@fewer_examples
@given(ROWS, ROWS, BY)
def test_the_other_rows_of_the_table_do_not_matter(
    rows: list[tuple], others: list[tuple], by: list[str]
) -> None:
    together = group_hashes(table(rows + others), by)
    assert np.array_equal(together[: len(rows)], group_hashes(table(rows), by))
    assert np.array_equal(together[len(rows) :], group_hashes(table(others), by))


@fewer_examples
@given(ROWS, BY)
def test_the_partition_of_a_row_does_not_matter(rows: list[tuple], by: list[str]) -> None:
    alone = [group_hashes(table([row]), by)[0] for row in rows]
    assert group_hashes(table(rows), by).tolist() == alone


@fewer_examples
@given(ROWS, BY, st.randoms())
def test_the_order_of_the_files_columns_does_not_matter(rows: list[tuple], by: list[str], random) -> None:
    frame = table(rows)
    columns = random.sample(list(frame.columns), 4)
    assert np.array_equal(group_hashes(frame[columns], by), group_hashes(frame, by))


@fewer_examples
@given(st.lists(INTEGERS, min_size=1))
def test_integers_floats_nullable_and_object_columns_are_split_alike(numbers: list[int]) -> None:
    frames = [pd.DataFrame({"k": pd.Series(numbers, dtype=d)}) for d in ("int64", "float64", "Int64", "O")]
    first, *others = [group_hashes(frame, ["k"]) for frame in frames]
    for other in others:
        assert np.array_equal(first, other)


@fewer_examples
@given(st.lists(INTEGERS, min_size=1), st.sampled_from(["float64", "Int64", "Float64", "object"]))
def test_an_empty_cell_elsewhere_in_the_column_moves_no_row(numbers: list[int], dtype: str) -> None:
    full = pd.DataFrame({"k": pd.Series(numbers, dtype="int64")})
    holed = pd.DataFrame({"k": pd.Series([*numbers, None], dtype=dtype)})
    assert np.array_equal(group_hashes(holed, ["k"])[:-1], group_hashes(full, ["k"]))


@fewer_examples
@given(st.lists(st.none() | NO_SEPARATOR, min_size=1), st.sampled_from(["str", "object", "category"]))
def test_text_is_split_alike_however_it_is_stored(texts: list[str | None], dtype: str) -> None:
    stored = pd.DataFrame({"k": pd.Series(texts, dtype=dtype)})
    assert np.array_equal(group_hashes(stored, ["k"]), group_hashes(pd.DataFrame({"k": texts}), ["k"]))


@fewer_examples
@given(st.lists(DAYS, min_size=1), st.sampled_from(["s", "ms", "us", "ns"]))
def test_the_resolution_of_a_timestamp_does_not_matter(days: list[dt.date], unit: str) -> None:
    times = pd.Series(pd.to_datetime(days))
    stored = pd.DataFrame({"k": times.astype(f"datetime64[{unit}]")})
    assert np.array_equal(group_hashes(stored, ["k"]), group_hashes(pd.DataFrame({"k": times}), ["k"]))


def test_a_day_is_split_alike_as_a_date_and_as_a_timestamp() -> None:
    days = pd.Series([dt.date(2013, 1, day) for day in range(1, 32)])
    timestamps = group_hashes(pd.DataFrame({"date": pd.to_datetime(days)}), ["date"])
    assert np.array_equal(timestamps, group_hashes(pd.DataFrame({"date": days}), ["date"]))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([True, False], id="booleans"),
        pytest.param([3, 4], id="integers"),
        pytest.param([0.1, 2.5], id="floats"),
    ],
)
def test_a_nullable_column_is_split_like_a_plain_one(values: list[object]) -> None:
    plain = pd.DataFrame({"k": values})
    nullable = plain.convert_dtypes(dtype_backend="numpy_nullable")
    assert nullable["k"].dtype != plain["k"].dtype
    assert np.array_equal(group_hashes(nullable, ["k"]), group_hashes(plain, ["k"]))


@fewer_examples
@given(ROWS, st.randoms())
def test_exact_duplicates_are_on_one_side_when_no_column_is_named(rows: list[tuple], random) -> None:
    twice = rows + rows
    random.shuffle(twice)
    hashes = dict(zip(rows, group_hashes(table(rows), []), strict=True))
    assert group_hashes(table(twice), []).tolist() == [hashes[row] for row in twice]


@fewer_examples
@given(ROWS)
def test_rows_of_one_group_are_on_one_side_whatever_else_they_hold(rows: list[tuple]) -> None:
    frame = table(rows).assign(hash=group_hashes(table(rows), ["number", "text"]))
    assert (frame.groupby(["number", "text"], dropna=False)["hash"].nunique() == 1).all()


@fewer_examples
@given(st.lists(st.tuples(NO_SEPARATOR, NO_SEPARATOR), min_size=2, unique=True))
def test_different_groups_have_different_hashes(groups: list[tuple[str, str]]) -> None:
    # Above all ("ab", "c") and ("a", "bc").
    hashes = group_hashes(pd.DataFrame(groups, columns=["a", "b"]), ["a", "b"])
    assert len(set(hashes)) == len(groups)


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(range(20_000), id="consecutive numbers"),
        pytest.param([f"customer-{n}" for n in range(20_000)], id="names"),
        pytest.param([random.Random(n).random() for n in range(20_000)], id="floats"),
        pytest.param(pd.date_range("1970-01-01", periods=20_000).date, id="days"),
    ],
)
@pytest.mark.parametrize("holdout", [0.05, 0.2, 0.49])
def test_the_share_of_held_out_groups_is_what_was_asked_for(groups: object, holdout: float) -> None:
    hashes = group_hashes(pd.DataFrame({"k": groups}), ["k"])
    deviation = np.sqrt(holdout * (1 - holdout) / len(hashes))
    assert abs((hashes < holdout).mean() - holdout) < 4 * deviation
    assert 0 <= hashes.min() < hashes.max() < 1


def test_the_side_of_a_group_never_changes_between_releases() -> None:
    # Registered models were trained by these hashes: another function would leak their holdout.
    days = pd.DataFrame({"date": [dt.date(2013, 1, 1), dt.date(2013, 1, 2), None], "hour": [7.0, None, 7.0]})
    texts = ["2013-01-01\x1f7", "2013-01-02\x1f", "\x1f7"]
    expected = [
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2**48 for text in texts
    ]
    assert group_hashes(days, ["date", "hour"]).tolist() == expected
    assert group_hashes(days.head(1), ["date"])[0] == pytest.approx(0.199278603, abs=1e-9)


def test_a_column_that_the_data_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(BadData, match=r"split\.by names \['day'\].*\['date', 'hour'\]"):
        group_hashes(pd.DataFrame({"hour": [1], "date": [2]}), ["date", "day"])
