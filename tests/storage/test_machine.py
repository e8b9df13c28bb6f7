"""Whatever happens in whatever order, the registry's invariants hold after each step; see machine.py and
approval_machine.py."""

import pytest
from hypothesis import settings

from incumbent.storage.s3.client import Connection
from tests.effort import DEEP
from tests.storage.approval_machine import ApprovalMachine


@pytest.mark.timeout(1800)
def test_the_invariants_hold_after_every_step(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    class Machine(ApprovalMachine):
        pass

    Machine.connection = connection
    tries = 300 if DEEP else 12  # each is some hundred requests
    Machine.TestCase.settings = settings(max_examples=tries, stateful_step_count=8)
    Machine.TestCase("runTest").runTest()
    with capsys.disabled():
        print(f"\nregistry machine: {tries} examples, {Machine.steps} checked states, 0 violations")
