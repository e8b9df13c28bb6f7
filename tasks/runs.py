"""One run: what it works on, and where its steps store their documents for the next steps."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from incumbent import __version__
from incumbent.errors import NotFound
from incumbent.evaluation.plan import Strategy
from incumbent.gate.probation import Suspension
from incumbent.params import Params, load_params, own_code
from incumbent.storage.dataset.git import is_ancestor
from incumbent.storage.dataset.inputs import inputs_digest
from incumbent.storage.dataset.probation import record_at
from incumbent.storage.dataset.versions import fetch, resolve
from incumbent.storage.registry.identity import register_project, require_own_model
from incumbent.storage.registry.registry import Registry, open_registry
from incumbent.tables.atomic import atomic_write
from incumbent.tables.partitions import DataVersion, Diff, Partition, difference, digest_of
from incumbent.training.engine import LOCAL, Engine, EngineName, chosen

if TYPE_CHECKING:
    from incumbent.models.model import Model

LEASE_SECONDS = 120.0

Document = Literal[
    "begun", "resumed", "gate", "hindsight", "plan", "live", "drift", "window", "study", "challenger",
    "comparison", "metrics", "decision", "timings", "usage", "anomalies", "outcome",
]  # fmt: skip


class JsonDocument(Protocol):
    """A document that a step stores for the next."""

    def to_json(self) -> Any: ...


T = TypeVar("T", bound=JsonDocument)


@dataclass(frozen=True)
class Run:
    """What one run works on. Addresses and digests only; rows and models are read where they are used.

    `seq` is its number in the registry, None for a dry run, which leaves nothing there. `champion` is
    the champion when the run began, at `began` (ISO 8601, UTC). `announced` is the data version in the
    run's event, if a later one has superseded it. left_out: partitions that the gate blocked;
    waiting: those in which no row has a label yet; on_probation: those that are suspicious. by_event: an
    event announced its data version, and can do so again. inputs: digest of what it decides on, "" for a
    revision that somebody named.
    """

    project: Path
    seq: int | None
    data: DataVersion
    diff: Diff
    champion: str | None
    strategy: Strategy
    started_by: str
    announced: DataVersion | None = None
    engine: Engine = LOCAL
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    left_out: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    on_probation: tuple[str, ...] = ()
    by_event: bool = False
    inputs: str = ""

    @cached_property
    def params(self) -> Params:
        return load_params(self.project)

    @cached_property
    def registry(self) -> Registry:
        return open_registry(self.params, self.project)

    @cached_property
    def probations(self) -> dict[str, Suspension]:
        """The record of probations in the data version's commit, held and released."""
        return record_at(self.project, self.data.rev)

    @property
    def folder(self) -> Path:
        """Where its steps leave their files for the next step."""
        return self.project / ".incumbent" / "runs" / (f"{self.seq:012d}" if self.seq else "dry")

    @property
    def version(self) -> str:
        """The name its challenger gets: run 17 makes v17."""
        return f"v{self.seq}"

    @cached_property
    def work(self) -> str:
        """sha256 of all that decides the outcome; two runs with one digest would do the same."""
        suites = [digest_of(suite) for suite in sorted((self.project / "expectations").glob("*.json"))]
        parts = [
            self.data.md5,
            self.params.digest(),
            __version__,
            self.strategy,
            self.engine.name,
            *suites,
            *self._code,
            # Released, the same data are other work.
            *(
                f"{name} {entry.md5} {'released' if entry.released else 'held'}"
                for name, entry in sorted(self.probations.items())
            ),
        ]
        return _sha256(parts)

    @property
    def training(self) -> str:
        """sha256 of what a challenger is made from and meets: of two of a kind the second would be the first
        once more. Partitions that nothing is learned from don't count, as one on probation."""
        learned = (f"{each.name} {each.md5}" for each in self.learned)
        about = (self.params.digest(), __version__, self.engine.name, str(self.champion))
        return _sha256([*about, *self._code, *learned])

    @property
    def _code(self) -> list[str]:
        function = self.params.features.function
        return [own_code.load(function)[1]] if function else []

    @property
    def of_announced(self) -> "Run":
        """The same run on the announced version, for the record of that version."""
        if self.announced is None:
            return self
        return replace(self, data=self.announced, announced=None).against(self.champion)

    def against(self, champion: str | None) -> "Run":
        """The same run as if this version had been champion when it began."""
        known = self.manifest(champion)["data"]["partitions"] if champion else {}
        remaining = [each for each in self.data.partitions if each.name not in self.left_out]
        return replace(self, champion=champion, diff=difference(known, remaining))

    def after_gate(
        self, left_out: Sequence[str], waiting: Sequence[str], on_probation: Sequence[str]
    ) -> "Run":
        """The same run without the partitions that are blocked; nothing is learned from the others named."""
        if not (left_out or waiting or on_probation):
            return self
        aside = tuple(left_out), tuple(waiting), tuple(on_probation)
        return replace(self, left_out=aside[0], waiting=aside[1], on_probation=aside[2]).against(
            self.champion
        )

    @cached_property
    def trusted(self) -> Diff:
        """What is new to the champion without partitions on probation: what a plan is made from.

        One whose correction is on probation counts as removed once there is anything else to train.
        """
        if not self.on_probation:
            return self.diff
        known = self.manifest(self.champion)["data"]["partitions"] if self.champion else {}
        aside = {*self.left_out, *self.on_probation}
        diff = difference(known, [each for each in self.data.partitions if each.name not in aside])
        if diff.fresh:
            return diff
        return replace(diff, removed=tuple(name for name in diff.removed if name not in self.on_probation))

    @property
    def learned(self) -> tuple[Partition, ...]:
        """The partitions that models learn from and are judged on, by name."""
        aside = {*self.left_out, *self.waiting, *self.on_probation}
        return tuple(each for each in self.data.partitions if each.name not in aside)

    @property
    def superseded(self) -> str:
        """Why this run skips the announced version."""
        by = self.registry.decided_by(self.of_announced.work)
        announced = self.of_announced.data.short
        if by is not None:
            return f"run {by} decided data version {announced}; it was superseded by {self.data.short}"
        return f"data version {announced} was superseded by {self.data.short}"

    def files(self, names: Sequence[str]) -> list[Path]:
        """Local, verified files of these partitions."""
        return fetch(self.project, self.data, names)

    def write(self, name: Document, document: Any) -> None:
        """Keep a document. It is written atomically, after the files of its step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / f"{name}.json") as part:
            part.write_text(json.dumps(document, indent=2, default=str) + "\n")
            for file in self.folder.iterdir():  # even after a power cut, the document implies its files
                with suppress(FileNotFoundError), file.open("rb") as kept:  # another thread's is in place now
                    os.fsync(kept.fileno())

    def read(self, name: Document) -> Any:
        """The document of a step of this run; None if the step was not reached."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def once(self, name: Document, read: Callable[[Any], T], make: Callable[[], T]) -> T:
        """A step's document: from an earlier try or a resumed run, else made now."""
        document = self.read(name)
        if document is not None:
            return read(document)
        made = make()
        self.write(name, made.to_json())
        return made

    def manifest(self, version: str) -> dict[str, Any]:
        return self.registry.manifest(version)

    def pulled(self, version: str) -> Path:
        """The folder with a version's verified files."""
        from incumbent.storage.serving.model_cache import pull_cached

        return pull_cached(self.project, self.registry, version)[0]

    def model(self, version: str) -> "Model":
        from incumbent.storage.serving.model_cache import load_model

        return load_model(self.project, self.registry, version)


