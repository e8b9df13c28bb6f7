"""A gap in time: no model is judged by rows whose labels overlap with those that it was fitted on."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.challenger import OUT_OF_SAMPLE, make_full, make_update
from incumbent.errors import BadData
from incumbent.features.out_of_sample import OutOfSample
from incumbent.features.rows import Rows, training_rows
from incumbent.params import Params, SearchParams
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import digest_of
from incumbent.training.folds import folds, judging_folds
from incumbent.training.gap import folds_in_time
from tests.building import changed, fewer_examples, parent, toy_params

STUDY = StudyResult({"num_leaves": 7, "learning_rate": 0.3, "min_child_samples": 5}, 20, ())
START = np.datetime64("2026-01-01T00:00:00", "us")
# Hours from the start, in any order, some of them at once; None for an empty cell.
HOURS = st.lists(st.one_of(st.none(), st.integers(0, 400)), min_size=1, max_size=120)


def rows_at(hours: Sequence[int | None]) -> Rows:
    step = np.timedelta64(1, "h")
    time = np.array([np.datetime64("NaT", "us") if each is None else START + each * step for each in hours])
    y = (np.arange(len(hours)) % 2).astype("int8")
    return Rows(np.zeros((len(hours), 1), dtype="float32"), y, np.arange(len(hours)) / 7, time=time)


def searching(gap: int | str, count: int = 3) -> SearchParams:
    return SearchParams(scheme="time-series", folds=count, gap=gap)


@given(HOURS, st.integers(2, 5), st.integers(1, 200))
def test_what_a_fold_fits_on_ends_more_than_the_gap_before_what_it_holds_out(
    hours: list[int | None], count: int, gap: int
) -> None:
    rows = rows_at(hours)
    assert rows.time is not None
    splits = list(folds_in_time(rows, count, timedelta(hours=gap)))
    assert len(splits) in (0, count)
    for fit, held in splits:
        assert (np.diff(fit) > 0).all()
        assert (np.diff(held) > 0).all()
        assert not np.isnat(rows.time[[*fit, *held]]).any()
        if len(fit):
            assert rows.time[held].min() - rows.time[fit].max() > np.timedelta64(gap, "h")


@given(HOURS, st.integers(2, 5), st.integers(1, 200), st.integers(1, 200))
def test_a_longer_gap_leaves_out_more_and_holds_out_the_same(
    hours: list[int | None], count: int, gap: int, more: int
) -> None:
    rows = rows_at(hours)
    short, long = (folds_in_time(rows, count, timedelta(hours=each)) for each in (gap, gap + more))
    for (fit, held), (less, same) in zip(short, long, strict=True):
        assert {*less} <= {*fit}
        assert np.array_equal(held, same)


@given(st.lists(st.integers(0, 400), min_size=6, max_size=120, unique=True), st.integers(2, 5))
def test_a_gap_shorter_than_every_step_gives_the_folds_of_no_gap(hours: list[int], count: int) -> None:
    rows = rows_at(sorted(hours))
    without = folds(rows, searching(0, count), 0)
    for (fit, held), (same, also) in zip(
        folds(rows, searching("59 minutes", count), 0), without, strict=True
    ):
        assert np.array_equal(fit, same)
        assert np.array_equal(held, also)


@fewer_examples
@given(HOURS, st.integers(2, 5), st.integers(1, 200))
def test_folds_that_judge_keep_the_gap_and_their_groups(
    hours: list[int | None], count: int, gap: int
) -> None:
    rows = rows_at(hours)
    assert rows.time is not None
    for fit, held in judging_folds(rows, searching(f"{gap} hours", count), 0):
        assert not np.isin(rows.group[held], rows.group[fit]).any()
        assert len(fit)
        if len(held):
            assert rows.time[held].min() - rows.time[fit].max() > np.timedelta64(gap, "h")


def test_a_gap_that_is_as_long_as_the_step_leaves_out_the_row_before() -> None:
    """Of days without an hour the label of the day before reaches into the day that judges."""
    daily = rows_at([24 * day for day in range(40)])
    for fit, held in folds(daily, searching("1 day"), 0):
        assert held[0] - fit[-1] == 2


@pytest.mark.parametrize(
    ("hours", "gap", "told"),
    [
        pytest.param(
            [24 * day for day in range(40)],
            "10 days",
            "search.folds = 3 with search.gap = '10 days' leave a fold no rows to fit on: 40 of 40 training "
            "rows have a time, from 2026-01-01 00:00:00 to 2026-02-09 00:00:00; take a shorter gap or fewer",
            id="as long as the first fold",
        ),
        pytest.param([None] * 40, "1 day", "0 of 40 training rows have a time; take", id="no times"),
        pytest.param([1, 2, None, None], "1 hour", "2 of 4 training rows have a time", id="few times"),
    ],
)
def test_a_gap_that_leaves_nothing_to_fit_on_is_refused(hours: list[int | None], gap: str, told: str) -> None:
    with pytest.raises(BadData) as caught:
        folds(rows_at(hours), searching(gap), 0)
    assert told in str(caught.value)


def daily(days: int, first: int, seed: int, each: int = 20) -> pd.DataFrame:
    """Rows of so many days; y leans on x and z."""
    rng = np.random.default_rng(seed)
    when = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.repeat(np.arange(days) + first, each), unit="D")
    frame = pd.DataFrame({"when": when, "x": rng.normal(size=len(when)), "z": rng.normal(size=len(when))})
    return frame.assign(y=(frame["x"] + frame["z"] + rng.normal(size=len(when)) > 0).astype(int))


def with_other_labels(frame: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    return frame.assign(y=frame["y"].mask(frame["when"].between(first, last), 1 - frame["y"]))


def write(frame: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)
    return path


def params_of(gap: int | str, **sections: object) -> Params:
    params = toy_params(
        split={"by": [], "holdout": 0},
        dataset={"time": "when"},
        search={"scheme": "time-series", "folds": 3, "gap": gap},
        learner={"rounds": 40, "update_rounds": 20, "update_rate": 0.3},
    )
    return changed(params, **sections)


def judged_since(day: str, frame: pd.DataFrame, path: Path, folder: Path) -> np.ndarray:
    """Predictions, out of sample, of the rows of the partition that came on or after the day."""
    number, predictions = OutOfSample.load(folder / OUT_OF_SAMPLE).in_partition(digest_of(path))
    late = frame["when"].to_numpy()[number] >= np.datetime64(day)
    assert late.sum() > 100
    return predictions[0][late]


@pytest.mark.parametrize(("gap", "leaks"), [("5 days", False), (0, True)])
def test_labels_within_the_gap_change_no_prediction_that_judges_a_full_training(
    tmp_path: Path, gap: int | str, leaks: bool
) -> None:
    """Of 40 days in 4 parts the last is held out from 31 January on."""
    before = daily(40, 0, seed=1)
    predicted = []
    for number, frame in enumerate([before, with_other_labels(before, "2026-01-26", "2026-01-30")]):
        folder = tmp_path / str(number)
        path = write(frame, folder / "a.parquet")
        make_full([path], params_of(gap), STUDY, folder)
        predicted.append(judged_since("2026-01-31", frame, path, folder))
    assert np.array_equal(*predicted) is not leaks


@pytest.mark.parametrize(("gap", "leaks"), [("5 days", False), (0, True)])
def test_labels_within_the_gap_change_no_prediction_that_judges_an_update(
    tmp_path: Path, gap: int | str, leaks: bool
) -> None:
    """Of 40 new days in 5 parts the last is held out from 12 March on."""
    params = params_of(gap)
    first = make_full([write(daily(30, 0, seed=1), tmp_path / "a.parquet")], params, STUDY, tmp_path)
    before, predicted = daily(40, 38, seed=2), []
    for number, frame in enumerate([before, with_other_labels(before, "2026-03-07", "2026-03-11")]):
        folder = tmp_path / str(number)
        path = write(frame, folder / "b.parquet")
        make_update(parent(first, params, tmp_path), [path], params, folder)
        predicted.append(judged_since("2026-03-12", frame, path, folder))
    assert np.array_equal(*predicted) is not leaks


def test_an_arrival_shorter_than_the_gap_judges_nothing(tmp_path: Path) -> None:
    params = params_of("7 days")
    first = make_full([write(daily(60, 0, seed=1), tmp_path / "a.parquet")], params, STUDY, tmp_path)
    path = write(daily(7, 60, seed=2), tmp_path / "v2" / "b.parquet")
    made = make_update(parent(first, params, tmp_path), [path], params, tmp_path / "v2")
    assert made.rows == 140
    number, _ = OutOfSample.load(tmp_path / "v2" / OUT_OF_SAMPLE).in_partition(digest_of(path))
    assert len(number) == 0


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda when: when.dt.date, id="dates"),
        pytest.param(lambda when: when.dt.strftime("%Y-%m-%d"), id="text"),
        pytest.param(lambda when: when.astype("datetime64[ns]"), id="nanoseconds"),
        pytest.param(lambda when: when.dt.tz_localize("UTC"), id="UTC"),
        pytest.param(lambda when: when.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"), id="a zone"),
        pytest.param(lambda when: when.dt.strftime("%Y-%m-%dT09:00:00+09:00"), id="text with offsets"),
        pytest.param(lambda when: when.dt.strftime("%Y-%m-%d").astype("category"), id="a dictionary"),
    ],
)
def test_times_are_the_same_however_they_are_written(tmp_path: Path, written: object) -> None:
    assert callable(written)
    frame = daily(20, 0, seed=1)
    frame.loc[3, "when"] = pd.NaT
    plain, other = frame.head(200), frame.tail(200)
    paths = [
        write(plain, tmp_path / "a.parquet"),
        write(other.assign(when=written(other["when"])), tmp_path / "b.parquet"),
    ]
    _, rows = training_rows(paths, params_of("1 day"))
    assert rows.time is not None
    np.testing.assert_array_equal(rows.time, frame["when"].to_numpy())


@pytest.mark.parametrize(
    ("column", "told"),
    [
        pytest.param(
            range(400),
            "search.gap = '1 day' is measured in dataset.time = 'when', which holds int64 in b.parquet, such "
            "as 0: give the gap as a number of rows",
            id="numbers",
        ),
        pytest.param(
            ["2026-01-01"] * 399 + ["31.03.2026"],
            "which holds '31.03.2026' in row 399 of b.parquet; that is no time: use ISO 8601",
            id="a text that is no time",
        ),
        pytest.param(None, "and b.parquet has only the columns ['x', 'y', 'z']", id="no column"),
    ],
)
def test_what_is_no_time_is_named_with_its_place(tmp_path: Path, column: object, told: str) -> None:
    frame = daily(20, 0, seed=1)
    other = frame.drop(columns="when") if column is None else frame.assign(when=column)
    paths = [write(frame, tmp_path / "a.parquet"), write(other, tmp_path / "b.parquet")]
    with pytest.raises(BadData) as caught:
        training_rows(paths, params_of("1 day"))
    assert told in str(caught.value)
