"""Rows judge a recipe by predictions of models that have not learned from them, in trainings and updates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.challenger import OUT_OF_SAMPLE, Challenger, make_full, make_update, open_challenger
from incumbent.features import out_of_sample
from incumbent.features.out_of_sample import OutOfSample
from incumbent.features.rows import Rows
from incumbent.models.model import Model
from incumbent.params import Params, SearchParams
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import digest_of
from incumbent.training.folds import folds, judging_folds
from tests.building import changed, fewer_examples, parent, toy_params

STUDY = StudyResult({"num_leaves": 15, "learning_rate": 0.3, "min_child_samples": 5}, 40, ())
SCHEMES = ["stratified", "stratified-group", "k-fold", "time-series"]


def days(count: int, each: int, seed: int) -> pd.DataFrame:
    """Rows of so many days; y is a coin that leans on x, and `tell` is always "no"."""
    rng = np.random.default_rng(seed)
    rows = count * each
    frame = pd.DataFrame({"day": np.arange(rows) // each + 100 * seed, "x": rng.normal(size=rows)})
    frame["y"] = (rng.random(rows) < 1 / (1 + np.exp(-frame["x"]))).astype(int)
    return frame.assign(tell="no")


def with_telling_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the last day but one, `tell` says that y is 1, which nothing else tells."""
    telling = frame["day"] == frame["day"].unique()[-2]
    return frame.assign(tell=frame["tell"].mask(telling, "yes"), y=frame["y"].mask(telling, 1))


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path, index=False)
    return path


def toy(**sections: object) -> Params:
    given: dict[str, object] = {
        "split": {"by": ["day"], "holdout": 0.0},
        "dataset": {"drop": ["day"]},
        "learner": {"rounds": 40, "update_rounds": 20, "update_rate": 0.3},
    }
    return toy_params(**{**given, **sections})


