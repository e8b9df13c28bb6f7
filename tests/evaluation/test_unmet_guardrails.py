"""What bars a challenger whatever its gain, as hindsight asks before a shadow takes office."""

from typing import Any

import pytest

from incumbent.compare import Calibration, Comparison, Incomparable, Interval, SliceComparison
from incumbent.evaluation.decide import Evidence, unmet_guardrails
from incumbent.params import PromotionParams

COMPARED = Comparison(
    "roc_auc",
    champion=Interval(0.7, 0.6, 0.8),
    challenger=Interval(0.71, 0.6, 0.8),
    difference=Interval(0.01, -0.01, 0.03),
    p_value=0.3,
    rows=1000,
    groups=20,
    class_counts=(850, 150),
    method="delong",
    standard_error=0.01,
    dof=19,
    seed_deviation=0.0,
)


@pytest.mark.parametrize(
    ("evidence", "policy", "bars"),
    [
        pytest.param(Evidence(COMPARED), {}, [], id="nothing was asked for"),
        pytest.param(
            Evidence(Incomparable("one class only")), {}, [], id="held as nothing could be compared"
        ),
        pytest.param(
            Evidence(COMPARED),
            {"limits": {"max_calibration_error": 0.1}},
            ["promotion.limits.max_calibration_error is set, but"],
            id="a limit that was not measured",
        ),
        pytest.param(
            Evidence(COMPARED, calibration=Calibration((), 0.2)),
            {"limits": {"max_calibration_error": 0.1}},
            ["the expected calibration error is 0.2000, above promotion.limits.max_calibration_error = 0.1"],
            id="a limit that is lower by now",
        ),
        pytest.param(
            Evidence(COMPARED, calibration=Calibration((), 0.05)),
            {"limits": {"max_calibration_error": 0.1}},
            [],
            id="a limit that is kept",
        ),
        pytest.param(
            Evidence(Incomparable("one class only")),
            {"slices": {"columns": ["origin"]}},
            ["promotion.slices.columns is set, but no slice was compared"],
            id="slices that could not be compared",
        ),
        pytest.param(
            Evidence(COMPARED, slices=(SliceComparison("origin", "JFK", 300, COMPARED),)),
            {"slices": {"columns": ["origin"]}},
            [],
            id="slices that are no worse",
        ),
        pytest.param(
            Evidence(COMPARED, slices=(SliceComparison("origin", "JFK", 300, COMPARED, 0.001, worse=True),)),
            {"slices": {"columns": ["origin"]}},
            ["worse where origin = JFK"],
            id="a worse slice",
        ),
    ],
)
def test_a_guardrail_bars_a_challenger_that_does_not_meet_it(
    evidence: Evidence, policy: dict[str, Any], bars: list[str]
) -> None:
    unmet = unmet_guardrails(evidence, PromotionParams(**policy))
    assert len(unmet) == len(bars)
    for reason, start in zip(unmet, bars, strict=True):
        assert reason.startswith(start)
