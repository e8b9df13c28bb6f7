"""Into office: as provisional where nothing can tell yet, and over a champion's whole time in office."""

from dataclasses import replace

import pytest
from scipy.stats import t

from incumbent.compare import ArrivalGain, Comparison, Incomparable, Interval, confidence_sequence
from incumbent.evaluation.decide import (
    Decision,
    Evidence,
    Hold,
    Promote,
    Provisional,
    Reject,
    decide,
    succeed_provisional,
)
from incumbent.evaluation.roles import BASELINE
from incumbent.params import PromotionParams
from tests.building import stored

STRICT = PromotionParams(margin=0.0)
STARTING = PromotionParams(margin=0.0, provisional=True)
LASTING = PromotionParams(margin=0.0, guarantee="lifetime")


def compared(gain: float, error: float = 0.01, value: float = 0.7) -> Comparison:
    half = error * float(t.ppf(0.975, 19))
    return Comparison(
        "roc_auc",
        champion=Interval(value - gain, 0.5, 0.9),
        challenger=Interval(value, 0.5, 0.9),
        difference=Interval(gain, gain - half, gain + half),
        p_value=0.5,
        rows=1000,
        groups=20,
        class_counts=(850, 150),
        method="delong",
        standard_error=error,
        dof=19,
        seed_deviation=0.0,
    )


SHOWN, OPEN, WORSE = compared(0.05), compared(0.005), compared(-0.05)
ONE_DAY = Incomparable("the rows to judge by belong to 1 group(s) of split.by")


@pytest.mark.parametrize(
    ("comparison", "policy", "decision"),
    [
        pytest.param(OPEN, STRICT, Hold, id="by default a first model waits"),
        pytest.param(OPEN, STARTING, Provisional, id="nothing tells yet"),
        pytest.param(ONE_DAY, STARTING, Provisional, id="nothing can be compared"),
        pytest.param(SHOWN, STARTING, Promote, id="better than the baseline"),
        pytest.param(WORSE, STARTING, Reject, id="worse than the baseline"),
        pytest.param(
            OPEN,
            STARTING.model_copy(update={"floor": 0.8}),
            Reject,
            id="below the floor",
        ),
    ],
)
def test_a_first_model_takes_office_as_provisional_where_a_project_says_so(
    comparison: Comparison | Incomparable, policy: PromotionParams, decision: type[Decision]
) -> None:
    assert type(decide(Evidence(comparison), policy, BASELINE)) is decision


def test_only_a_first_model_is_provisional() -> None:
    assert type(decide(Evidence(OPEN), STARTING, "v1")) is Hold


def test_a_provisional_model_says_so_and_what_it_lacks() -> None:
    decision = decide(Evidence(OPEN, partitions=2), STARTING, BASELINE)
    assert decision.kind == "provisional"
    assert decision.because[0] == (
        "takes office as provisional, as nothing shows yet that the trivial baseline is worse"
    )
    assert (
        "if the gain is 0.005 from now on, eight of ten such challengers take office within about"
        in decision.because[2]
    )


@pytest.mark.parametrize(
    ("against", "first", "policy", "decision"),
    [
        pytest.param(OPEN, SHOWN, STARTING, Promote, id="the baseline is beaten now"),
        pytest.param(compared(-0.005), SHOWN, STARTING, Promote, id="not shown to be worse"),
        pytest.param(compared(-0.015), SHOWN, STARTING, Hold, id="probably worse"),
        pytest.param(WORSE, SHOWN, STARTING, Reject, id="worse"),
        pytest.param(OPEN, OPEN, STARTING, Provisional, id="provisional after provisional"),
        pytest.param(OPEN, OPEN, STRICT, Hold, id="no provisional model any more"),
        pytest.param(SHOWN, WORSE, STARTING, Reject, id="worse than the baseline"),
        pytest.param(ONE_DAY, SHOWN, STARTING, Promote, id="only the baseline can be compared"),
    ],
)
def test_the_next_one_need_only_not_be_worse(
    against: Comparison | Incomparable, first: Comparison, policy: PromotionParams, decision: type[Decision]
) -> None:
    assert type(succeed_provisional(Evidence(against), Evidence(first), policy, "v1")) is decision


def office(*gains: float) -> Evidence:
    """A challenger that is better on its own rows, after these gains of a standard error of .01 each."""
    arrivals = [ArrivalGain(gain, 0.01, 200.0, 1000) for gain in gains]
    sequence = confidence_sequence(arrivals, LASTING.lifetime_confidence) if gains else None
    return Evidence(SHOWN, lifetime=sequence)


@pytest.mark.parametrize(
    ("evidence", "decision"),
    [
        pytest.param(office(0.05), Promote, id="one arrival that is clear enough"),
        pytest.param(office(0.02), Hold, id="one that would do for a single look"),
        pytest.param(office(0.02, 0.02, 0.02, 0.02), Promote, id="several that agree"),
        pytest.param(office(0.02, -0.02, 0.02, -0.02), Hold, id="several that do not"),
        pytest.param(office(), Hold, id="no arrival yet"),
    ],
)
def test_a_lifetime_guarantee_takes_what_all_arrivals_say(
    evidence: Evidence, decision: type[Decision]
) -> None:
    decided = decide(evidence, LASTING, "v1")
    assert type(decided) is decision
    assert "promotion.guarantee = lifetime" in decided.because[1]
    assert stored(evidence) == evidence


def test_a_challenger_that_is_not_better_itself_does_not_profit_from_earlier_ones() -> None:
    past = office(0.05, 0.05)
    assert type(decide(replace(past, comparison=compared(0.0)), LASTING, "v1")) is Hold


def test_the_guarantee_is_no_hurdle_for_a_first_model() -> None:
    assert type(decide(Evidence(SHOWN), LASTING, BASELINE)) is Promote
