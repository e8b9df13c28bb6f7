"""The registry's machine with a person's word: challengers wait, and are approved, refused or too late.

I6  an approval makes champion exactly what waited, in place of the very champion that it was compared with
I7  what was refused stays refused, with who and why
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, initialize, invariant, rule

from incumbent.errors import BadInput, Conflict, NotFound
from incumbent.storage.registry.champion import is_same_promotion
from incumbent.storage.registry.registry import Champion
from tests.storage.books import pick
from tests.storage.calls import MAYBE, Crash, Moment, watched
from tests.storage.machine import ANY, Refusal, RegistryMachine


class ApprovalMachine(RegistryMachine):
    """The rules of both."""

    names = RegistryMachine.names

    @initialize(target=names)
    def begin(self) -> MultipleResults[str]:
        """Two of the four were champion, one after the other; the third waits."""
        versions = super().begin()
        self.ask("v3", None, provisional=False)
        return versions

    @rule(version=names, moment=MAYBE, provisional=st.booleans())
    def ask(self, version: str, moment: Moment | None, provisional: bool) -> None:
        """A run's challenger won, and waits."""
        current, run_seq = self.books.current, self.start(None)
        refusal = self.books.refusal(version, run_seq)
        ask = partial(self.registry.approvals.ask, version, run_seq, current, ("better",))
        self.answer(lambda: ask(provisional=provisional), refusal, moment)

    @rule(which=ANY, moment=MAYBE)
    def ask_again(self, which: int, moment: Moment | None) -> None:
        """A later run finds a shadow better, which waited before; one that was refused stays so."""
        shadow, current = pick([self.books.request, *self.books.refused], which), self.books.current
        if shadow is None:
            return
        asked_by, before = self.start(None), self.registry.approvals.latest()
        refusal = self.books.refusal(shadow.version, shadow.run_seq)
        ask = partial(self.registry.approvals.ask, shadow.version, shadow.run_seq, current, ("better",))
        self.answer(lambda: ask(asked_by=asked_by), refusal, moment)
        assert not shadow.refused or self.registry.approvals.latest() == before  # I7

    @rule(which=ANY, moment=MAYBE)
    def expire(self, which: int, moment: Moment | None) -> None:
        """A run made a newer challenger that did not win; or it is an older run."""
        run_seq = self.run(which)
        self.answer(lambda: self.registry.approvals.expire(run_seq, "newer"), None, moment)
        request = self.books.request
        assert moment or request is None or request.answer or request.since >= run_seq

    @rule(moment=MAYBE)
    def refuse(self, moment: Moment | None) -> None:
        """Refused before, it stays so; approved or expired, it can't be."""
        if (request := self.books.request) is None:
            return
        open_ = request.refused or (self.books.waits() and request.answer is None)
        refusal = None if open_ else BadInput
        approvals = self.registry.approvals
        self.answer(lambda: approvals.refuse(request.version, "no", "bob"), refusal, moment)

    @rule(version=names, provisional=st.booleans())
    def refuse_and_ask(self, version: str, provisional: bool) -> None:
        """A refusal, and the next winner."""
        self.refuse(None)
        self.ask(version, None, provisional)

    @rule(moment=MAYBE)
    def approve(self, moment: Moment | None) -> None:
        """Approved before, it is champion or becomes it now; refused or expired, it can't be."""
        request, before = self.books.request, self.books.current
        if request is None or is_same_promotion(before, request.version, request.run_seq):
            return
        refusal: Refusal | None = None if self.books.waits() else BadInput
        if refusal is None and request.version not in self.books.complete - self.books.marked:
            refusal = NotFound
        approvals = self.registry.approvals
        self.change(lambda: approvals.approve(request.version, "yes", "ann"), refusal, moment)
        self.look_at_request()
        if self.books.current != before:
            entry = self.books.chain[-1]
            assert (entry.version, entry.replaced, entry.by) == (
                request.version,
                request.champion,
                "ann",
            )  # I6
            assert entry.prev_txid == request.txid  # I6
            assert entry.provisional is request.provisional  # I8

    @rule(which=ANY)
    def race_for_an_answer(self, which: int) -> None:
        """One approves, one refuses, a run promotes another version: at most one champion follows."""
        request, current, fit = self.books.request, self.books.current, self.books.fit()
        if request is None or not self.books.waits() or request.version not in fit:
            return
        other, run_seq = pick(fit, which), self.start(None)
        approvals, barrier = self.registry.approvals, threading.Barrier(3)

        def attempt(act: Callable[[], object]) -> object:
            barrier.wait()
            try:
                return act()
            except (Conflict, BadInput):
                return None

        acts = (
            lambda: approvals.approve(request.version, "yes", "ann"),
            lambda: approvals.refuse(request.version, "no", "bob"),
            lambda: self.registry.promote(other, run_seq, current, ""),
        )
        with ThreadPoolExecutor(3) as pool:
            approved, refused, promoted = pool.map(attempt, acts)
        self.look_at_request()
        assert not (approved and refused)
        assert not (approved and promoted)
        for entry in (approved, promoted):
            if isinstance(entry, Champion):
                self.books.enter(entry)

    def answer(self, act: Callable[[], object], refusal: Refusal | None, moment: Moment | None) -> None:
        """Do what changes no champion; it must be refused just when our books say so."""
        try:
            with watched(self.connection, moment):
                if refusal is None:
                    act()
                else:
                    with pytest.raises(refusal):
                        act()
        except Crash:
            pass
        self.look_at_request()

    def look_at_request(self) -> None:
        """Into the books with the newest request; a refusal stays."""
        latest, before = self.registry.approvals.latest(), self.books.request
        if before is not None and latest != before:
            assert latest is not None
            replaced = latest.is_newer_than(before)
            assert replaced or (before.answer is None and latest.version == before.version)
        self.books.request = latest
        if latest and latest.refused and latest not in self.books.refused:
            self.books.refused.append(latest)

    @invariant()
    def what_waits_and_what_was_refused_is_in_the_books(self) -> None:
        assert self.registry.approvals.latest() == self.books.request
        assert self.registry.approvals.refusals() == self.books.refused  # I7
        waiting = self.registry.approvals.waiting()
        assert waiting == (self.books.request if self.books.waits() else None)
