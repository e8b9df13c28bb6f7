"""Which winners wait for a person."""

import pytest

from incumbent.compare import Incomparable
from incumbent.evaluation.approval import ask_a_person, settled
from incumbent.evaluation.decide import Evidence, Hold, Pending, Promote, Reject
from tests.evaluation.test_decide import loss, policy, seen

WON = Promote(("better than v6",))


@pytest.mark.parametrize(
    ("comparison", "approve", "margin", "kind"),
    [
        pytest.param(seen(0.01, 0.03), "never", 0.0, "promote", id="nobody is asked"),
        pytest.param(seen(-0.01, 0.03), "never", 0.0, "promote", id="nobody is asked about the borderline"),
        pytest.param(seen(0.01, 0.03), "borderline", 0.0, "promote", id="clear"),
        pytest.param(seen(-0.01, 0.03), "borderline", 0.0, "pending", id="the interval holds zero"),
        pytest.param(seen(0.01, 0.03), "borderline", 0.02, "pending", id="the interval holds the margin"),
        pytest.param(seen(0.01, 0.03), "borderline", 0.01, "pending", id="the interval begins at the margin"),
        pytest.param(loss(-0.03, -0.01), "borderline", 0.0, "promote", id="clearly less loss"),
        pytest.param(loss(-0.03, 0.01), "borderline", 0.0, "pending", id="perhaps less loss"),
        pytest.param(Incomparable("a single group"), "borderline", 0.0, "pending", id="no interval at all"),
        pytest.param(seen(0.01, 0.03), "always", 0.0, "pending", id="everybody waits"),
        pytest.param(Incomparable("a single group"), "always", 0.0, "pending", id="the first, too"),
    ],
)
def test_who_waits(comparison, approve, margin, kind) -> None:
    asked = ask_a_person(WON, Evidence(comparison), policy(approve=approve, margin=margin))
    assert asked.kind == kind
    assert asked.because[0] == "better than v6"
    assert (f"promotion.approve is '{approve}'" in asked.because[-1]) is (kind == "pending")


@pytest.mark.parametrize("lost", [Hold(("noise",)), Reject(("worse",))])
def test_nobody_is_asked_about_a_loser(lost) -> None:
    assert ask_a_person(lost, Evidence(seen(-0.01, 0.01)), policy(approve="always")) == lost


def test_the_reason_gives_the_figures() -> None:
    asked = ask_a_person(WON, Evidence(seen(-0.01, 0.03)), policy(approve="borderline"))
    assert isinstance(asked, Pending)
    assert asked.because[1] == (
        "a person decides, as promotion.approve is 'borderline' and the 95% interval of the gain begins at "
        "-0.0100, not above the margin of 0.0025"
    )


@pytest.mark.parametrize(
    ("kind", "promoted", "answers", "counts_as"),
    [
        pytest.param("pending", {17: "promote"}, {"v17": "pending"}, "promote", id="approved"),
        pytest.param("pending", {17: "provisional"}, {}, "provisional", id="a provisional one approved"),
        pytest.param("pending", {16: "promote"}, {"v17": "refused"}, "refused", id="refused"),
        pytest.param("pending", {}, {"v17": "pending"}, "pending", id="still waiting"),
        pytest.param("pending", {}, {"v18": "pending"}, "expired", id="a newer winner waits"),
        pytest.param("hold", {17: "promote"}, {}, "hold", id="it never waited"),
    ],
)
def test_the_audit_counts_a_wait_as_it_came_out(
    kind: str, promoted: dict[int, str], answers: dict[str, str], counts_as: str
) -> None:
    decision = {"kind": kind, "reasons": ["better"]}
    outcome = {"run": 17, "challenger": "v17", "decision": decision, "metric": None}
    assert settled(outcome, promoted, answers)["decision"] == {"kind": counts_as, "reasons": ["better"]}
