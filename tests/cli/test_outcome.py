"""How a run's outcome looks in a terminal."""

from typing import Any

from incumbent.cli.outcome import describe


def outcome(kind: str, champion: str | None) -> dict[str, Any]:
    return {
        "run": 17,
        "data": {"name": "2013-02-abcdef0"},
        "plan": None,
        "hindsight": None,
        "resumed_from": None,
        "unlabelled": 0,
        "challenger": "v17",
        "decision": {"kind": kind, "reasons": ["better than v1", "a person decides"]},
        "champion": champion,
    }


def test_a_winner_that_waits_comes_with_the_commands_that_answer() -> None:
    assert describe(outcome("pending", "v1")).splitlines() == [
        "run 17 on 2013-02-abcdef0: pending",
        "  because   better than v1",
        "  because   a person decides",
        "  champion  v1",
        "  pending   v17 waits for approval: `incumbent models approve v17 --reason TEXT` or "
        "`incumbent models refuse v17 --reason TEXT`",
    ]


def test_any_other_verdict_asks_nothing() -> None:
    assert "approve" not in describe(outcome("promote", "v17"))
