"""What arrivals say of a verdict after it was made, one by one and together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, ttest_1samp
from sklearn.metrics import roc_auc_score

from incumbent.evaluation.hindsight import (
    Keep,
    Pair,
    Recall,
    look_back,
    pairs_in,
    pool,
    review,
    score_arrival,
)
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams
from incumbent.tables.split import group_hashes
from tests.building import changed

POLICY = PromotionParams(audit_window=2)


def without_labels(frame: pd.DataFrame, which: np.ndarray) -> pd.DataFrame:
    return frame.assign(late=frame["late"].astype(object).mask(which, None))


def scored(
    partition: str,
    gain: float,
    *,
    champion: str = "v2",
    rival: str = "v1",
    error: float | None = 0.002,
    run: int = 9,
    metric: str = "roc_auc",
) -> dict[str, Any]:
    """An arrival on which the rival was better by `gain`."""
    better = 0.7 + gain if metric == "roc_auc" else 0.7 - gain
    line = {"role": "predecessor", "version": rival, "value": better}
    spread = {"standard_error": error, "dof": None if error is None else 25.0}
    return {
        "partition": partition,
        "run": run,
        "rows": 1000,
        "metric": metric,
        "champion": {"version": champion, "value": 0.7},
        "rivals": [{**line, **spread}],
    }


def test_an_arrival_is_scored_by_all_on_all_its_rows(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    frame = pd.read_parquet(thinned[1])
    groups = group_hashes(frame, ["date"])
    seen = score_arrival(weak, {"predecessor": strong}, frame, groups, quick_params.promotion, 0)
    assert seen is not None
    assert seen["rows"] == len(frame)
    assert seen["champion"] == {
        "version": "v1",
        "value": pytest.approx(roc_auc_score(frame["late"], weak.predict(frame))),
    }
    (rival,) = seen["rivals"]
    assert (rival["role"], rival["version"]) == ("predecessor", "v30")
    assert rival["value"] == pytest.approx(roc_auc_score(frame["late"], strong.predict(frame)))
    assert rival["standard_error"] > 0


def test_a_day_alone_has_values_but_no_spread(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    frame = pd.read_parquet(thinned[1])
    day = frame[frame["date"] == frame["date"].iloc[0]]
    groups = group_hashes(day, ["date"])
    seen = score_arrival(weak, {"predecessor": strong}, day, groups, quick_params.promotion, 0)
    assert seen is not None
    assert (seen["rivals"][0]["standard_error"], seen["rivals"][0]["dof"]) == (None, None)


def test_rows_of_one_class_say_nothing(weak: Model, thinned: Sequence[Path], quick_params: Params) -> None:
    frame = pd.read_parquet(thinned[1]).assign(late=False)
    assert score_arrival(weak, {}, frame, group_hashes(frame, ["date"]), quick_params.promotion, 0) is None


def test_a_rival_that_cannot_read_the_rows_is_left_out(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    frame = pd.read_parquet(thinned[1])
    bad = Model("v0", changed_schema(strong), strong.trained)
    seen = score_arrival(
        weak, {"a": bad, "b": strong}, frame, group_hashes(frame, ["date"]), quick_params.promotion, 0
    )
    assert seen is not None
    assert [rival["role"] for rival in seen["rivals"]] == ["b"]


def changed_schema(model: Model) -> Any:
    """As if `carrier` had been a number when it was trained."""
    from dataclasses import replace

    from incumbent.features.schema import Feature

    features = [Feature(f.name) if f.name == "carrier" else f for f in model.schema.features]
    return replace(model.schema, features=tuple(features))


def test_an_error_that_falls_is_a_gain() -> None:
    (better,) = pairs_in([scored("a", 0.01, metric="log_loss")])
    assert better.gain == pytest.approx(0.01)


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=8))
def test_arrivals_without_spread_are_a_t_test_over_arrivals(gains: list[float]) -> None:
    gains = [gain + 1e-3 * place for place, gain in enumerate(gains)]
    seen = pool([Pair("c", "r", 100, gain, None, None) for gain in gains], 0.95)
    expected = ttest_1samp(gains, 0).confidence_interval(0.95)
    assert (seen.low, seen.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_arrivals_with_spread_add_up_by_their_rows() -> None:
    seen = pool([Pair("c", "r", 300, 0.02, 0.004, 1e9), Pair("c", "r", 100, 0.06, 0.008, 1e9)], 0.95)
    error = np.sqrt((0.75 * 0.004) ** 2 + (0.25 * 0.008) ** 2)
    assert (seen.arrivals, seen.rows) == (2, 400)
    assert seen.gain == pytest.approx(0.03)
    assert seen.high == pytest.approx(0.03 + norm.ppf(0.975) * error, rel=1e-6)


def test_a_single_arrival_of_one_group_has_no_interval() -> None:
    seen = pool([Pair("c", "r", 100, 0.5, None, None)], 0.95)
    assert (seen.gain, seen.low, seen.high) == (0.5, None, None)
    assert str(seen) == "+0.5000 over 1 arrivals"


@pytest.mark.parametrize(
    ("scores", "recalled"),
    [
        pytest.param([], None, id="nothing scored"),
        pytest.param([scored("a", 0.02)], None, id="too few arrivals"),
        pytest.param([scored("a", 0.02), scored("b", 0.03)], "v1", id="better on both"),
        pytest.param([scored("a", -0.02), scored("b", -0.03)], None, id="worse on both"),
        pytest.param([scored("a", 0.001), scored("b", 0.001)], None, id="better within noise"),
        pytest.param(
            [scored("a", 0.09), scored("b", 0.0), scored("c", 0.0)], None, id="better only long ago"
        ),
        pytest.param(
            [scored("a", 0.02), scored("b", 0.03, champion="v9")], None, id="under another champion"
        ),
        pytest.param([scored("a", 0.02, error=None), scored("b", 0.02, error=None)], "v1", id="equal days"),
        pytest.param(
            [scored("a", 0.02, error=None), scored("b", -0.01, error=None)], None, id="unequal days"
        ),
    ],
)
def test_a_model_is_recalled_when_the_last_arrivals_agree(
    scores: list[dict[str, Any]], recalled: str | None
) -> None:
    seen = look_back(scores, "v2", {"predecessor": "v1"}, POLICY)
    if recalled is None:
        assert isinstance(seen, Keep)
    else:
        assert isinstance(seen, Recall)
        assert (seen.version, seen.role) == (recalled, "predecessor")
        assert "v1 (predecessor) did better than champion v2: roc_auc gain +0.02" in seen.because[0]


def test_of_two_better_models_the_one_that_gained_more_is_recalled() -> None:
    scores = [scored(name, 0.02) for name in "ab"] + [scored(name, 0.04, rival="v3") for name in "ab"]
    seen = look_back(scores, "v2", {"predecessor": "v1", "held challenger": "v3"}, POLICY)
    assert isinstance(seen, Recall)
    assert (seen.version, seen.role) == ("v3", "held challenger")


def outcome(kind: str, challenger: str, incumbent: str, run: int = 3) -> dict[str, Any]:
    return {
        "run": run,
        "decision": {"kind": kind, "reasons": []},
        "challenger": challenger,
        "metric": {"incumbent": incumbent},
    }


@pytest.mark.parametrize(
    ("verdict", "gain", "said", "seen"),
    [
        # scored() has champion v2 and rival v1.
        pytest.param(outcome("promote", "v2", "v1"), -0.02, "confirmed", 0.02, id="promoted, and better"),
        pytest.param(outcome("promote", "v2", "v1"), 0.02, "contradicted", -0.02, id="promoted, but worse"),
        pytest.param(outcome("promote", "v2", "v1"), 0.001, "open", -0.001, id="promoted, within noise"),
        pytest.param(outcome("hold", "v1", "v2"), 0.02, "contradicted", 0.02, id="held, but better"),
        pytest.param(outcome("hold", "v1", "v2"), -0.02, "confirmed", -0.02, id="held, and worse"),
        pytest.param(outcome("promote", "v8", "v1"), 0.02, "no word yet", None, id="nothing arrived since"),
    ],
)
def test_a_verdict_is_reviewed(verdict: dict[str, Any], gain: float, said: str, seen: float | None) -> None:
    (reviewed,) = review([verdict], [scored("a", gain), scored("b", gain)], POLICY)
    assert reviewed.said == said
    assert (reviewed.gain and reviewed.gain.gain) == (seen if seen is None else pytest.approx(seen))


def test_only_promotions_and_holds_are_verdicts_to_review() -> None:
    others = [outcome(kind, "v2", "v1") for kind in ("reject", "skip", "block")]
    assert (
        review([*others, {**outcome("hold", "v1", "v2"), "metric": None}], [scored("a", 0.1)], POLICY) == []
    )


def test_the_window_is_a_parameter(quick_params: Params) -> None:
    longer = changed(quick_params, promotion={"audit_window": 4}).promotion
    scores = [scored(name, 0.03) for name in "abc"]
    assert isinstance(look_back(scores, "v2", {"predecessor": "v1"}, longer), Keep)
    assert isinstance(look_back([*scores, scored("d", 0.03)], "v2", {"predecessor": "v1"}, longer), Recall)


def test_an_arrival_is_judged_by_the_rows_that_have_a_label(
    weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    frame = pd.read_parquet(thinned[1])
    groups, empty = group_hashes(frame, ["date"]), np.arange(len(frame)) % 3 == 0
    asked = ({"predecessor": strong}, quick_params.promotion, 0)

    def judged(rows: pd.DataFrame, groups: np.ndarray) -> Any:
        return score_arrival(weak, asked[0], rows, groups, *asked[1:])

    assert judged(without_labels(frame, empty), groups) == judged(frame[~empty], groups[~empty])
    assert judged(without_labels(frame, empty | ~empty), groups) is None
