"""Judging by rows that no model can have seen in any way."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from incumbent.compare import Comparison, Incomparable
from incumbent.errors import BadData
from incumbent.evaluation.evidence import collect_evidence, microseconds_per_row
from incumbent.evaluation.judging_rows import JudgingRows, Learned
from incumbent.models.model import Model
from incumbent.params import Params, SplitParams
from incumbent.tables.split import group_hashes
from tests.building import changed
from tests.judging import held_out, judged


class Silent:
    """A model whose leaves are NaN."""

    rounds = 1

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.full(len(X), np.nan)


def assert_same(one: JudgingRows, other: JudgingRows) -> None:
    for name in ("y", "champion", "challenger", "group"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def comparison(holdout: JudgingRows, params: Params) -> Comparison:
    seen = collect_evidence(holdout, params.promotion, 0).comparison
    assert isinstance(seen, Comparison)
    return seen


def test_the_holdout_is_scored_and_never_a_training_row(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    scores = judged(weak, strong, thinned, quick_params)
    expected = held_out(thinned, quick_params)
    assert scores.y.tolist() == expected["late"].astype(int).tolist()
    assert np.array_equal(scores.champion, weak.predict(expected))
    assert np.array_equal(scores.challenger, strong.predict(expected))
    assert np.array_equal(scores.group, group_hashes(expected, ["date"]))
    assert (scores.group < quick_params.split.holdout).all()
    assert len(np.unique(scores.group)) == expected["date"].nunique()
    assert scores.excluded == 0


def test_what_training_rows_say_does_not_change_the_scores(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[0])
    training = group_hashes(frame, ["date"]) >= quick_params.split.holdout
    frame.assign(late=frame["late"] ^ training, temp=frame["temp"].mask(training)).to_parquet(
        tmp_path / "lied.parquet", index=False
    )
    assert_same(
        judged(weak, strong, [tmp_path / "lied.parquet"], quick_params),
        judged(weak, strong, thinned[:1], quick_params),
    )


def test_without_a_champion_the_baseline_gives_every_row_the_same(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    scores = judged(None, strong, thinned, quick_params, prior=[0.16])
    assert set(scores.champion) == {0.16}
    seen = comparison(scores, quick_params)
    assert seen.champion.value == 0.5
    assert seen.difference.low > 0.05


def test_the_comparison_counts_rows_and_whole_days(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    seen = comparison(judged(weak, strong, thinned, quick_params), quick_params)
    expected = held_out(thinned, quick_params)
    positives = int(expected["late"].sum())
    assert (seen.rows, seen.class_counts) == (len(expected), (len(expected) - positives, positives))
    assert seen.groups == expected["date"].nunique()
    assert seen.challenger.value == pytest.approx(roc_auc_score(expected["late"], strong.predict(expected)))


def test_a_partition_without_a_held_out_day_adds_nothing_and_alone_judges_nobody(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[1])
    training = frame[group_hashes(frame, ["date"]) >= quick_params.split.holdout]
    day = tmp_path / "day.parquet"
    training[training["date"] == training["date"].iloc[0]].to_parquet(day, index=False)
    assert_same(
        judged(weak, strong, [thinned[0], day], quick_params),
        judged(weak, strong, thinned[:1], quick_params),
    )
    scores = judged(weak, strong, [day], quick_params)
    alone = collect_evidence(scores, quick_params.promotion, 0).comparison
    assert isinstance(alone, Incomparable)
    assert not alone.unfit


# --- rows that a model may have seen in another way


def test_rows_that_trained_the_champion_under_another_split_judge_nobody(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    by_flight = SplitParams(by=["carrier", "flight"], holdout=0.3)
    learned = Learned({thinned[0].name: "now"}, by_flight)
    scores = judged(weak, strong, thinned, quick_params, learned=learned)
    january, february = (held_out([path], quick_params) for path in thinned)
    unseen = group_hashes(january, by_flight.by) < by_flight.holdout
    assert 0 < unseen.sum() < len(january)
    assert len(scores.y) == unseen.sum() + len(february)
    assert scores.excluded == (~unseen).sum()
    expected = pd.concat([january[unseen], february], ignore_index=True)
    assert np.array_equal(scores.challenger, strong.predict(expected))


def test_the_same_split_leaves_nothing_out(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    learned = Learned({path.name: "now" for path in thinned}, quick_params.split)
    assert judged(weak, strong, thinned, quick_params, learned=learned).excluded == 0


def test_a_corrected_partition_judges_nobody_when_rows_are_known_by_their_content_only(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    by_content = changed(quick_params, split={"by": []}, search={"scheme": "stratified"})
    learned = Learned({thinned[0].name: "before"}, by_content.split)
    scores = judged(weak, strong, thinned, by_content, learned=learned)
    alone = judged(weak, strong, thinned[1:], by_content)
    assert_same(scores, alone)
    assert scores.excluded > 0
    by_day = Learned({thinned[0].name: "before"}, quick_params.split)
    assert judged(weak, strong, thinned, quick_params, learned=by_day).excluded == 0


# --- what else is looked at


def test_slices_fairness_and_calibration_are_gathered(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    params = changed(
        quick_params,
        promotion={"slices": {"columns": ["origin"]}, "fairness": {"column": "carrier"}, "threshold": 0.2},
    )
    seen = collect_evidence(judged(weak, strong, thinned, params), params.promotion, 0)
    assert {each.value for each in seen.slices} == {"EWR", "JFK", "LGA"}
    assert seen.fairness is not None
    assert 0 < seen.fairness.parity_difference <= 1
    assert seen.calibration is not None
    assert 0 < seen.calibration.error < 0.2


def test_a_slice_by_a_column_that_is_not_there_is_refused(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    params = changed(quick_params, promotion={"slices": {"columns": ["airport"]}})
    with pytest.raises(BadData, match=r"names \['airport'\], but the data has only"):
        judged(weak, strong, thinned, params)


def test_a_challenger_that_predicts_no_number_is_unfit(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    scores = judged(weak, strong, thinned, quick_params)
    broken = scores.challenger.copy()
    broken[:3] = np.nan
    seen = collect_evidence(replace(scores, challenger=broken), quick_params.promotion, 0).comparison
    assert isinstance(seen, Incomparable)
    assert seen.unfit
    assert "3 of the challenger's" in seen.reason


def test_a_champion_that_predicts_no_number_can_not_be_evaluated(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    broken = replace(weak, trained=Silent())
    with pytest.raises(BadData, match="predicts no number for"):
        judged(broken, strong, thinned, quick_params)


def test_other_seeds_widen_the_interval(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    alone = judged(weak, strong, thinned, quick_params)
    among = judged(weak, strong, thinned, quick_params, others=[weak])
    narrow, wide = (comparison(each, quick_params) for each in (alone, among))
    assert wide.difference.value == narrow.difference.value
    assert wide.difference.low < narrow.difference.low
    assert wide.seed_deviation > 0 == narrow.seed_deviation


def test_the_time_of_a_prediction_is_measured(
    strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    assert 0.01 < microseconds_per_row(strong, thinned[0]) < 10_000
