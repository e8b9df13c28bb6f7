"""A registry under runs that publish, promote, roll back, collect, race and die; our own books beside it.

I1  seq without gaps, prev_txid chain unbroken
I2  `replaced` is the version that was compared
I3  run_seq strictly rises over promotions
I4  every acknowledged promotion is in the chain exactly once; a refused one never
I5  readers never go backwards, nor see a champion that does not verify
I8  a champion is provisional if its verdict was, and no other
and deletion never takes a champion of any time, a parent of one, or one of the newest that are kept.
"""

import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from incumbent.errors import BadInput, Conflict, NotFound
from incumbent.storage.registry.champion import is_same_promotion
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.storage.registry.tombstones import Tombstones
from incumbent.storage.s3.client import Connection
from incumbent.storage.s3.store import Store
from tests.conftest import BUCKET
from tests.storage.books import Books, pick
from tests.storage.calls import MAYBE, MOMENTS, Crash, Moment, watched

ANY = st.integers(0, 999)
"""Which of several, by `pick`: who wins a race is left to chance, and must not change what is drawn next."""

Refusal = type[Exception] | tuple[type[Exception], ...]


def make_store(connection: Connection) -> Store:
    """An empty one; mutants make another."""
    return Store(BUCKET, f"machine/{uuid.uuid4().hex}", connection)


