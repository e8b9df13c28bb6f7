"""Whatever happens in whatever order, the registry's invariants hold after each step.

I1  seq without gaps, prev_txid chain unbroken
I2  `replaced` is the version that was compared
I3  run_seq strictly rises over promotions
I4  every acknowledged promotion is in the chain exactly once; a refused one never
"""

import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from incumbent.errors import BadInput, Conflict, NotFound
from incumbent.storage.registry import Blocked, Champion, Registry, StaleRun
from incumbent.storage.s3_client import Connection
from incumbent.storage.store import Store
from tests.conftest import BUCKET


class RegistryMachine(RuleBasedStateMachine):
    """Runs that start, publish, crash, promote and are rolled back, beside a list of what must be."""

    connection: Connection
    runs = Bundle("runs")
    versions = Bundle("versions")
    halves = Bundle("halves")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.registry = Registry(Store(BUCKET, f"machine/{uuid.uuid4().hex}", self.connection), "m")
        self.chain: list[Champion] = []
        self.compared: list[str | None] = []
        self.complete: set[str] = set()
        self.last_run = 0
        self.names = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    @property
    def current(self) -> Champion | None:
        """Who is in office by our own books."""
        return self.chain[-1] if self.chain else None

    def file_for(self, version: str) -> Path:
        """A model file of its own."""
        path = Path(self.folder.name) / version
        path.write_text(version)
        return path

    @rule(target=runs)
    def start(self) -> int:
        run_seq = self.registry.start_run({})
        assert run_seq == self.last_run + 1
        self.last_run = run_seq
        return run_seq

    @rule(target=versions)
    def publish(self) -> str:
        self.names += 1
        return self.complete_version(f"v{self.names}")

    @rule(target=halves)
    def crash_while_publishing(self) -> str:
        self.names += 1
        version = f"v{self.names}"
        self.registry.store.put(f"m/versions/{version}/model.txt", version.encode())
        return version

    @rule(version=halves, target=versions)
    def publish_again(self, version: str) -> str:
        return self.complete_version(version)

    def complete_version(self, version: str) -> str:
        """Publish, for the first time or after a crash or again."""
        self.registry.publish(version, {"model.txt": self.file_for(version)}, {})
        self.complete.add(version)
        return version

    @rule(version=versions, run_seq=runs)
    def promote(self, version: str, run_seq: int) -> None:
        """Compared with the champion of now."""
        self.try_to_promote(version, run_seq, self.current)

    @rule(version=versions, run_seq=runs, data=st.data())
    def promote_late(self, version: str, run_seq: int, data: st.DataObject) -> None:
        """Compared with any champion there ever was."""
        self.try_to_promote(version, run_seq, data.draw(st.sampled_from([None, *self.chain])))

    @rule(version=halves, run_seq=runs)
    def promote_a_half(self, version: str, run_seq: int) -> None:
        self.try_to_promote(version, run_seq, self.current)

    def try_to_promote(self, version: str, run_seq: int, compared_with: Champion | None) -> None:
        """Promote; it must be refused just when our books say so."""
        current = self.current
        if current and (current.op, current.version, current.run_seq) == ("promote", version, run_seq):
            assert self.registry.promote(version, run_seq, compared_with, "").txid == current.txid
            return
        expected = self.refusal(version, run_seq, compared_with)
        if expected is not None:
            with pytest.raises(expected):
                self.registry.promote(version, run_seq, compared_with, "")
            return
        self.chain.append(self.registry.promote(version, run_seq, compared_with, ""))
        self.compared.append(compared_with.version if compared_with else None)

    def refusal(self, version: str, run_seq: int, compared_with: Champion | None) -> type[Exception] | None:
        """The error that a promotion must end with."""
        if self.current is not None:
            if run_seq <= self.current.run_seq:
                return StaleRun
            if version in self.current.blocked:
                return Blocked
            if version == self.current.version:
                return BadInput
        if compared_with is not self.current:
            return Conflict
        return None if version in self.complete else NotFound

    @precondition(lambda self: self.chain)
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        """To any former champion."""
        bad = self.chain[-1]
        former = sorted({entry.version for entry in self.chain} - {bad.version})
        if former:
            target = data.draw(st.sampled_from(former))
            back = self.registry.rollback(target, "")
            assert back.version == target
            assert set(back.blocked) == {*bad.blocked, bad.version} - {target}
            self.chain.append(back)
            self.compared.append(bad.version)

    @precondition(lambda self: self.chain)
    @rule()
    def rollback_to_the_one_before(self) -> None:
        bad = self.chain[-1]
        try:
            back = self.registry.rollback(None, "")
        except BadInput:
            return
        assert back.version not in {bad.version, *bad.blocked}
        self.chain.append(back)
        self.compared.append(bad.version)

    @precondition(lambda self: self.chain)
    @rule()
    def crash_before_the_log(self) -> None:
        """As if the last promoter had died between its commit and its log entry."""
        self.registry.store.delete(f"m/log/{len(self.chain):012d}.json")

    @invariant()
    def the_chain_is_what_was_acknowledged(self) -> None:
        history = self.registry.history()
        txids = [entry.txid for entry in history]
        promoted = [entry.run_seq for entry in history if entry.op == "promote"]
        assert [entry.seq for entry in history] == list(range(1, len(history) + 1))  # I1
        assert [entry.prev_txid for entry in history] == [None, *txids][: len(txids)]  # I1
        assert [entry.replaced for entry in history] == self.compared  # I2
        assert promoted == sorted(set(promoted))  # I3
        assert history == self.chain  # I4

    @invariant()
    def the_champion_is_the_last_and_complete(self) -> None:
        champion = self.registry.champion()
        assert champion == self.current
        assert champion is None or self.registry.verify(champion.version)

    @invariant()
    def only_complete_versions_are_listed(self) -> None:
        assert {manifest["version"] for manifest in self.registry.versions()} == self.complete


def test_the_invariants_hold_after_every_step(connection: Connection) -> None:
    RegistryMachine.connection = connection
    tries = max(1, settings.default.max_examples // 4)  # each is some hundred requests
    RegistryMachine.TestCase.settings = settings(max_examples=tries, stateful_step_count=12)
    RegistryMachine.TestCase("runTest").runTest()
