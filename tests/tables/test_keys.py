"""The index of keys answers what a comparison of all rows would, whatever types the files have."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incumbent.tables.key_index import KeyIndex
from incumbent.tables.row_keys import in_both, keys_of
from tests.building import fewer_examples

KEYS = st.lists(st.integers(0, 60), max_size=12)


def table(**columns: object) -> pa.Table:
    return pa.table(columns)


@settings(fewer_examples)
@given(
    partitions=st.lists(KEYS, min_size=1, max_size=20),
    unwanted=st.sets(st.integers(0, 19)),
    asked=KEYS,
)
def test_the_index_finds_what_a_search_through_all_rows_finds(
    partitions: list[list[int]],
    unwanted: set[int],
    asked: list[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("index")
    everything = [f"{place:032x}" for place in range(len(partitions))]
    wanted = {md5 for place, md5 in enumerate(everything) if place not in unwanted}
    for md5, values in zip(everything, partitions, strict=True):
        KeyIndex(folder).add(md5, keys_of(table(id=pa.array(values, pa.int64())), ["id"]).hashes, wanted)
    index, new = KeyIndex(folder), keys_of(table(id=pa.array(asked, pa.int64())), ["id"])
    found = {md5: {asked[place] for place in places} for md5, places in index.find(new.hashes)}
    written = dict(zip(everything, map(set, partitions), strict=True))
    held = {md5: values for md5, values in written.items() if md5 in index.members}
    assert wanted <= held.keys()
    assert found == {md5: both for md5, values in held.items() if (both := values & set(asked))}


def test_many_partitions_are_in_few_blocks(tmp_path: Path) -> None:
    rng, index = np.random.default_rng(0), KeyIndex(tmp_path)
    everything = [f"{place:032x}" for place in range(200)]
    for md5 in everything:
        index.add(md5, rng.integers(0, 2**63, 50, dtype=np.uint64), everything)
    assert index.members == set(everything)
    assert len(list(tmp_path.glob("*.npy"))) <= 8


SAME = [
    pytest.param(pa.array([3, None]), pa.array([3.0, float("nan")]), id="whole and float"),
    pytest.param(pa.array([3, None]), pa.array([Decimal(3), None], pa.decimal128(38, 0)), id="decimal"),
    pytest.param(pa.array([3, None], pa.int8()), pa.array([3, None], pa.uint64()), id="widths"),
    pytest.param(pa.array([0.5, None], pa.float32()), pa.array([Decimal("0.5"), None]), id="fractions"),
    pytest.param(
        pa.array([datetime(2026, 3, 1, 12), None], pa.timestamp("s")),
        pa.array([datetime(2026, 3, 1, 12), None], pa.timestamp("ns")),
        id="units",
    ),
    pytest.param(
        pa.array([datetime(2026, 3, 1, 12), None], pa.timestamp("us")),
        pa.array([datetime(2026, 3, 1, 12), None], pa.timestamp("us")).cast(pa.timestamp("ms", "Asia/Tokyo")),
        id="zones",
    ),
    pytest.param(
        pa.array([date(2026, 3, 1), None]),
        pa.array([datetime(2026, 3, 1), None], pa.timestamp("us")),
        id="dates",
    ),
    pytest.param(
        pa.array(["ü", None]), pa.array(["ü", None], pa.large_string()).dictionary_encode(), id="texts"
    ),
    pytest.param(pa.array([2**60 + 1, None]), pa.array([2**60 + 1, None], pa.uint64()), id="long"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_key_is_the_same_in_other_types(one: pa.Array, other: pa.Array) -> None:
    first, second = (keys_of(table(a=each, b=[1, 1]), ["a", "b"]) for each in (one, other))
    assert in_both(first, second).tolist() == [True, True]
    assert first.hashes.tolist() == second.hashes.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(pa.array([2**60]), pa.array([2**60 + 1]), id="beyond a float's digits"),
        pytest.param(pa.array([0.5]), pa.array([0]), id="a fraction"),
        pytest.param(pa.array(["3"]), pa.array(["03"]), id="texts of digits"),
        pytest.param(
            pa.array([datetime(2026, 3, 1, 12)]),
            pa.array([datetime(2026, 3, 1, 12, 0, 0, 1)]),
            id="a microsecond",
        ),
        pytest.param(pa.array([None], pa.string()), pa.array([""]), id="empty and no text"),
    ],
)
def test_other_keys_are_others(one: pa.Array, other: pa.Array) -> None:
    assert not in_both(*(keys_of(table(a=each, b=[1]), ["a", "b"]) for each in (one, other))).any()


def test_equal_hashes_alone_are_no_match() -> None:
    new, old = keys_of(table(a=[1, 2]), ["a"]), keys_of(table(a=[3, 2]), ["a"])
    colliding = type(old)(old.rows, old.cells, new.hashes)
    assert in_both(new, colliding).tolist() == [False, True]


def test_a_row_has_no_key_if_all_of_it_is_empty() -> None:
    keys = keys_of(table(a=[1, None, None], b=["x", "y", None]), ["a", "b"])
    assert keys.rows.tolist() == [0, 1]
    assert len(keys_of(table(a=[1]), ["a", "gone"]).rows) == 0


@settings(fewer_examples)
@given(KEYS, KEYS)
def test_in_both_is_the_intersection(new: list[int], old: list[int]) -> None:
    frames = (pd.DataFrame({"a": each, "b": "x"}).astype({"a": "int64", "b": "str"}) for each in (new, old))
    tables = [pa.Table.from_pandas(frame) for frame in frames]
    first, second = (keys_of(each, ["a", "b"]) for each in tables)
    assert in_both(first, second).tolist() == [value in old for value in new]
