"""From partitions to a challenger: honest folds, the same bytes twice, and updates without history."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from incumbent.challenger import (
    OUT_OF_SAMPLE,
    REPLAY,
    Challenger,
    make_full,
    make_update,
    open_challenger,
    search,
)
from incumbent.errors import BadData, BadParams
from incumbent.features.frames import Side, frames
from incumbent.features.rows import Rows, read_rows, survey, training_rows
from incumbent.features.sample import Sample
from incumbent.learners import open_learner
from incumbent.models.model import Model
from incumbent.params import Params, SearchParams
from incumbent.search.tune import StudyResult
from incumbent.tables.parquet import read_partition
from incumbent.tables.split import group_hashes
from incumbent.training.cross_validation import cross_validate
from incumbent.training.folds import folds, judging_folds, scored_folds
from incumbent.training.training_sets import Tuned
from tests.building import changed, fewer_examples, parent, toy_params


@dataclass(frozen=True)
class Made:
    """A challenger, the folder with its files, and its model."""

    folder: Path
    challenger: Challenger
    model: Model

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}


def train(paths: Sequence[Path], params: Params, study: StudyResult, folder: Path) -> Made:
    folder.mkdir(parents=True)
    made = make_full(paths, params, study, folder)
    return Made(folder, made, open_challenger(made, params, folder, "v1"))


def update(champion: Made, fresh: Sequence[Path], params: Params, folder: Path) -> Made:
    folder.mkdir(parents=True)
    before = champion.challenger
    made = make_update(parent(before, params, champion.folder), fresh, params, folder)
    return Made(folder, made, open_challenger(made, params, folder, "v2"))


@pytest.fixture(scope="module")
def params(quick_params: Params) -> Params:
    """Enough trials that some are cut short, with this seed."""
    return changed(quick_params, search={"trials": 14}, seed=5)


@pytest.fixture(scope="module")
def january_only(thinned: Sequence[Path]) -> Sequence[Path]:
    return thinned[:1]


@pytest.fixture(scope="module")
def february_only(thinned: Sequence[Path]) -> Sequence[Path]:
    return thinned[1:]


@pytest.fixture(scope="module")
def study(january_only: Sequence[Path], params: Params) -> StudyResult:
    return search(january_only, params)


@pytest.fixture(scope="module")
def champion(
    january_only: Sequence[Path], params: Params, study: StudyResult, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    return train(january_only, params, study, tmp_path_factory.mktemp("champion") / "v1")


# A few rows of two classes in days: (label, day).
LABELLED = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=20, max_size=80)
SCHEMES = st.sampled_from(["stratified", "stratified-group", "k-fold"])


def rows_of(labelled: Sequence[tuple[int, int]]) -> Rows:
    y, day = np.array(labelled).T
    return Rows(np.zeros((len(y), 1), dtype="float32"), y.astype("int8"), day / 10)


def enough(rows: Rows, count: int) -> bool:
    return min(rows.y.sum(), len(rows.y) - rows.y.sum()) >= count and len(set(rows.group)) >= count


@fewer_examples
@given(LABELLED, st.integers(2, 5), SCHEMES, st.integers(0, 3))
def test_every_row_is_held_out_exactly_once_and_fits_the_other_folds(
    labelled: list[tuple[int, int]], count: int, scheme: str, seed: int
) -> None:
    rows = rows_of(labelled)
    if not enough(rows, count):
        return
    splits = folds(rows, SearchParams(folds=count, scheme=scheme), seed)
    assert len(splits) == count
    assert sorted(np.concatenate([held for _, held in splits])) == list(range(len(rows.y)))
    for fit, held in splits:
        assert sorted([*fit, *held]) == list(range(len(rows.y)))
        if scheme == "stratified-group":
            assert not set(rows.group[fit]) & set(rows.group[held])


@fewer_examples
@given(LABELLED, st.integers(2, 5))
def test_stratified_folds_share_each_class_evenly(labelled: list[tuple[int, int]], count: int) -> None:
    rows = rows_of(labelled)
    if not enough(rows, count):
        return
    positives = [int(rows.y[held].sum()) for _, held in folds(rows, SearchParams(folds=count), 0)]
    assert max(positives) - min(positives) <= 1


@fewer_examples
@given(LABELLED, st.integers(2, 4), st.integers(0, 3))
def test_a_time_series_fold_is_held_out_from_what_came_before_it(
    labelled: list[tuple[int, int]], count: int, gap: int
) -> None:
    rows = rows_of(labelled)
    chosen = SearchParams(scheme="time-series", folds=count, gap=gap)
    try:
        splits = folds(rows, chosen, 0)
    except BadData:
        return
    assert len(splits) == count
    for fit, held in splits:
        assert fit[-1] + gap < held[0]
        assert np.array_equal(fit, np.arange(len(fit)))
    assert np.array_equal(
        np.concatenate([held for _, held in splits]), np.arange(splits[0][1][0], len(rows.y))
    )


def test_a_fold_without_variety_is_refused() -> None:
    sorted_rows = rows_of([(0, day % 10) for day in range(40)] + [(1, day % 10) for day in range(10)])
    in_order = toy_params(search={"scheme": "time-series", "folds": 3})
    with pytest.raises(BadData, match=r"no fold of .* 'time-series' has rows of two classes on both"):
        scored_folds(sorted_rows.y, folds(sorted_rows, in_order.search, 0), in_order)
    with pytest.raises(BadData, match="leave no rows to fit on: there are 50 training rows"):
        folds(sorted_rows, SearchParams(scheme="time-series", folds=3, gap=30), 0)


def test_days_of_real_flights_stay_whole_and_the_classes_balanced(
    january_only: Sequence[Path], params: Params
) -> None:
    _, rows = training_rows(january_only, params)
    splits = folds(rows, params.search, params.seed)
    assert params.search.scheme == "stratified-group"
    for fit, held in splits:
        assert not set(rows.group[fit]) & set(rows.group[held])
        assert abs(rows.y[held].mean() - rows.y.mean()) < 0.05
        assert 0.1 < len(held) / len(rows.y) < 0.3


def test_folds_follow_from_the_seed(january_only: Sequence[Path], params: Params) -> None:
    _, rows = training_rows(january_only, params)
    first, again, other = (folds(rows, params.search, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("labelled", "scheme", "told"),
    [
        pytest.param(
            [(n % 2, n) for n in range(4)],
            "stratified",
            "search.folds = 5, but there are 4 training rows",
            id="four rows",
        ),
        pytest.param(
            [(n % 2, n % 4) for n in range(40)],
            "stratified-group",
            "search.folds = 5, but there are 4 groups of split.by",
            id="four days",
        ),
    ],
)
def test_too_few_rows_or_days_for_the_folds_are_refused(
    labelled: list[tuple[int, int]], scheme: str, told: str
) -> None:
    with pytest.raises(BadData) as caught:
        folds(rows_of(labelled), SearchParams(folds=5, scheme=scheme), 0)
    assert told in str(caught.value)


def test_a_pruned_trial_cost_little_and_never_wins(study: StudyResult, params: Params) -> None:
    pruned = [trial for trial in study.trials if trial.pruned]
    finished = [trial for trial in study.trials if not trial.pruned]
    assert pruned, "this search cut no trial short: it tests nothing"
    assert {len(trial.folds) for trial in finished} == {params.search.folds}
    best = max(finished, key=lambda trial: trial.value)
    assert (study.options, study.rounds) == (best.options, best.rounds)
    for trial in pruned:
        earlier = max(other.value for other in finished if other.number < trial.number)
        assert trial.value < earlier <= best.value


def test_a_hopeless_trial_costs_a_small_part_of_a_whole_one(study: StudyResult) -> None:
    worst, best = (choose(study.trials, key=lambda trial: trial.value) for choose in (min, max))
    assert len(worst.folds) == 2
    assert len(worst.folds) * worst.rounds < len(best.folds) * best.rounds / 4


def test_a_finished_trials_value_is_the_mean_of_its_folds(study: StudyResult, params: Params) -> None:
    assert [trial.number for trial in study.trials] == list(range(params.search.trials))
    for trial in study.trials:
        assert 1 <= trial.rounds <= params.learner.rounds
        assert all(0 < score < 1 for score in trial.folds)
        if not trial.pruned:
            assert trial.value == pytest.approx(np.mean(trial.folds))


def test_a_trials_folds_are_those_of_models_with_its_rounds(
    january_only: Sequence[Path], params: Params, study: StudyResult
) -> None:
    schema, rows = training_rows(january_only, params)
    learner = open_learner(params, schema)
    binned = learner.bin(rows.X, rows.y)
    best = max((trial for trial in study.trials if not trial.pruned), key=lambda trial: trial.value)
    splits = folds(rows, params.search, params.seed)
    for (fit, held), score in zip(splits, best.folds, strict=True):
        model = learner.fit(binned, best.options, best.rounds, fit)
        assert score == pytest.approx(roc_auc_score(rows.y[held], model.predict(rows.X[held])), abs=1e-9)


@pytest.mark.parametrize("cores", [1, 4])
def test_a_study_is_the_same_on_every_machine(
    january_only: Sequence[Path],
    params: Params,
    study: StudyResult,
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert search(january_only, params) == study


def test_another_seed_searches_elsewhere(
    january_only: Sequence[Path], params: Params, study: StudyResult
) -> None:
    few = changed(params, search={"trials": 2}, seed=params.seed + 1)
    assert search(january_only, few).trials[0].options != study.trials[0].options


def test_a_search_of_one_trial_and_two_folds_has_a_winner(
    january_only: Sequence[Path], params: Params
) -> None:
    found = search(january_only, changed(params, search={"trials": 1, "folds": 2}))
    (trial,) = found.trials
    assert (found.options, len(trial.folds), trial.pruned) == (trial.options, 2, False)


def test_a_study_survives_its_document(study: StudyResult) -> None:
    assert StudyResult.from_json(json.loads(json.dumps(study.to_json()))) == study


@pytest.mark.parametrize("cores", [1, 4])
def test_full_training_gives_the_same_bytes_on_every_machine(
    january_only: Sequence[Path],
    params: Params,
    study: StudyResult,
    champion: Made,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cores: int,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    again = train(january_only, params, study, tmp_path / "again")
    assert again.files == champion.files
    assert again.challenger == champion.challenger


def test_another_seed_gives_another_model(
    january_only: Sequence[Path], params: Params, study: StudyResult, champion: Made, tmp_path: Path
) -> None:
    other = train(january_only, changed(params, seed=1), study, tmp_path / "other")
    frame = read_partition(january_only[0])
    assert other.files["model.txt"] != champion.files["model.txt"]
    assert not np.array_equal(other.model.predict(frame), champion.model.predict(frame))


def test_nothing_in_the_holdout_changes_a_byte_of_the_challenger(
    january_only: Sequence[Path], params: Params, study: StudyResult, champion: Made, tmp_path: Path
) -> None:
    frame = read_partition(january_only[0])
    held_out = group_hashes(frame, params.split.by) < params.split.holdout
    assert 0.05 < held_out.mean() < 0.5
    lied = frame.assign(
        late=frame["late"] ^ held_out,
        distance=frame["distance"].mask(held_out, 1_000_000),
        temp=frame["temp"].mask(held_out),
        carrier=frame["carrier"].mask(held_out, "XX"),
    )
    path = tmp_path / january_only[0].name
    lied.to_parquet(path, index=False)
    assert search([path], params) == study
    made = train([path], params, study, tmp_path / "v1")
    ours, theirs = made.files, champion.files
    assert ours.pop(OUT_OF_SAMPLE) != theirs.pop(OUT_OF_SAMPLE)  # it names the file by its bytes
    assert ours == theirs
    assert made.challenger == champion.challenger


def test_a_challenger_says_what_it_was_made_of(
    january_only: Sequence[Path], params: Params, study: StudyResult, champion: Made
) -> None:
    made = champion.challenger
    _, rows = training_rows(january_only, params)
    assert (made.kind, made.file, made.rows) == ("full", "model.txt", len(rows.y))
    assert (made.options, made.rounds) == (study.options, study.rounds)
    assert sorted(champion.files) == sorted(made.files)
    assert sorted(made.files) == [
        "golden.parquet",
        "model.onnx",
        "model.txt",
        OUT_OF_SAMPLE,
        "reference.parquet",
        "replay.parquet",
    ]
    assert champion.files["model.txt"].startswith(b"tree\n")
    assert list(made.importances) == sorted(made.importances, key=lambda name: -made.importances[name])
    assert sum(made.importances.values()) == pytest.approx(1)
    assert set(made.importances) == {feature.name for feature in made.schema.features}


def test_a_challenger_survives_its_document(champion: Made) -> None:
    document = json.loads(json.dumps(champion.challenger.to_json()))
    assert Challenger.from_json(document) == champion.challenger


def test_a_saved_model_predicts_the_same_probabilities(
    january_only: Sequence[Path],
    february_only: Sequence[Path],
    params: Params,
    study: StudyResult,
    champion: Made,
) -> None:
    schema, rows = training_rows(january_only, params)
    learner = open_learner(params, schema)
    fitted = learner.fit(learner.bin(rows.X, rows.y), study.options, study.rounds)
    frame = read_partition(february_only[0])
    loaded = champion.model.predict(frame)
    assert np.array_equal(fitted.predict(schema.encode(frame)), loaded)
    assert loaded.dtype == np.float64
    assert ((loaded > 0) & (loaded < 1)).all()


def test_cross_validation_scores_each_fold_with_the_winners_rounds(
    january_only: Sequence[Path], params: Params, study: StudyResult, champion: Made
) -> None:
    schema, rows = training_rows(january_only, params)
    learner = open_learner(params, schema)
    binned = learner.bin(rows.X, rows.y)
    estimate = cross_validate(rows, learner, binned, study.tuned, schema, params).estimate
    assert estimate == champion.challenger.cv
    splits = judging_folds(rows, params.search, params.seed)
    assert [held.tolist() for _, held in splits] != [
        held.tolist() for _, held in folds(rows, params.search, params.seed)
    ]
    for (fit, held), score in zip(splits, estimate.folds, strict=True):
        model = learner.fit(learner.bin(rows.X, rows.y), study.options, study.rounds, fit)
        assert score == pytest.approx(roc_auc_score(rows.y[held], model.predict(rows.X[held])), abs=1e-12)
    assert (len(estimate.folds), estimate.rows) == (params.search.folds, len(rows.y))
    assert estimate.mean == pytest.approx(np.mean(estimate.folds))
    assert estimate.std == pytest.approx(np.std(estimate.folds, ddof=1))
    # Without the optimism of early stopping it is no better than the search believed.
    assert 0.6 < estimate.mean <= max(trial.value for trial in study.trials) + 0.005


@pytest.fixture(scope="module")
def updated(
    champion: Made, february_only: Sequence[Path], params: Params, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    return update(champion, february_only, params, tmp_path_factory.mktemp("updated") / "v2")


def test_an_update_adds_its_trees_to_the_champions(
    updated: Made, champion: Made, february_only: Sequence[Path], params: Params
) -> None:
    made = updated.challenger
    assert made.kind == "incremental"
    assert made.rounds == champion.challenger.rounds + params.learner.update_rounds
    assert made.schema == champion.challenger.schema
    assert made.options == champion.challenger.options
    assert made.cv is None
    fresh = sum(len(frame) for frame, _ in frames(february_only, params, Side.TRAINING))
    assert made.rows == fresh


def test_an_update_predicts_otherwise_than_the_champion_but_not_at_random(
    updated: Made, champion: Made, february_only: Sequence[Path]
) -> None:
    frame = read_partition(february_only[0])
    before, after = champion.model.predict(frame), updated.model.predict(frame)
    assert (before != after).mean() > 0.9
    assert 0.5 < np.corrcoef(before, after)[0, 1] < 0.9999


def test_an_update_gives_the_same_bytes_twice(
    updated: Made, champion: Made, february_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    again = update(champion, february_only, params, tmp_path / "again")
    assert again.files == updated.files
    assert again.challenger == updated.challenger


def test_an_update_reads_no_history_but_the_champions_sample(
    updated: Made, thinned: Sequence[Path], params: Params, study: StudyResult, tmp_path: Path
) -> None:
    january, february = (tmp_path / path.name for path in thinned)
    january.write_bytes(thinned[0].read_bytes())
    champion = train([january], params, study, tmp_path / "v1")
    january.unlink()
    february.write_bytes(thinned[1].read_bytes())
    assert update(champion, [february], params, tmp_path / "v2").files == updated.files


def test_an_update_learns_from_the_champions_sample(
    updated: Made, champion: Made, february_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    for name, content in champion.files.items():
        (tmp_path / name).write_bytes(content)
    pd.read_parquet(tmp_path / REPLAY).iloc[::2].to_parquet(tmp_path / REPLAY, index=False)
    halved = Made(tmp_path, champion.challenger, champion.model)
    other = update(halved, february_only, params, tmp_path / "v2")
    assert other.files["model.txt"] != updated.files["model.txt"]


def training_count(path: Path, params: Params) -> int:
    return sum(len(frame) for frame, _ in frames([path], params, Side.TRAINING))


@pytest.fixture(scope="module")
def few_flights(
    february_only: Sequence[Path], params: Params, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[Path]:
    """A smaller arrival than the champion's sample of history."""
    path = tmp_path_factory.mktemp("few") / "2013-02.parquet"
    pd.read_parquet(february_only[0]).iloc[::8].to_parquet(path, index=False)
    assert 100 < training_count(path, params) < params.retrain.replay / 2
    return [path]