class RegistryMachine(RuleBasedStateMachine):
    """Each rule does something to the registry, and writes into the books what must have come of it."""

    connection: Connection
    make_store = staticmethod(make_store)
    steps = 0
    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.registry = Registry(self.make_store(self.connection), "m")
        self.books = Books()
        self.verified: set[str] = set()

    def teardown(self) -> None:
        self.folder.cleanup()
        assert self.registry.problems() == []

    # --- runs and versions

    @initialize(target=names)
    def begin(self) -> MultipleResults[str]:
        """Two in office, the first as provisional, one after the other, and two that wait."""
        names = [self.publish_under(f"v{number}", None) for number in (1, 2, 3, 4)]
        for name in names[:2]:
            current, run_seq = self.books.current, self.start(None)
            provisional = current is None
            promote = partial(self.registry.promote, name, run_seq, current, "", provisional=provisional)
            self.change(promote, None)
            assert self.books.chain[-1].provisional is provisional  # I8
        return multiple(*names)

    def run(self, which: int) -> int:
        """A new one in three of five cases, else one of the last two."""
        if which % 5 > 2:
            return self.books.numbers[-1 - which % 2]
        return self.start(Moment(which % 6, after=False))

    def start(self, moment: Moment | None) -> int:
        """A run that dies while it starts is started anew."""
        try:
            with watched(self.connection, moment):
                run_seq = self.registry.start_run({})
        except Crash:
            run_seq = self.registry.start_run({})
        assert run_seq > self.books.last_run
        self.books.numbers.append(run_seq)
        return run_seq

    @rule(target=names, moment=MAYBE, parent=ANY)
    def publish(self, moment: Moment | None, parent: int) -> str:
        parents = [None, *sorted(self.books.complete - self.books.marked)]
        return self.publish_under(f"v{len(self.books.manifests) + 1}", moment, pick(parents, parent))

    def publish_under(self, name: str, moment: Moment | None, parent: str | None = None) -> str:
        created = f"2026-11-01T00:00:00.{len(self.books.manifests):06d}+00:00"
        self.books.manifests[name] = {"parent": parent, "created": created}
        self.publish_again(name, moment)
        return name

    @rule(name=names, moment=MAYBE)
    def publish_again(self, name: str, moment: Moment | None) -> None:
        """After a crash it goes on, after success it changes nothing, after deletion it is refused."""
        path = Path(self.folder.name) / name
        path.write_text(name)
        try:
            with watched(self.connection, moment):
                self.registry.publish(name, {"model.txt": path}, self.books.manifests[name])
        except Crash:
            if name in self.having("manifest.json"):
                self.books.complete.add(name)
        except NotFound:
            assert name in self.books.marked - self.books.complete
        else:
            assert name in self.books.complete or name not in self.books.marked
            self.books.complete.add(name)

    def having(self, file: str) -> set[str]:
        """The versions that have this file in the store."""
        keys = self.registry.store.list("m/versions/")
        return {key.split("/")[2] for key in keys if key.endswith(f"/{file}")}

    # --- changes of office

    @rule(which=ANY, moment=st.sampled_from((Moment(4, after=True), Moment(5, after=False))))
    def die_before_the_log(self, which: int, moment: Moment) -> None:
        """Committed, but not yet in the log."""
        if fit := self.books.fit():
            version, current, run_seq = pick(fit, which), self.books.current, self.start(None)
            self.change(lambda: self.registry.promote(version, run_seq, current, ""), None, moment)

    @rule(version=names, which=ANY, moment=MAYBE, provisional=st.booleans())
    def promote(self, version: str, which: int, moment: Moment | None, provisional: bool) -> None:
        """Compared with the champion of now; provisional as the verdict says."""
        current, run_seq = self.books.current, self.run(which)
        if is_same_promotion(current, version, run_seq):
            return
        refusal = self.books.refusal(version, run_seq)
        promote = partial(self.registry.promote, version, run_seq, current, "", provisional=provisional)
        self.change(promote, refusal, moment)
        if self.books.current != current:
            assert self.books.chain[-1].provisional is provisional  # I8

    @rule(version=names, which=ANY, then=ANY)
    def promote_late(self, version: str, which: int, then: int) -> None:
        """Compared with a champion of former times: refused, or done before."""
        run_seq = self.run(which)
        old = pick([None, *self.books.chain[:-1]], then)
        if any(is_same_promotion(entry, version, run_seq) for entry in (old, self.books.current)):
            assert self.registry.promote(version, run_seq, old, "") in self.books.chain
        else:
            self.change(lambda: self.registry.promote(version, run_seq, old, ""), (Conflict, BadInput))

    @rule(version=names, moment=MAYBE)
    def force(self, version: str, moment: Moment | None) -> None:
        """Like a promotion by a run of this moment, without a comparison."""
        refusal = self.books.refusal(version, self.books.last_run + 100)
        if version not in self.books.complete:
            refusal = NotFound  # its bytes are verified before anything else
        self.change(lambda: self.registry.force(version, "no time to compare"), refusal, moment)

    @rule(which=ANY, left=ANY, moment=MAYBE)
    def rollback(self, which: int, left: int, moment: Moment | None) -> None:
        """To any former champion, or the one before; from the champion of now or one that has left."""
        chain = self.books.chain
        bad, before = chain[-1], len(chain)
        former = sorted({entry.version for entry in chain} - {bad.version})
        to = pick([None, *former], which)
        instead_of = pick([None, bad, *chain], left)
        refusal: Refusal | None = None
        if instead_of not in (None, bad):
            refusal = Conflict
        elif to is None and not set(former) - set(bad.blocked):
            refusal = BadInput
        unsure = to is None and refusal is None  # the unblocked ones may all have come later
        self.change(lambda: self.registry.rollback(to, "", instead_of), refusal, moment, unsure)
        if len(chain) > before:
            back = chain[-1]
            assert not back.provisional  # I8
            assert back.version == to or (to is None and back.version not in {bad.version, *bad.blocked})
            assert set(back.blocked) == {*bad.blocked, bad.version} - {back.version}

    @rule(which=st.lists(ANY, min_size=3, max_size=3))
    def race(self, which: list[int]) -> None:
        """Of three compared with the same champion exactly one gets its office; a reader looks on."""
        current, books, fit = self.books.current, self.books, self.books.fit()
        if not fit:
            return
        versions = [pick(fit, number) for number in which]
        numbers = [self.start(None) for _ in versions]
        barrier = threading.Barrier(4)

        def contend(version: str, run_seq: int) -> Champion | None:
            barrier.wait()
            try:
                return self.registry.promote(version, run_seq, current, "")
            except (Conflict, BadInput):
                return None

        def look_on() -> list[int]:
            barrier.wait()
            seen = [self.registry.champion() for _ in range(6)]
            return [entry.seq if entry else 0 for entry in seen]

        with ThreadPoolExecutor(4) as pool:
            reader = pool.submit(look_on)
            won = [entry for entry in pool.map(contend, versions, numbers) if entry is not None]
        assert reader.result() == sorted(reader.result())  # I5
        assert len(won) == 1
        books.enter(won[0])

    @rule(version=names, which=ANY, moment=MOMENTS)
    def promote_while_collecting(self, version: str, which: int, moment: Moment) -> None:
        """Somebody collects in the midst of a promotion: it is refused, or its version is safe."""
        current, run_seq = self.books.current, self.run(which)
        refusal = self.books.refusal(version, run_seq)
        if is_same_promotion(current, version, run_seq):
            return
        try:
            with watched(self.connection, moment, lambda: self.registry.gc(0, grace=timedelta(hours=1))):
                entry = self.registry.promote(version, run_seq, current, "")
        except NotFound:
            pass  # it was marked just before the promotion looked
        except (Conflict, BadInput):
            assert refusal is not None
        else:
            assert refusal is None
            self.books.enter(entry)
        self.books.marked = self.marked()

    def change(
        self,
        change: Callable[[], Champion],
        refusal: Refusal | None,
        moment: Moment | None = None,
        unsure: bool = False,
    ) -> None:
        """Do it; it must be refused just when our books say so. After a crash the registry tells."""
        before = self.books.current
        try:
            with watched(self.connection, moment):
                if refusal is not None:
                    with pytest.raises(refusal):
                        change()
                    return
                self.books.enter(change())
        except Crash:
            found = self.registry.champion()
            if found is not None and found != before:
                assert refusal is None
                self.books.enter(found)
        except BadInput:
            assert unsure

    # --- deletion

    @rule(keep=st.integers(0, 2), moments=st.lists(MAYBE, min_size=1, max_size=3))
    def collect(self, keep: int, moments: list[Moment | None]) -> None:
        """Without grace, the second call deletes what the first one marked."""
        books = self.books
        for moment in moments:
            needed = books.needed(keep)
            try:
                with watched(self.connection, moment):
                    self.registry.gc(keep, grace=timedelta(0))
            except Crash:
                here, marked = self.having("manifest.json"), self.marked()
                assert books.complete - here <= books.marked - needed
                assert not (marked - books.marked) & needed
                books.complete, books.marked = books.complete & here, marked
            else:
                books.complete -= books.marked - needed
                books.marked = (books.marked | books.complete) - needed

    def marked(self) -> set[str]:
        """Those that are marked, or gone; not those whose mark was taken back."""
        tombstones = Tombstones(self.registry.store, "m")
        found = {name: tombstones.find(name) for name in self.having("tombstone.json")}
        return {name for name, each in found.items() if each and each.state != "withdrawn"}

    # --- what holds after every step

    @invariant()
    def the_chain_is_what_was_acknowledged(self) -> None:
        type(self).steps += 1
        history = self.registry.history()
        txids = [entry.txid for entry in history]
        promoted = [entry.run_seq for entry in history if entry.op != "rollback"]
        assert [entry.seq for entry in history] == list(range(1, len(history) + 1))  # I1
        assert [entry.prev_txid for entry in history] == [None, *txids][: len(txids)]  # I1
        assert [entry.replaced for entry in history] == self.books.compared  # I2
        assert promoted == sorted(set(promoted))  # I3
        assert history == self.books.chain  # I4

    @invariant()
    def the_champion_is_the_last_and_whole(self) -> None:
        champion = self.registry.champion()
        assert champion == self.books.current
        if champion is not None and champion.version not in self.verified:
            assert self.registry.verify(champion.version)  # I5
            self.verified.add(champion.version)

    @invariant()
    def nothing_is_deleted_that_is_needed(self) -> None:
        assert self.having("manifest.json") == self.books.complete
        assert self.books.untouchable <= self.books.complete
