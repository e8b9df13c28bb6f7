"""Who takes office: a table of comparisons, the decision, and the figures that it gives."""

import numpy as np
import pytest

from incumbent.compare import Comparison, Interval, compare_auc
from incumbent.decide import Decision, Hold, Promote, Reject, decide
from incumbent.params import PromotionParams

POLICY = PromotionParams(floor=0.6)
MARGIN = PromotionParams(floor=0.6, margin=0.01)


def seen(low: float, high: float, challenger: float = 0.7) -> Comparison:
    """A challenger's AUC, and the interval of its gain over the champion."""
    gain = (low + high) / 2
    return Comparison(
        "roc_auc",
        champion=Interval(challenger - gain, 0.5, 0.9),
        challenger=Interval(challenger, 0.5, 0.9),
        difference=Interval(gain, low, high),
        p_value=0.5,
        rows=1000,
        positives=150,
        groups=20,
    )


@pytest.mark.parametrize(
    ("comparison", "policy", "decision"),
    [
        pytest.param(seen(0.001, 0.019), POLICY, Promote, id="better"),
        pytest.param(seen(-0.001, 0.011), POLICY, Hold, id="better, but within noise"),
        pytest.param(seen(0.0, 0.01), POLICY, Hold, id="the interval touches zero from above"),
        pytest.param(seen(0.0, 0.0), POLICY, Hold, id="equal without doubt"),
        pytest.param(seen(-0.01, 0.0), POLICY, Hold, id="the interval touches zero from below"),
        pytest.param(seen(-0.011, 0.001), POLICY, Hold, id="worse, but within noise"),
        pytest.param(seen(-0.02, -0.001), POLICY, Reject, id="worse"),
        pytest.param(seen(0.005, 0.02), MARGIN, Hold, id="better, but not surely by the margin"),
        pytest.param(seen(0.01, 0.03), MARGIN, Hold, id="surely better by just the margin"),
        pytest.param(seen(0.011, 0.03), MARGIN, Promote, id="surely better by more than the margin"),
        pytest.param(seen(-0.02, -0.001), MARGIN, Reject, id="worse, with a margin"),
        pytest.param(seen(0.001, 0.009), MARGIN, Hold, id="surely better by less than the margin"),
        pytest.param(seen(0.1, 0.2, challenger=0.59), POLICY, Reject, id="better, but below the floor"),
        pytest.param(seen(0.1, 0.2, challenger=0.6), POLICY, Promote, id="better, and at the floor"),
        pytest.param(seen(-0.01, 0.01, challenger=0.59), POLICY, Reject, id="noise, but below the floor"),
    ],
)
def test_a_comparison_is_decided(
    comparison: Comparison, policy: PromotionParams, decision: type[Decision]
) -> None:
    assert type(decide(comparison, policy, "v7")) is decision


@pytest.mark.parametrize(
    ("comparison", "policy", "reason"),
    [
        pytest.param(
            seen(0.001, 0.019),
            POLICY,
            "better than v7 by more than 0.0: roc_auc +0.0100, 95% interval [+0.0010, +0.0190]",
            id="promote",
        ),
        pytest.param(
            seen(-0.004, 0.002),
            MARGIN,
            "not shown to be better than v7 by more than 0.01: "
            "roc_auc -0.0010, 95% interval [-0.0040, +0.0020]",
            id="hold",
        ),
        pytest.param(
            seen(-0.03, -0.01),
            PromotionParams(confidence=0.975),
            "worse than v7: roc_auc -0.0200, 97.5% interval [-0.0300, -0.0100]",
            id="reject",
        ),
        pytest.param(
            seen(-0.03, -0.01, challenger=0.4321),
            POLICY,
            "roc_auc 0.4321 is below promotion.floor = 0.6",
            id="the floor speaks before the interval",
        ),
    ],
)
def test_a_decision_gives_its_figures(comparison: Comparison, policy: PromotionParams, reason: str) -> None:
    assert decide(comparison, policy, "v7").because == (reason,)


def test_a_decision_is_written_as_its_kind_and_reasons() -> None:
    assert decide(seen(0.1, 0.2, challenger=0.5), POLICY, "v7").to_json() == {
        "kind": "reject",
        "reasons": ["roc_auc 0.5000 is below promotion.floor = 0.6"],
    }
    assert (Hold(()).kind, Promote(()).kind) == ("hold", "promote")


@pytest.mark.parametrize("floor", [0.0, 0.6])
def test_a_challenger_that_predicts_nan_never_takes_office(floor: float) -> None:
    y, day = np.array([0, 1] * 50), np.arange(100) // 10
    broken = np.where(day == 3, np.nan, y)
    comparison = compare_auc(y, np.zeros(100), broken, day, 0.95)
    assert not isinstance(decide(comparison, PromotionParams(floor=floor), "v7"), Promote)