def open_run(
    project: Path,
    data_rev: str,
    strategy: Strategy,
    started_by: str,
    *,
    announced_rev: str | None = None,
    dry: bool,
    engine: EngineName = "local",
) -> Run:
    """Resolve what to work on and draw a run number. Raises what storage, params and engine.chosen raise."""
    params = load_params(project)
    trains = chosen(engine, params)
    # Read first: with data that arrive meanwhile, the next poll looks once more than it must.
    inputs = inputs_digest(project, params) if data_rev == "HEAD" else ""
    data, announced = _latest(project, data_rev, announced_rev)
    registry = open_registry(params, project)
    (require_own_model if dry else register_project)(params, project)
    champion = registry.champion()
    known = registry.manifest(champion.version)["data"]["partitions"] if champion else {}
    about = {"data": data.to_json(), "strategy": strategy, "engine": engine, "started_by": started_by}
    seq = None if dry else registry.start_run(about)
    diff = difference(known, data.partitions)
    version = champion.version if champion else None
    run = Run(
        project, seq, data, diff, version, strategy, started_by, announced, trains,
        by_event=announced_rev is not None, inputs=inputs,
    )  # fmt: skip
    shutil.rmtree(run.folder, ignore_errors=True)  # of a dry run before, or of a registry that is gone
    return run


def _latest(
    project: Path, data_rev: str, announced_rev: str | None
) -> tuple[DataVersion, DataVersion | None]:
    """What to work on, and the version that was announced if that is an older one."""
    data = resolve(project, data_rev)
    try:
        announced = resolve(project, announced_rev) if announced_rev else data
    except NotFound:
        return data, None  # another clone's commit, not fetched here yet: the next run gets it
    if is_ancestor(project, data.rev, announced.rev):
        return announced, None
    return data, announced if announced.md5 != data.md5 else None


def _sha256(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@contextmanager
def timed(run: Run, step: str) -> Iterator[None]:
    """Note how many seconds a step of the run took, over all its tries."""
    start = time.perf_counter()
    try:
        yield
    finally:
        before = run.read("timings") or {}
        spent = before.get(step, 0.0) + time.perf_counter() - start
        run.write("timings", {**before, step: round(spent, 2)})
