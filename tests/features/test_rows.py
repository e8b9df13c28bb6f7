"""Rows from Parquet files: unreadable ones are refused by path; samples can be merged."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from incumbent.errors import BadData
from incumbent.features.frames import Side, copies_of, frames
from incumbent.features.learn_schema import learn_schema
from incumbent.features.rows import read_rows, survey, training_rows
from incumbent.features.sample import Sample, sample
from incumbent.params import Params
from incumbent.tables.parquet import read_partition
from incumbent.tables.split import group_hashes
from tests.building import changed, fewer_examples, toy_params


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "rows.parquet"
    pd.DataFrame(columns).to_parquet(path, index=False)
    return path


def sampled(paths: Sequence[Path], params: Params, start: pd.DataFrame | None = None) -> pd.DataFrame:
    sample = Sample(params, start)
    survey(paths, params, sample)
    return sample.rows


def whole(folder: Path) -> bytes:
    return parquet(folder, x=range(500), color=["red", "blue"] * 250, y=[0, 1] * 250).read_bytes()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(lambda _: b"", "is empty (0 bytes)", id="no bytes"),
        pytest.param(lambda _: b"<html><body>404</body></html>", "not a readable Parquet", id="a web page"),
        pytest.param(lambda _: b"x,y\n1,2\n", "not a readable Parquet", id="a CSV"),
        pytest.param(lambda _: b"PAR1", "not a readable Parquet", id="half of the magic bytes"),
        pytest.param(lambda _: b"PAR1PAR1", "not a readable Parquet", id="the magic bytes alone"),
        pytest.param(
            lambda _: b"PAR1" + (2**31).to_bytes(4, "little") + b"PAR1",
            "not a readable Parquet",
            id="a footer of 2 GiB",
        ),
        pytest.param(lambda folder: whole(folder)[:-1], "not a readable Parquet", id="without its last byte"),
        pytest.param(lambda folder: whole(folder)[:1000], "not a readable Parquet", id="cut in the middle"),
        pytest.param(lambda folder: whole(folder)[1000:], "not a readable Parquet", id="without its start"),
        pytest.param(
            lambda folder: parquet(folder, x=[], y=[]).read_bytes(), "columns but no rows", id="no rows"
        ),
    ],
)
def test_a_file_that_holds_no_rows_is_refused_with_its_path(
    tmp_path: Path, content: Callable[[Path], bytes], told: str
) -> None:
    path = tmp_path / "2013-01.parquet"
    path.write_bytes(content(tmp_path))
    with pytest.raises(BadData) as caught:
        read_partition(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path, good = tmp_path / "cut.parquet", whole(tmp_path)
    for length in range(0, len(good), 31):
        path.write_bytes(good[:length])
        with pytest.raises(BadData, match=r"cut\.parquet"):
            read_partition(path)


@pytest.mark.parametrize("name", ["nothing.parquet", "."])
def test_what_is_no_file_is_refused_with_its_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData) as caught:
        read_partition(tmp_path / name)
    assert f"no such file: {tmp_path / name}" == str(caught.value)


@pytest.mark.parametrize("metadata", [b"{", b"{}"])
def test_a_file_with_damaged_pandas_metadata_is_read_or_refused(tmp_path: Path, metadata: bytes) -> None:
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table({"x": [1, 2]}).replace_schema_metadata({b"pandas": metadata}), path)
    try:
        assert len(read_partition(path)) == 2
    except BadData as refused:
        assert str(path) in str(refused)  # noqa: PT017 - reading it is fine too


def test_every_column_of_the_file_is_a_column_of_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "indexed.parquet"
    pd.DataFrame({"date": ["2013-01-01"], "y": [1]}).set_index("date").to_parquet(path)
    assert "date" in read_partition(path).columns


@pytest.mark.parametrize("kept", [False, True], ids=["read", "kept"])
def test_some_columns_are_read_alike_whether_the_frame_is_kept(tmp_path: Path, kept: bool) -> None:
    path = parquet(tmp_path, x=[1], y=[2.5], z=["ä"])
    os.utime(path, (1, 1))
    if kept:
        read_partition(path)
    assert read_partition(path, ["z", "y"]).to_dict("list") == {"z": ["ä"], "y": [2.5]}
    with pytest.raises(BadData, match=r"rows\.parquet.*none"):
        read_partition(path, ["y", "none"])


def test_a_single_class_is_refused_with_the_rows_and_the_parameter(tmp_path: Path) -> None:
    path = parquet(tmp_path, x=range(100), y=[1] * 100)
    training = sum(len(frame) for frame, _ in frames([path], toy_params(), Side.TRAINING))
    with pytest.raises(
        BadData, match=rf"single class in all {training} training rows.*dataset\.positive = 1"
    ):
        training_rows([path], toy_params())


def test_a_positive_value_that_never_occurs_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, x=range(100), y=[0] * 100)
    with pytest.raises(BadData, match="single class"):
        training_rows([path], toy_params())


def test_no_partitions_are_refused() -> None:
    with pytest.raises(BadData, match="no training rows"):
        training_rows([], toy_params())


def test_each_row_is_on_exactly_one_side(thinned: Sequence[Path], quick_params: Params) -> None:
    key = ["time_hour", "carrier", "flight"]
    sides = [pd.concat([frame[key] for frame, _ in frames(thinned, quick_params, side)]) for side in Side]
    both = pd.concat(sides).sort_values(key, ignore_index=True)
    everything = pd.concat([pd.read_parquet(path)[key] for path in thinned])
    pd.testing.assert_frame_equal(both, everything.sort_values(key, ignore_index=True))


@pytest.mark.parametrize("side", Side)
def test_rows_of_a_side_come_in_the_order_of_the_partitions(
    thinned: Sequence[Path], quick_params: Params, side: Side
) -> None:
    schema = learn_schema([pd.read_parquet(thinned[0])], quick_params.dataset)
    both = read_rows(thinned, schema, quick_params, side)
    first, second = (read_rows([path], schema, quick_params, side) for path in thinned)
    for name in ("X", "y", "group"):
        expected = np.concatenate([getattr(first, name), getattr(second, name)])
        assert np.array_equal(getattr(both, name), expected, equal_nan=True)
    assert ((both.group < quick_params.split.holdout) == (side is Side.HOLDOUT)).all()
    backwards = read_rows(thinned[::-1], schema, quick_params, side)
    assert np.array_equal(backwards.y, np.concatenate([second.y, first.y]))


def test_the_group_of_a_row_is_its_days_hash(thinned: Sequence[Path], quick_params: Params) -> None:
    frame = pd.read_parquet(thinned[0])
    rows = read_rows(thinned[:1], learn_schema([frame], quick_params.dataset), quick_params, Side.TRAINING)
    days = frame[group_hashes(frame, ["date"]) >= quick_params.split.holdout]
    assert np.array_equal(rows.group, group_hashes(days, ["date"]))


ROWS = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["a", "b"]), st.sampled_from([0.5, 1.5])), max_size=20
)
SIZES = st.integers(0, 25)


def table(rows: list[tuple[int, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["n", "text", "share"])
    return frame.astype({"n": "int64", "text": "str", "share": "float64"})


def as_a_set(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return sorted(frame.itertuples(index=False, name=None))


@fewer_examples
@given(ROWS, ROWS, SIZES)
def test_a_sample_of_a_sample_and_new_rows_is_the_sample_of_all(
    a: list[tuple], b: list[tuple], size: int
) -> None:
    merged = sample([sample([table(a)], size), table(b)], size)
    assert as_a_set(merged) == as_a_set(sample([table(a), table(b)], size))


@fewer_examples
@given(st.lists(ROWS, min_size=1, max_size=4), SIZES)
def test_partition_after_partition_gives_the_sample_of_all(parts: list[list[tuple]], size: int) -> None:
    merged = sample([table(parts[0])], size)
    for part in parts[1:]:
        merged = sample([merged, table(part)], size)
    assert as_a_set(merged) == as_a_set(sample([table(part) for part in parts], size))


@fewer_examples
@given(ROWS, SIZES, st.randoms())
def test_a_sample_does_not_depend_on_the_order_of_the_rows(rows: list[tuple], size: int, random) -> None:
    shuffled = random.sample(rows, len(rows))
    assert as_a_set(sample([table(shuffled)], size)) == as_a_set(sample([table(rows)], size))


@fewer_examples
@given(ROWS, SIZES)
def test_a_sample_holds_as_many_of_the_rows_as_there_is_room_for(rows: list[tuple], size: int) -> None:
    drawn = as_a_set(sample([table(rows)], size))
    assert len(drawn) == min(size, len(rows))
    for row in drawn:
        rows.remove(row)  # raises when the sample has a row more often than the table


def test_an_empty_cell_in_new_rows_does_not_change_the_sample_of_the_old() -> None:
    old, new = pd.DataFrame({"n": range(100)}), pd.DataFrame({"n": [None, *range(100, 150)]})
    merged = sample([sample([old], 20), new], 20)
    assert as_a_set(merged) == as_a_set(sample([old, new], 20))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(pd.DataFrame({"n": range(40_000)}), id="consecutive numbers"),
        pytest.param(pd.DataFrame({"t": [f"row {n}" for n in range(40_000)]}), id="names"),
        pytest.param(
            pd.DataFrame({"n": np.repeat(range(20_000), 2), "t": ["a", "b"] * 20_000}), id="two columns"
        ),
    ],
)
def test_a_sample_is_uniform(frame: pd.DataFrame) -> None:
    drawn = sample([frame.assign(position=frame.index)], 4000)
    assert chisquare(np.bincount(drawn["position"] // 2000, minlength=20)).pvalue > 0.001


def test_a_sample_of_real_flights_has_the_shares_of_the_flights(
    months: Sequence[Path], flights_params: Params
) -> None:
    drawn = sampled(months, changed(flights_params, retrain={"replay": 8000}))
    training = pd.concat([frame for frame, _ in frames(months, flights_params, Side.TRAINING)])
    assert len(drawn) == 8000
    for name in ("month", "late", "origin", "weekday"):
        shares, expected = (frame[name].value_counts(normalize=True) for frame in (drawn, training))
        assert (shares - expected).abs().max() < 0.02


def test_a_sample_is_merged_from_its_parent_and_the_new_partition_alone(
    thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    kept = tmp_path / "replay.parquet"
    sampled(thinned[:1], quick_params).to_parquet(kept, index=False)
    merged = sampled(thinned[1:], quick_params, pd.read_parquet(kept))
    expected = sampled(thinned, quick_params)
    columns = list(expected.columns)
    pd.testing.assert_frame_equal(
        merged.sort_values(columns, ignore_index=True), expected.sort_values(columns, ignore_index=True)
    )


def test_a_sample_holds_no_row_of_the_holdout(thinned: Sequence[Path], quick_params: Params) -> None:
    drawn = sampled(thinned, quick_params)
    assert len(drawn) == quick_params.retrain.replay
    assert (group_hashes(drawn, quick_params.split.by) >= quick_params.split.holdout).all()


@pytest.mark.parametrize("flags", [[True, False], [True, None]], ids=["alike", "of another type"])
def test_a_sample_grows_by_a_frame_as_if_both_were_sampled_together(flags: list[object]) -> None:
    rng = np.random.default_rng(0)
    first = pd.DataFrame({"x": rng.normal(size=400), "flag": [True, False] * 200})
    second = pd.DataFrame({"x": rng.normal(size=400), "flag": flags * 200})
    kept = sample([first], 50)
    grown = Sample(changed(toy_params(), retrain={"replay": 50}), kept)
    grown.add(second)
    pd.testing.assert_frame_equal(grown.rows, sample([kept, second], 50))


CELLS = {
    "number": st.sampled_from([0.0, -0.0, 1.0, float("nan"), -float("nan"), float("inf")]),
    "whole": st.integers(0, 1),
    "text": st.sampled_from(["a", "ä", None]),
    "time": st.sampled_from([pd.Timestamp("2013-01-01"), pd.NaT]),
    "flag": st.booleans(),
}


@fewer_examples
@given(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=20))
def test_copies_are_found_as_by_comparing_all_rows(cells: list[dict[str, object]]) -> None:
    frame = pd.DataFrame(cells)
    assert copies_of(frame).tolist() == frame.duplicated().tolist()


def test_copies_are_found_where_a_column_mixes_types() -> None:
    frame = pd.DataFrame({"mixed": pd.Series([1, True, 1.0, "1"], dtype=object)})
    assert copies_of(frame).tolist() == frame.duplicated().tolist()