def telling(path: Path, folder: Path, made: Challenger, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """What the released model, which has learned them, predicts of the telling rows; and out of sample."""
    frame = pd.read_parquet(path)
    rows = np.flatnonzero(frame["tell"] == "yes")
    number, predictions = OutOfSample.load(folder / OUT_OF_SAMPLE).in_partition(digest_of(path))
    model: Model = open_challenger(made, params, folder, "v1")
    return model.predict(frame.iloc[rows]), predictions[0][np.isin(number, rows)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_model_that_judges_a_telling_row_has_not_learned_from_it(tmp_path: Path, scheme: str) -> None:
    path, params = (
        write(with_telling_day(days(12, 60, 0)), tmp_path / "a.parquet"),
        toy(search={"scheme": scheme, "folds": 3}),
    )
    made = make_full([path], params, STUDY, tmp_path)
    learned, judged = telling(path, tmp_path, made, params)
    assert learned.min() > 0.85
    assert abs(judged.mean() - 0.5) < 0.15
    assert len(judged) == 60


def test_an_update_that_judges_a_telling_row_has_not_learned_from_it(tmp_path: Path) -> None:
    params = toy()
    first = make_full([write(days(12, 60, 0), tmp_path / "a.parquet")], params, STUDY, tmp_path)
    path, folder = write(with_telling_day(days(6, 60, 1)), tmp_path / "b.parquet"), tmp_path / "v2"
    folder.mkdir()
    made = make_update(parent(first, params, tmp_path), [path], params, folder)
    learned, judged = telling(path, folder, made, params)
    assert len(judged) == 60
    assert learned.mean() > judged.mean() + 0.1
    untold = days(6, 60, 1)
    without = open_challenger(first, params, tmp_path, "v1").predict(untold[untold["day"] == 104])
    assert abs(judged.mean() - without.mean()) < 0.1


def test_a_calibration_that_judges_a_row_has_not_learned_from_it(tmp_path: Path) -> None:
    """An isotonic curve gives the highest of its scores that row's own label."""
    frame = days(40, 5, 0)
    top = frame["x"].idxmax()
    params = toy(imbalance={"calibrate": "isotonic"}, search={"folds": 5})
    predicted = []
    for label in (0, 1):
        folder = tmp_path / str(label)
        folder.mkdir()
        path = write(frame.assign(x=frame["x"].mask(frame.index == top, 9.0)), folder / "a.parquet")
        make_full([path], params, STUDY, folder)
        number, predictions = OutOfSample.load(folder / OUT_OF_SAMPLE).in_partition(digest_of(path))
        predicted.append(predictions[0][number == top])
        frame.loc[top, "y"] = label
    assert 0 < predicted[0] < 1


def test_every_seed_predicts_out_of_sample(tmp_path: Path) -> None:
    params = toy(promotion={"seeds": 3}, learner={"options": {"bagging_fraction": 0.5, "bagging_freq": 1}})
    path = write(days(12, 30, 0), tmp_path / "a.parquet")
    make_full([path], params, STUDY, tmp_path)
    _, predictions = OutOfSample.load(tmp_path / OUT_OF_SAMPLE).in_partition(digest_of(path))
    assert predictions.shape == (3, 360)
    assert not np.array_equal(predictions[0], predictions[1])


def test_new_rows_of_a_single_group_can_not_be_predicted_out_of_sample(tmp_path: Path) -> None:
    params = toy()
    first = make_full([write(days(12, 60, 0), tmp_path / "a.parquet")], params, STUDY, tmp_path)
    (tmp_path / "v2").mkdir()
    day = write(days(1, 60, 1), tmp_path / "b.parquet")
    made = make_update(parent(first, params, tmp_path), [day], params, tmp_path / "v2")
    assert OUT_OF_SAMPLE in made.files
    number, predictions = OutOfSample.load(tmp_path / "v2" / OUT_OF_SAMPLE).in_partition(digest_of(day))
    assert (len(number), predictions.shape) == (0, (1, 0))


def test_rows_of_a_single_group_estimate_and_do_not_judge(tmp_path: Path) -> None:
    params = toy(imbalance={"calibrate": "sigmoid"}, promotion={"seeds": 2})
    path = write(days(1, 200, 0), tmp_path / "a.parquet")
    made = make_full([path], params, STUDY, tmp_path)
    assert made.cv is not None
    kept = OutOfSample.load(tmp_path / OUT_OF_SAMPLE)
    number, predictions = kept.in_partition(digest_of(path))
    assert (len(number), predictions.shape) == (0, (2, 0))


def kept_of(digests: Sequence[str], predicted: float, seeds: int = 1) -> OutOfSample:
    """Two rows of each partition."""
    part = np.repeat(np.arange(len(digests), dtype=np.int32), 2)
    number = np.tile(np.array([3, 5], dtype=np.int32), len(digests))
    return OutOfSample(tuple(digests), part, number, np.full((seeds, len(part)), predicted, dtype="float32"))


def test_an_earlier_versions_predictions_fill_the_partitions_without_own() -> None:
    both = kept_of("bc", 0.5).and_of(kept_of("ab", 0.25))
    for name, predicted in {"a": 0.25, "b": 0.5, "c": 0.5}.items():
        number, predictions = both.in_partition(name)
        assert number.tolist() == [3, 5]
        assert predictions.tolist() == [[predicted, predicted]]
    none = kept_of("", 0.0)
    assert none.and_of(kept_of("a", 0.25)).in_partition("a")[0].tolist() == [3, 5]
    assert kept_of("a", 0.25).and_of(none).partitions == ("a",)


def test_predictions_of_another_number_of_seeds_are_left_out() -> None:
    assert kept_of("b", 0.5, seeds=3).and_of(kept_of("a", 0.25)).partitions == ("b",)


@fewer_examples
@given(
    st.lists(st.integers(0, 40), min_size=8, max_size=300),
    st.sampled_from(SCHEMES),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_no_group_is_on_both_sides_of_a_judging_fold(
    groups: list[int], scheme: str, count: int, seed: int
) -> None:
    group = np.array(groups, dtype=float)
    rows = Rows(np.zeros((len(group), 1), dtype="float32"), np.arange(len(group)) % 2, group)
    splits = judging_folds(rows, SearchParams(scheme=scheme, folds=count), seed)  # type: ignore[arg-type]
    for fit, held in splits:
        assert not np.isin(group[fit], group[held]).any()
    held = np.concatenate([held for _, held in splits]) if splits else np.zeros(0)
    assert len(np.unique(held)) == len(held)
    if scheme != "time-series":
        assert len(held) == (0 if len(np.unique(group)) < 2 else len(group))


def test_many_groups_are_balanced_as_whole_groups() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4000), rng.integers(1, 4, 4000)).astype(float)
    y = (rng.random(len(group)) < 0.1).astype("int8")
    rows = Rows(np.zeros((len(group), 1), dtype="float32"), y, group)
    splits = folds(rows, SearchParams(scheme="stratified-group"), 0)
    shares = [y[held].mean() for _, held in splits]
    assert max(shares) - min(shares) < 0.02
    assert sorted(np.concatenate([held for _, held in splits])) == list(range(len(group)))
    for fit, held in splits:
        assert not np.isin(group[fit], group[held]).any()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 3), st.integers(1, 60))
