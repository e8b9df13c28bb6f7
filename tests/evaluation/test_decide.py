"""Who takes office: a table of evidence, the decision, and the figures that it gives."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from incumbent.compare import (
    Bin,
    Calibration,
    Comparison,
    Fairness,
    GroupRates,
    Incomparable,
    Interval,
    SliceComparison,
    calibration,
    compare_slices,
    fairness,
    try_compare,
)
from incumbent.evaluation.decide import Decision, Evidence, Hold, Promote, Reject, decide
from incumbent.params import PromotionParams
from tests.building import stored

POLICY = PromotionParams(floor=0.6, margin=0.0)
MARGIN = PromotionParams(floor=0.6, margin=0.01)
SURE = PromotionParams(floor=0.6, margin=0.0, probability=0.975)
LOSS = PromotionParams(metric="log_loss", floor=0.6, margin=0.0)
LOSS_MARGIN = PromotionParams(metric="log_loss", floor=0.6, margin=0.01)


def seen(low: float, high: float, challenger: float = 0.7, metric: str = "roc_auc") -> Comparison:
    """A challenger's metric, and the interval of its difference from the champion's."""
    difference = (low + high) / 2
    return Comparison(
        metric,
        champion=Interval(challenger - difference, 0.5, 0.9),
        challenger=Interval(challenger, 0.5, 0.9),
        difference=Interval(difference, low, high),
        p_value=0.5,
        rows=1000,
        groups=20,
        class_counts=(850, 150),
        method="delong",
        standard_error=(high - low) / 2 / float(t.ppf(0.975, 19)),
        dof=19,
        seed_deviation=0.0,
    )


def loss(low: float, high: float, challenger: float = 0.4) -> Comparison:
    return seen(low, high, challenger, metric="log_loss")


@pytest.mark.parametrize(
    ("comparison", "policy", "decision"),
    [
        pytest.param(seen(0.001, 0.019), POLICY, Promote, id="better"),
        pytest.param(seen(-0.001, 0.011), POLICY, Promote, id="probably better"),
        pytest.param(seen(-0.003, 0.005), POLICY, Hold, id="perhaps better"),
        pytest.param(seen(-0.001, 0.011), SURE, Hold, id="not probable enough for a careful user"),
        pytest.param(seen(0.001, 0.019), SURE, Promote, id="probable enough for a careful user"),
        pytest.param(seen(0.0, 0.0), POLICY, Hold, id="equal without doubt"),
        pytest.param(seen(-0.01, 0.0), POLICY, Hold, id="the interval touches zero from below"),
        pytest.param(seen(-0.011, 0.001), POLICY, Hold, id="worse, but within noise"),
        pytest.param(seen(-0.02, -0.001), POLICY, Reject, id="worse"),
        pytest.param(seen(0.005, 0.02), MARGIN, Hold, id="better, but only perhaps by the margin"),
        pytest.param(seen(0.007, 0.02), MARGIN, Promote, id="probably better by the margin"),
        pytest.param(seen(-0.02, -0.001), MARGIN, Reject, id="worse, with a margin"),
        pytest.param(seen(0.001, 0.009), MARGIN, Hold, id="surely better by less than the margin"),
        pytest.param(seen(0.1, 0.2, challenger=0.59), POLICY, Reject, id="better, but below the floor"),
        pytest.param(seen(0.1, 0.2, challenger=0.6), POLICY, Promote, id="better, and at the floor"),
        pytest.param(seen(-0.01, 0.01, challenger=0.59), POLICY, Reject, id="noise, but below the floor"),
        pytest.param(loss(-0.02, -0.001), LOSS, Promote, id="less loss"),
        pytest.param(loss(-0.02, 0.001), LOSS, Promote, id="probably less loss"),
        pytest.param(loss(-0.005, 0.003), LOSS, Hold, id="perhaps less loss"),
        pytest.param(loss(0.001, 0.02), LOSS, Reject, id="more loss"),
        pytest.param(loss(-0.02, -0.005), LOSS_MARGIN, Hold, id="less loss, but only perhaps by the margin"),
        pytest.param(loss(-0.02, -0.007), LOSS_MARGIN, Promote, id="probably less loss by the margin"),
        pytest.param(loss(-0.2, -0.1, challenger=0.61), LOSS, Reject, id="less loss, but above the highest"),
        pytest.param(loss(-0.2, -0.1, challenger=0.6), LOSS, Promote, id="less loss, and at the highest"),
        pytest.param(Incomparable("one class only"), POLICY, Hold, id="nothing to judge by"),
        pytest.param(Incomparable("3 NaN", unfit=True), POLICY, Reject, id="predictions that are no numbers"),
    ],
)
def test_a_comparison_is_decided(
    comparison: Comparison | Incomparable, policy: PromotionParams, decision: type[Decision]
) -> None:
    assert type(decide(Evidence(comparison), policy, "v7")) is decision


@pytest.mark.parametrize(
    ("comparison", "policy", "reason"),
    [
        pytest.param(
            seen(0.001, 0.019),
            POLICY,
            "better than v7 with a probability of 0.984, at least promotion.probability = 0.8: "
            "roc_auc +0.0100, 95% interval [+0.0010, +0.0190], on 1,000 rows of 20 groups",
            id="promote",
        ),
        pytest.param(
            seen(-0.004, 0.002),
            MARGIN,
            "not probable enough: better than v7 by more than 0.01 with a probability of 0.000, less than "
            "promotion.probability = 0.8: roc_auc -0.0010, 95% interval [-0.0040, +0.0020], "
            "on 1,000 rows of 20 groups",
            id="hold",
        ),
        pytest.param(
            seen(-0.03, -0.01),
            PromotionParams(confidence=0.975),
            "worse than v7: roc_auc -0.0200, 97.5% interval [-0.0300, -0.0100], on 1,000 rows of 20 groups",
            id="reject",
        ),
        pytest.param(
            loss(-0.02, -0.01),
            LOSS,
            "better than v7 with a probability of 0.999, at least promotion.probability = 0.8: "
            "log_loss -0.0150, 95% interval [-0.0200, -0.0100], on 1,000 rows of 20 groups",
            id="promote by an error",
        ),
        pytest.param(
            loss(-0.1, 0.1, challenger=0.6543),
            LOSS,
            "log_loss 0.6543 is above promotion.floor = 0.6",
            id="an error above the highest",
        ),
        pytest.param(
            Incomparable("the rows to judge by hold one class only (0 positive, 9 negative)"),
            POLICY,
            "can't be compared with v7: the rows to judge by hold one class only (0 positive, 9 negative)",
            id="nothing to judge by",
        ),
        pytest.param(
            Incomparable("3 of the challenger's 9 predictions are NaN or infinite", unfit=True),
            POLICY,
            "3 of the challenger's 9 predictions are NaN or infinite",
            id="unfit",
        ),
    ],
)
def test_a_decision_gives_its_figures(
    comparison: Comparison | Incomparable, policy: PromotionParams, reason: str
) -> None:
    assert decide(Evidence(comparison), policy, "v7").because[0] == reason


BETTER = seen(0.01, 0.02)
CURVE = Calibration((Bin(0.3, 0.4, 1000),), error=0.1)
UNFAIR = Fairness("sex", 0.2, 0.3, (GroupRates(1, "f", 500, 0.2, 0.5, None),))
WORSE = SliceComparison("origin", "JFK", 400, seen(-0.09, -0.01), p_worse=0.0123, worse=True)
NOT_WORSE = SliceComparison("origin", "LGA", 400, seen(-0.09, 0.01), p_worse=0.2)
UNJUDGED = SliceComparison("origin", "EWR", 3, None, reason="3 rows; promotion.slices.min_rows = 200")


def policy(**guardrails: Any) -> PromotionParams:
    return PromotionParams.model_validate(guardrails)


@pytest.mark.parametrize(
    ("evidence", "rules", "decision", "reasons"),
    [
        pytest.param(
            Evidence(BETTER, slices=(NOT_WORSE, WORSE, UNJUDGED)),
            policy(slices={"columns": ["origin"]}),
            Reject,
            ("worse where origin = JFK: roc_auc -0.0500, 95% interval [-0.0900, -0.0100], on 1,000 rows "
             "of 20 groups, adjusted p = 0.012",),
            id="a slice is worse",
        ),
        pytest.param(
            Evidence(BETTER, slices=(NOT_WORSE, UNJUDGED)),
            policy(slices={"columns": ["origin"]}),
            Promote,
            None,
            id="no slice is surely worse",
        ),
        pytest.param(
            Evidence(BETTER, fairness=UNFAIR),
            policy(fairness={"column": "sex", "max_parity_difference": 0.19, "max_odds_difference": 0.31}),
            Reject,
            ("the difference in selection rate between values of 'sex' is 0.2000, "
             "above promotion.fairness.max_parity_difference = 0.19",),
            id="selection differs too much",
        ),
        pytest.param(
            Evidence(BETTER, fairness=UNFAIR),
            policy(fairness={"column": "sex", "max_odds_difference": 0.25}),
            Reject,
            ("the difference in true or false positive rate between values of 'sex' is 0.3000, "
             "above promotion.fairness.max_odds_difference = 0.25",),
            id="error rates differ too much",
        ),
        pytest.param(
            Evidence(BETTER, fairness=UNFAIR),
            policy(fairness={"column": "sex", "max_parity_difference": 0.2, "max_odds_difference": 0.3}),
            Promote,
            None,
            id="differences at their limits",
        ),
        pytest.param(
            Evidence(BETTER, fairness=UNFAIR), policy(fairness={"column": "sex"}), Promote, None,
            id="unfair, but no limit is set",
        ),
        pytest.param(
            Evidence(BETTER, model_bytes=1001),
            policy(limits={"max_bytes": 1000}),
            Reject,
            ("the model's size in bytes is 1001, above promotion.limits.max_bytes = 1000",),
            id="too large",
        ),
        pytest.param(
            Evidence(BETTER, model_bytes=1000), policy(limits={"max_bytes": 1000}), Promote, None,
            id="as large as may be",
        ),
        pytest.param(
            Evidence(BETTER, microseconds_per_row=12.34),
            policy(limits={"max_microseconds": 10.0}),
            Reject,
            ("the time to predict one row in microseconds is 12.3, "
             "above promotion.limits.max_microseconds = 10.0",),
            id="too slow",
        ),
        pytest.param(
            Evidence(BETTER, calibration=CURVE),
            policy(limits={"max_calibration_error": 0.05}),
            Reject,
            ("the expected calibration error is 0.1000, "
             "above promotion.limits.max_calibration_error = 0.05",),
            id="ill calibrated",
        ),
        pytest.param(
            Evidence(seen(-0.03, -0.01, challenger=0.5), slices=(WORSE,), model_bytes=7),
            policy(floor=0.6, limits={"max_bytes": 5}),
            Reject,
            ("roc_auc 0.5000 is below promotion.floor = 0.6",
             "worse than v7: roc_auc -0.0200, 95% interval [-0.0300, -0.0100], on 1,000 rows of 20 groups",
             "worse where origin = JFK: roc_auc -0.0500, 95% interval [-0.0900, -0.0100], on 1,000 rows "
             "of 20 groups, adjusted p = 0.012",
             "the model's size in bytes is 7, above promotion.limits.max_bytes = 5"),
            id="every reason is given, not the first",
        ),
        pytest.param(
            Evidence(Incomparable("no rows"), model_bytes=7),
            policy(limits={"max_bytes": 5}),
            Reject,
            ("the model's size in bytes is 7, above promotion.limits.max_bytes = 5",),
            id="not compared, but too large",
        ),
        pytest.param(
            Evidence(BETTER),
            policy(
                slices={"columns": ["origin"]}, fairness={"max_odds_difference": 0.1}, limits={"max_bytes": 5}
            ),
            Hold,
            ("better than v7 by more than 0.0025 with a probability of 0.999, at least "
             "promotion.probability = 0.8: "
             "roc_auc +0.0150, 95% interval [+0.0100, +0.0200], on 1,000 rows of 20 groups",
             "promotion.fairness.max_odds_difference is set, but the difference in true or false positive "
             "rate between values of promotion.fairness.column was not measured",
             "promotion.limits.max_bytes is set, but the model's size in bytes was not measured",
             "promotion.slices.columns is set, but no slice was compared"),
            id="better, but guardrails were not measured",
        ),
    ],
)  # fmt: skip
def test_a_guardrail_is_decided(
    evidence: Evidence, rules: PromotionParams, decision: type[Decision], reasons: tuple[str, ...] | None
) -> None:
    decided = decide(evidence, rules, "v7")
    assert type(decided) is decision
    assert reasons is None or decided.because == reasons


def test_a_limit_is_broken_by_a_measurement_that_is_no_number() -> None:
    broken = Evidence(BETTER, calibration=Calibration((), error=float("nan")))
    assert isinstance(decide(broken, policy(limits={"max_calibration_error": 0.5}), "v7"), Reject)


def test_a_decision_is_written_as_its_kind_and_reasons() -> None:
    assert decide(Evidence(seen(0.1, 0.2, challenger=0.5)), POLICY, "v7").to_json() == {
        "kind": "reject",
        "reasons": ["roc_auc 0.5000 is below promotion.floor = 0.6"],
    }
    assert (Hold(()).kind, Promote(()).kind) == ("hold", "promote")


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(Evidence(BETTER), id="a comparison alone"),
        pytest.param(Evidence(Incomparable("no rows", unfit=True)), id="no comparison"),
        pytest.param(Evidence(BETTER, (WORSE, UNJUDGED), CURVE, UNFAIR, 123, 4.5, 3), id="everything"),
    ],
)
def test_evidence_survives_its_document(evidence: Evidence) -> None:
    assert stored(evidence) == evidence


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
@pytest.mark.parametrize("floor", [None, 0.0, 0.6])
def test_a_challenger_that_predicts_nan_is_rejected(metric: str, floor: float | None) -> None:
    y, day = np.array([0, 1] * 50), np.arange(100) // 10
    broken = np.where(day == 3, np.nan, y)
    rules = PromotionParams(metric=metric, floor=floor)
    decided = decide(Evidence(try_compare(y, np.full(100, 0.5), broken, day, rules)), rules, "v7")
    assert decided == Reject(("10 of the challenger's 100 predictions are NaN or infinite",))


def test_data_on_which_nothing_can_be_judged_ends_in_a_hold() -> None:
    calm, day = np.zeros(100, dtype=int), np.arange(100) // 10
    scores = np.linspace(0, 1, 100)
    decided = decide(Evidence(try_compare(calm, scores, scores, day, POLICY)), POLICY, "v7")
    assert isinstance(decided, Hold)
    assert "one class only (0 positive, 100 negative)" in decided.because[0]


def test_a_better_challenger_within_all_its_guardrails_takes_office() -> None:
    rng = np.random.default_rng(0)
    y, day = rng.integers(0, 2, 3000), np.arange(3000) // 100
    sex = pd.Series(rng.choice(["f", "m"], 3000), name="sex")
    champion, challenger = (
        1 / (1 + np.exp(-(2 * y - 1) * gain - rng.normal(size=3000))) for gain in (0.3, 0.7)
    )
    rules = policy(
        slices={"columns": ["sex"]},
        fairness={"column": "sex", "max_parity_difference": 0.1, "max_odds_difference": 0.1},
        limits={"max_bytes": 10, "max_microseconds": 1.0, "max_calibration_error": 0.2},
    )
    evidence = Evidence(
        try_compare(y, champion, challenger, day, rules),
        compare_slices(y, champion, challenger, day, sex.to_frame(), rules),
        calibration(y, challenger),
        fairness(y, challenger, sex, rules.threshold),
        model_bytes=10,
        microseconds_per_row=0.5,
    )
    assert isinstance(decide(evidence, rules, "v7"), Promote)
    assert stored(evidence) == evidence