def test_a_small_arrival_draws_the_same_history_twice_and_otherwise_with_another_seed(
    champion: Made, few_flights: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    first, again = (update(champion, few_flights, params, tmp_path / name) for name in ("a", "b"))
    assert again.files == first.files
    other = update(champion, few_flights, changed(params, seed=params.seed + 1), tmp_path / "c")
    assert other.files["model.txt"] != first.files["model.txt"]


@pytest.mark.parametrize(
    ("name", "value"), [("update_rounds", 4), ("update_rate", 0.5), ("refit_decay", 0.1)]
)
def test_each_parameter_of_an_update_has_its_effect(
    updated: Made,
    champion: Made,
    february_only: Sequence[Path],
    params: Params,
    tmp_path: Path,
    name: str,
    value: float,
) -> None:
    others = changed(params, learner={name: value})
    model = open_challenger(champion.challenger, others, champion.folder, "v1")
    made = update(Made(champion.folder, champion.challenger, model), february_only, others, tmp_path / "v2")
    frame = read_partition(february_only[0])
    assert not np.array_equal(made.model.predict(frame), updated.model.predict(frame))


def test_new_rows_move_a_champion_the_more_the_fewer_it_knows(
    champion: Made, february_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    frame, before = read_partition(february_only[0]), champion.challenger
    moved = []
    for known in (10, before.rows, 100 * before.rows, 200 * before.rows):
        folder = tmp_path / str(known)
        folder.mkdir()
        made = make_update(parent(before, params, champion.folder, known), february_only, params, folder)
        after = open_challenger(made, params, folder, "v2").predict(frame)
        moved.append(np.abs(after - champion.model.predict(frame)).mean())
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] == moved[3], "learner.refit_decay is the most that the old leaf values weigh"


def test_an_updates_sample_is_that_of_all_training_rows_so_far(
    updated: Made, thinned: Sequence[Path], params: Params
) -> None:
    kept = pd.read_parquet(updated.folder / REPLAY)
    sample = Sample(params)
    survey(thinned, params, sample)
    expected = sample.rows
    columns = list(expected.columns)
    pd.testing.assert_frame_equal(
        kept.sort_values(columns, ignore_index=True), expected.sort_values(columns, ignore_index=True)
    )
    assert (group_hashes(kept, params.split.by) >= params.split.holdout).all()


def test_nothing_in_the_new_holdout_changes_a_byte_of_the_update(
    updated: Made, champion: Made, february_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    frame = read_partition(february_only[0])
    held_out = group_hashes(frame, params.split.by) < params.split.holdout
    lied = frame.assign(late=frame["late"] ^ held_out, temp=frame["temp"].mask(held_out))
    path = tmp_path / february_only[0].name
    lied.to_parquet(path, index=False)
    ours, theirs = update(champion, [path], params, tmp_path / "v2").files, updated.files
    assert ours.pop(OUT_OF_SAMPLE) != theirs.pop(OUT_OF_SAMPLE)
    assert ours == theirs


def test_an_update_of_an_update_goes_on(
    updated: Made, february_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    third = update(updated, february_only, params, tmp_path / "v3")
    assert third.challenger.rounds == updated.challenger.rounds + params.learner.update_rounds
    assert third.challenger.options == updated.challenger.options


def test_an_update_without_a_row_to_train_on_is_refused(
    champion: Made, february_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    judged, _ = next(frames(february_only, params, Side.HOLDOUT))
    judged.to_parquet(tmp_path / "held.parquet", index=False)
    with pytest.raises(BadData, match="every new row is in the vault"):
        update(champion, [tmp_path / "held.parquet"], params, tmp_path / "v2")


def test_without_a_sample_of_history_an_update_learns_from_new_rows_alone(
    january_only: Sequence[Path],
    february_only: Sequence[Path],
    params: Params,
    study: StudyResult,
    tmp_path: Path,
) -> None:
    forgetful = changed(params, retrain={"replay": 0})
    champion = train(january_only, forgetful, study, tmp_path / "v1")
    assert len(pd.read_parquet(champion.folder / REPLAY)) == 0
    made = update(champion, february_only, forgetful, tmp_path / "v2").challenger
    assert made.rounds == champion.challenger.rounds + params.learner.update_rounds


def test_infinite_and_missing_numbers_are_learned_from(
    january_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    frame = read_partition(january_only[0])
    third = np.arange(len(frame)) % 3
    odd = frame.assign(
        temp=frame["temp"].mask(third == 0, np.inf).mask(third == 1, -np.inf), wind_gust=np.nan
    )
    odd.to_parquet(tmp_path / "odd.parquet", index=False)
    study = StudyResult({}, rounds=5, trials=())
    made = train([tmp_path / "odd.parquet"], params, study, tmp_path / "v1")
    assert np.isfinite(made.model.predict(odd)).all()


def test_options_that_equal_bytes_depend_on_are_refused(params: Params) -> None:
    with pytest.raises(ValidationError, match="may not set"):
        changed(params, learner={"options": {"metric": "binary_logloss"}})


def test_an_option_of_the_learner_is_passed_to_lightgbm(
    january_only: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    few = changed(params, search={"trials": 1}, learner={"options": {"num_leaves": 3}})
    made = train(january_only, few, search(january_only, few), tmp_path / "v1")
    assert b"[num_leaves: 3]" in made.files["model.txt"]


def test_an_option_that_lightgbm_refuses_is_refused_as_a_parameter(
    january_only: Sequence[Path], params: Params
) -> None:
    with pytest.raises(BadParams, match="boosting"):
        search(january_only, changed(params, learner={"options": {"boosting": "none"}}))


def test_the_rows_of_a_replay_are_read_like_any_others(
    champion: Made, january_only: Sequence[Path], params: Params
) -> None:
    # The sample went through Parquet: its types must still be those that the schema encodes.
    kept = pd.read_parquet(champion.folder / REPLAY)
    schema = champion.challenger.schema
    rows = read_rows(january_only, schema, params, Side.TRAINING)
    known = {row.tobytes() for row in np.column_stack([rows.X, rows.y])}
    encoded = np.column_stack([schema.encode(kept), schema.labels(kept)])
    assert all(row.tobytes() in known for row in encoded)


def test_folds_may_predict_while_others_train(january_only: Sequence[Path], params: Params) -> None:
    # LightGBM keeps its number of threads in one global: a mixture once ended in a segmentation fault.
    schema, rows = training_rows(january_only, params)
    learner = open_learner(params, schema)
    binned, tuned = learner.bin(rows.X, rows.y), Tuned({"num_leaves": 31}, rounds=5)
    scores = {cross_validate(rows, learner, binned, tuned, schema, params).estimate.folds for _ in range(25)}
    assert len(scores) == 1


def test_rows_without_a_label_change_no_byte_of_a_model(
    january_only: Sequence[Path],
    february_only: Sequence[Path],
    params: Params,
    study: StudyResult,
    champion: Made,
    tmp_path: Path,
) -> None:
    def with_unlabelled(path: Path) -> Path:
        frame = read_partition(path)
        more = frame.sample(frac=0.3, random_state=1).assign(
            late=None, flight=lambda rows: rows["flight"] + 1
        )
        both = pd.concat([frame.astype({"late": object}), more]).sort_values("time_hour", kind="stable")
        copy = tmp_path / path.name
        both.to_parquet(copy, index=False)
        return copy

    first, second = (with_unlabelled(path) for path in (january_only[0], february_only[0]))
    in_order = tmp_path / "in order.parquet"
    read_partition(january_only[0]).sort_values("time_hour", kind="stable").to_parquet(in_order, index=False)
    full = train([first], params, study, tmp_path / "full")
    expected = train([in_order], params, study, tmp_path / "expected")
    ours, theirs = full.files, expected.files
    assert ours.pop(OUT_OF_SAMPLE) != theirs.pop(OUT_OF_SAMPLE)  # it numbers the rows of the file
    assert ours == theirs
    assert (full.challenger.rows, full.challenger.cv) == (expected.challenger.rows, expected.challenger.cv)
    updated = update(champion, [second], params, tmp_path / "updated")
    assert updated.challenger.rows == update(champion, february_only, params, tmp_path / "u").challenger.rows