def test_the_latest_partitions_are_kept_whole_or_thinned_evenly(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], classes: int, most: int
) -> None:
    part = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    number = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    rows = Rows(np.zeros((len(part), 1)), np.zeros(len(part)), np.zeros(len(part)), part=part, number=number)
    predictions = np.arange(len(part) * classes, dtype=float).reshape(1, -1, classes)
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{each}" for each in range(len(sizes))]
    for path in paths:
        path.write_text(path.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_sample, "MOST", most)
        patch.setattr(out_of_sample, "MOST_A_PARTITION", 10)
        kept = OutOfSample.of(paths, rows, np.arange(len(part)), predictions)
    assert kept.predictions.size <= most
    there = [each for each, size in enumerate(sizes) if size]
    for each in there:
        rows_of, predicted = kept.in_partition(digest_of(paths[each]))
        assert len(rows_of) <= 10
        assert np.array_equal(predicted[0], predictions[0][part == each][rows_of])
    present = [each for each in there if len(kept.in_partition(digest_of(paths[each]))[0])]
    assert present == there[len(there) - len(present) :]


def test_what_was_kept_is_read_as_it_was_and_written_the_same(tmp_path: Path) -> None:
    rows = Rows(
        np.zeros((5, 1)),
        np.zeros(5),
        np.zeros(5),
        part=np.array([0, 0, 1, 1, 1], dtype=np.int32),
        number=np.array([1, 4, 0, 2, 3], dtype=np.int32),
    )
    predictions = np.array([[0.1, 0.2, 0.3, 0.4]])
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text(path.name)
    kept = OutOfSample.of(paths, rows, np.array([4, 0, 2, 1]), predictions)
    kept.save(tmp_path / "one.parquet")
    kept.save(tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    loaded = OutOfSample.load(tmp_path / "one.parquet")
    number, predicted = loaded.in_partition(digest_of(paths[0]))
    assert number.tolist() == [1, 4]
    assert predicted[0].tolist() == pytest.approx([0.2, 0.4], abs=1e-7)
    assert loaded.in_partition("never.parquet")[0].tolist() == []
    assert OutOfSample.load(tmp_path / "missing.parquet").partitions == ()


def test_a_version_of_an_earlier_release_has_no_such_predictions(thinned: Sequence[Path]) -> None:
    assert changed(toy(), split={"by": []}).split.holdout == 0
    assert OutOfSample.none().in_partition(digest_of(thinned[0]))[1].shape == (1, 0)
