"""Late labels against logged predictions: what is joined, what is promised, and when it counts as decay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from incumbent.errors import BadData
from incumbent.evaluation.feedback import examine, to_log
from incumbent.models.model import Model
from incumbent.params import Params
from incumbent.tables.split import group_hashes
from tests.building import changed

KEY = ["time_hour", "carrier", "flight"]


@pytest.fixture(scope="module")
def february(thinned: Sequence[Path]) -> pd.DataFrame:
    frame = pd.read_parquet(thinned[1])
    return frame.drop_duplicates(KEY).reset_index(drop=True)


@pytest.fixture(scope="module")
def logged(strong: Model, february: pd.DataFrame, quick_params: Params) -> pd.DataFrame:
    return to_log(strong.score(february), february, quick_params)


def promise(value: float, half: float = 0.01, metric: str = "roc_auc") -> dict[str, Any]:
    return {"metric": metric, "holdout": {"value": value, "low": value - half, "high": value + half}}


def labels(february: pd.DataFrame) -> pd.DataFrame:
    return february[[*KEY, "late"]]


def test_the_live_metric_is_that_of_the_labelled_predictions(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    came = labels(february).sample(frac=0.5, random_state=1)
    seen = examine(strong, logged, [came], promise(0.6), quick_params, 0.95)
    rows = february.loc[came.index]
    assert (seen.logged, seen.labelled) == (len(february), len(came))
    assert seen.live is not None
    assert seen.live.value == pytest.approx(roc_auc_score(rows["late"], strong.predict(rows)))
    assert seen.loss is not None
    assert seen.loss.value == pytest.approx(0.6 - seen.live.value)
    assert not seen.decayed


def test_a_log_keeps_key_scores_and_group(
    logged: pd.DataFrame, february: pd.DataFrame, quick_params: Params
) -> None:
    assert list(logged.columns) == [*KEY, "score", "group"]
    np.testing.assert_array_equal(logged["group"], group_hashes(february, ["date"]))
    bare = to_log(logged[["score"]], february[KEY], quick_params)  # without the column that groups rows
    assert bare["group"].nunique() > 0.99 * len(bare)


@pytest.mark.parametrize(
    ("promised", "decayed"),
    [
        pytest.param(0.99, True, id="far above"),
        pytest.param(0.55, False, id="below"),
    ],
)
def test_decay_is_a_loss_whose_whole_interval_is_above_zero(
    strong: Model,
    february: pd.DataFrame,
    logged: pd.DataFrame,
    quick_params: Params,
    promised: float,
    decayed: bool,
) -> None:
    seen = examine(strong, logged, [labels(february)], promise(promised), quick_params, 0.95)
    assert seen.decayed is decayed
    assert seen.loss is not None
    assert (seen.loss.low > 0) is decayed
    assert ("significantly worse" in seen.reason) is decayed


def test_an_uncertain_promise_is_not_broken_easily(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    seen = examine(strong, logged, [labels(february)], promise(0.99, 0.5), quick_params, 0.95)
    assert not seen.decayed


def test_for_an_error_a_greater_one_is_the_loss(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    params = changed(quick_params, promotion={"metric": "log_loss", "floor": None})
    seen = examine(strong, logged, [labels(february)], promise(0.01, metric="log_loss"), params, 0.95)
    assert seen.decayed


def test_the_first_prediction_and_the_last_label_of_a_key_count(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    again = pd.concat([logged, logged.assign(score=1 - logged["score"])], ignore_index=True)
    wrong = labels(february).assign(late=~february["late"])
    seen = examine(strong, again, [wrong, labels(february)], promise(0.7), quick_params, 0.95)
    once = examine(strong, logged, [labels(february)], promise(0.7), quick_params, 0.95)
    assert seen == once


def test_labels_that_are_still_empty_have_not_come(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    some = labels(february).assign(late=february["late"].astype("object"))
    some.loc[300:, "late"] = None
    seen = examine(strong, logged, [some], promise(0.7), quick_params, 0.95)
    assert seen.labelled == 300


def test_keys_from_a_text_file_are_the_same_keys(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params, tmp_path: Path
) -> None:
    labels(february).to_csv(tmp_path / "labels.csv", index=False)
    written = pd.read_csv(tmp_path / "labels.csv").assign(flight=february["flight"].astype("float64"))
    assert written["time_hour"].dtype == "str"
    seen = examine(strong, logged, [written], promise(0.7), quick_params, 0.95)
    assert seen == examine(strong, logged, [labels(february)], promise(0.7), quick_params, 0.95)
    assert seen.labelled == len(february)


@pytest.mark.parametrize("logged_zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("label_zone", [None, "UTC", "Asia/Tokyo"])
def test_a_time_in_another_zone_is_the_same_key(
    strong: Model,
    february: pd.DataFrame,
    logged: pd.DataFrame,
    quick_params: Params,
    logged_zone: str | None,
    label_zone: str | None,
) -> None:
    """CSV files come without their zone, in UTC; Parquet files keep it."""

    def zoned(frame: pd.DataFrame, zone: str | None) -> pd.DataFrame:
        times = pd.to_datetime(frame["time_hour"], utc=True)
        return frame.assign(time_hour=times.dt.tz_convert(zone))  # to None: UTC, without its zone

    came = labels(february)
    mixed = [zoned(came.head(400), label_zone), zoned(came.tail(-400), None)]
    seen = examine(strong, zoned(logged, logged_zone), mixed, promise(0.7), quick_params, 0.95)
    assert seen == examine(strong, logged, [came], promise(0.7), quick_params, 0.95)
    assert seen.labelled == len(february)


@pytest.mark.parametrize("rows", [0, 199])
def test_few_labels_say_nothing(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params, rows: int
) -> None:
    came = [labels(february).head(rows)] if rows else []
    seen = examine(strong, logged, came, promise(0.99), quick_params, 0.95)
    assert (seen.labelled, seen.live, seen.decayed) == (rows, None, False)
    assert "fewer than monitor.min_rows = 200" in seen.reason


def test_without_predictions_there_is_nothing_to_join(strong: Model, quick_params: Params) -> None:
    empty = pd.DataFrame(columns=[*KEY, "score", "group"])
    assert examine(strong, empty, [], promise(0.7), quick_params, 0.95).logged == 0


def test_what_was_never_promised_can_not_be_broken(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    for metrics in ({"metric": "roc_auc", "holdout": None}, promise(0.9, metric="f1")):
        seen = examine(strong, logged, [labels(february)], metrics, quick_params, 0.95)
        assert (seen.loss, seen.decayed) == (None, False)
        assert seen.live is not None
        assert "promised no roc_auc" in seen.reason


def test_labels_of_one_class_say_nothing(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    calm = labels(february).assign(late=False)
    assert examine(strong, logged, [calm], promise(0.9), quick_params, 0.95).live is None


def test_keys_of_another_kind_are_refused(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    texts = labels(february).assign(flight="UA " + february["flight"].astype("str"))
    with pytest.raises(BadData, match="can't be compared"):
        examine(strong, logged, [texts], promise(0.9), quick_params, 0.95)


def test_labels_meet_predictions_of_files_with_and_without_a_zone(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    utc = pd.to_datetime(logged["time_hour"], utc=True)
    zoned, bare = logged.assign(time_hour=utc), logged.assign(time_hour=utc.dt.tz_localize(None))
    both = pd.concat([zoned.head(2000), bare], ignore_index=True)  # Parquet was scored, then the same as CSV
    health = examine(strong, both, [labels(february)], promise(0.6), quick_params, 0.95)
    assert (health.logged, health.labelled) == (len(february), len(february))


def test_the_bounds_of_the_loss_are_those_of_all_looks(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    looks = {
        confidence: examine(strong, logged, [labels(february)], promise(0.7), quick_params, confidence)
        for confidence in (0.8, 0.95, 0.99)
    }
    widths = []
    for confidence, health in looks.items():
        assert health.loss is not None
        assert health.live is not None
        assert f"each bound with {100 * confidence:g}% confidence over all looks" in health.reason
        widths.append(health.loss.high - health.loss.low)
        # That of a single look: two samples that share no row.
        single = np.hypot(health.live.high - health.live.low, 0.02)
    assert widths == sorted(widths)
    assert 1.2 < widths[1] / single < 2


def test_a_promise_that_was_cut_at_the_end_of_the_metric_is_as_wide_as_before(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    whole, cut = promise(0.98, half=0.05), promise(0.98, half=0.05)
    cut["holdout"]["high"] = 1.0
    one, other = (
        examine(strong, logged, [labels(february)], promised, quick_params, 0.95) for promised in (whole, cut)
    )
    assert one.loss is not None
    assert other.loss is not None
    assert (other.loss.low, other.loss.high) == pytest.approx((one.loss.low, one.loss.high))


def test_labels_of_hardly_more_than_a_day_cannot_tell_how_days_vary(
    strong: Model, february: pd.DataFrame, logged: pd.DataFrame, quick_params: Params
) -> None:
    days = february["date"].unique()
    most, few = (february[february["date"] == day] for day in days[:2])
    came = labels(pd.concat([most, few.head(5)]))
    health = examine(strong, logged, [came], promise(0.99), quick_params, 0.95)
    assert health.live is not None
    assert (health.loss, health.decayed) == (None, False)
    assert "nearly all labelled predictions are of one group of split.by" in health.reason
