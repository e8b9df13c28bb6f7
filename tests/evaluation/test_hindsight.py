"""What arrivals say of a verdict after it was made, one by one and together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from incumbent.evaluation.hindsight import (
    Keep,
    Recall,
    look_back,
    pairs_in,
    score_arrival,
)
from incumbent.evaluation.review import review
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams
from incumbent.tables.split import group_hashes

POLICY = PromotionParams(margin=0.0)


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
    role: str = "predecessor",
) -> dict[str, Any]:
    """An arrival on which the rival was better by `gain`."""
    better = 0.7 + gain if metric == "roc_auc" else 0.7 - gain
    line = {"role": role, "version": rival, "value": better}
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
    (better,) = pairs_in([scored("a", 0.01, metric="log_loss"), scored("b", 0.3)], "log_loss")
    assert better.gain.gain == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("scores", "recalled"),
    [
        pytest.param([], None, id="nothing scored"),
        pytest.param([scored("a", 0.005)], None, id="one arrival within the noise of looking again"),
        pytest.param([scored("a", 0.02), scored("b", 0.03)], "v1", id="better on both"),
        pytest.param([scored("a", -0.02), scored("b", -0.03)], None, id="worse on both"),
        pytest.param([scored("a", 0.001), scored("b", 0.001)], None, id="better within noise"),
        pytest.param([scored(name, 0.004) for name in "abcdef"], "v1", id="a little better again and again"),
        pytest.param(
            [scored("a", 0.02), *(scored(name, -0.01) for name in "bcd")], None, id="better only long ago"
        ),
        pytest.param([scored("a", 0.02, champion="v9")], None, id="under another champion"),
        pytest.param([scored("a", 0.02, metric="log_loss")], None, id="by another metric"),
        pytest.param(
            [scored(name, 0.02 + 0.001 * spread, error=None) for spread, name in enumerate("abcdef")],
            "v1",
            id="days that agree",
        ),
        pytest.param(
            [scored(name, 0.02, error=None) for name in "ab"], None, id="two days that can't tell their error"
        ),
        pytest.param(
            [scored("a", 0.02, error=None), scored("b", -0.01, error=None)], None, id="unequal days"
        ),
    ],
)
def test_the_predecessor_is_recalled_when_the_arrivals_agree(
    scores: list[dict[str, Any]], recalled: str | None
) -> None:
    hindsight = look_back(scores, "v2", {"predecessor": "v1"}, POLICY)
    if recalled is None:
        assert isinstance(hindsight, Keep)
    else:
        assert isinstance(hindsight, Recall)
        assert (hindsight.version, hindsight.role) == (recalled, "predecessor")
        assert "v1 (predecessor) did better than champion v2: roc_auc gain +0.0" in hindsight.because[0]
        assert "each bound with 95% confidence over all looks" in hindsight.because[0]


def test_the_predecessor_comes_back_only_where_params_say_so() -> None:
    scores, rivals = [scored("a", 0.02), scored("b", 0.03)], {"predecessor": "v1"}
    for auto in (False, True):
        hindsight = look_back(scores, "v2", rivals, PromotionParams(auto_rollback=auto))
        assert isinstance(hindsight, Recall)
        assert hindsight.takes_office is auto


def held(partition: str, gain: float, version: str = "v3", role: str = "shadow") -> dict[str, Any]:
    return scored(partition, gain, rival=version, role=role)


SHADOW = {"shadow": "v3"}


@pytest.mark.parametrize(
    ("scores", "policy", "recalled"),
    [
        pytest.param([held("a", 0.02), held("b", 0.02)], {}, True, id="better on both"),
        pytest.param([held("a", 0.004)], {}, False, id="one arrival within noise"),
        pytest.param([held(each, 0.0032) for each in "abc"], {}, True, id="evidence adds up"),
        pytest.param(
            [held(each, 0.004) for each in "abc"], {"probability": 0.999}, False, id="more is asked for"
        ),
        pytest.param(
            [held(each, 0.0032) for each in "abc"], {"guarantee": "lifetime"}, False, id="for its lifetime"
        ),
        pytest.param([held(each, 0.02) for each in "abc"], {"guarantee": "lifetime"}, True, id="clearly"),
        pytest.param([held(each, 0.02) for each in "abc"], {"margin": 0.019}, False, id="not by the margin"),
        pytest.param([held(each, 0.02, role="held challenger") for each in "ab"], {}, True, id="older words"),
        pytest.param(
            [held("a", 0.02, "v1"), held("b", 0.02, "v2b"), held("c", 0.01)], {}, True, id="with those before"
        ),
        pytest.param([held("a", 0.02, "v1"), held("b", 0.02, "v1")], {}, False, id="only those before"),
        pytest.param([held("a", 0.05, "v1"), held("b", -0.001)], {}, False, id="itself not better"),
    ],
)
def test_a_shadow_is_recalled_by_the_rule_of_a_verdict(
    scores: list[dict[str, Any]], policy: dict[str, Any], recalled: bool
) -> None:
    hindsight = look_back(scores, "v2", SHADOW, PromotionParams(**{"margin": 0.0, **policy}))
    assert isinstance(hindsight, Recall) is recalled
    if isinstance(hindsight, Recall):
        assert (hindsight.version, hindsight.role, hindsight.takes_office) == ("v3", "shadow", True)


def test_the_reason_shows_the_evidence() -> None:
    scores = [held("a", 0.02, "v1"), held("b", 0.02, "v1"), held("c", 0.01)]
    hindsight = look_back(scores, "v2", SHADOW, POLICY)
    assert hindsight.because[0].startswith(
        "v3 (shadow), with v1 held before it, did better than champion v2: roc_auc gain +0.0167 [+0.01"
    )
    assert hindsight.because[0].endswith("with 80% confidence over all looks; v3 alone +0.0100")


@pytest.mark.parametrize(
    ("policy", "unmet", "why"),
    [
        pytest.param({}, ("no slice was compared",), "no slice was compared", id="a guardrail was open"),
        pytest.param({"floor": 0.8}, (), "roc_auc 0.7200 on these arrivals is below", id="below the floor"),
    ],
)
def test_a_better_shadow_stays_out_of_office_while_a_guardrail_bars_it(
    policy: dict[str, Any], unmet: tuple[str, ...], why: str
) -> None:
    scores = [held("a", 0.02), held("b", 0.02)]
    hindsight = look_back(scores, "v2", SHADOW, PromotionParams(**policy), unmet=unmet)
    assert isinstance(hindsight, Recall)
    assert not hindsight.takes_office
    assert f"v3 stays out of office: {why}" in hindsight.because[1]


@pytest.mark.parametrize(
    ("approve", "gain", "asks"),
    [
        pytest.param("never", 0.02, False, id="nobody is asked"),
        pytest.param("always", 0.02, True, id="each time"),
        pytest.param("borderline", 0.02, False, id="clearly better"),
        pytest.param("borderline", 0.003, True, id="better, and not with confidence"),
    ],
)
def test_a_better_shadow_asks_a_person_where_params_say_so(approve: str, gain: float, asks: bool) -> None:
    policy = PromotionParams(margin=0.0, approve=approve)  # type: ignore[arg-type]
    hindsight = look_back([held(name, gain) for name in "abc"], "v2", SHADOW, policy)
    assert isinstance(hindsight, Recall)
    assert (hindsight.takes_office, hindsight.asks) == (not asks, asks)
    if asks:
        assert f"a person decides, as promotion.approve is '{approve}'" in hindsight.because[-1]
    barred = look_back([held(name, gain) for name in "abc"], "v2", SHADOW, policy, unmet=("a limit is open",))
    assert isinstance(barred, Recall)
    assert (barred.takes_office, barred.asks) == (False, False)


def test_what_a_blocked_version_did_is_no_evidence_for_the_next_shadow() -> None:
    scores = [held("a", 0.05, "v1"), held("b", 0.05, "v1"), held("c", 0.001)]
    assert isinstance(look_back(scores, "v2", SHADOW, POLICY), Recall)
    assert isinstance(look_back(scores, "v2", SHADOW, POLICY, blocked=("v1",)), Keep)


def test_two_better_models_that_stay_out_are_both_named() -> None:
    scores = [scored(name, 0.04) for name in "ab"] + [held(name, 0.02) for name in "ab"]
    hindsight = look_back(scores, "v2", {"predecessor": "v1", **SHADOW}, POLICY, unmet=("a limit is open",))
    assert isinstance(hindsight, Recall)
    assert (hindsight.version, hindsight.takes_office) == ("v1", False)
    assert hindsight.because[0].startswith("v1 (predecessor) did better")
    assert hindsight.because[1].startswith("v3 (shadow) did better")
    assert hindsight.because[2] == "v3 stays out of office: a limit is open"


def test_of_two_better_models_the_one_that_gained_more_is_recalled() -> None:
    scores = [scored(name, 0.04) for name in "ab"] + [held(name, 0.02) for name in "ab"]
    rivals = {"predecessor": "v1", **SHADOW}
    both = look_back(scores, "v2", rivals, PromotionParams(auto_rollback=True))
    assert isinstance(both, Recall)
    assert both.version == "v1"
    only = look_back(scores, "v2", rivals, POLICY)  # the predecessor would not take office
    assert isinstance(only, Recall)
    assert only.version == "v3"


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
        *(
            pytest.param(outcome(kind, "v8", "v2"), 0.02, "not scored", None, id=kind)
            for kind in ("reject", "pending", "refused", "expired")
        ),
        pytest.param(
            {**outcome("reject", "v8", "v2"), "metric": None}, 0.02, "not scored", None, id="not compared"
        ),
    ],
)
def test_a_verdict_is_reviewed(verdict: dict[str, Any], gain: float, said: str, seen: float | None) -> None:
    (reviewed,) = review([verdict], [scored("a", gain), scored("b", gain)], POLICY)
    assert reviewed.said == said
    assert (reviewed.gain and reviewed.gain.gain) == (seen if seen is None else pytest.approx(seen))


def test_a_run_that_made_no_challenger_is_no_verdict_to_review() -> None:
    others = [outcome(kind, "v2", "v1") for kind in ("skip", "block", "dry-run")]
    assert review(others, [scored("a", 0.1)], POLICY) == []


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
