"""One run: what it works on, where it keeps its files, and the claim that makes it the only one."""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from incumbent import __version__
from incumbent.dataset import DataVersion, Diff, difference
from incumbent.errors import Conflict, IncumbentError, StorageUnavailable
from incumbent.params import Params, load_params
from incumbent.plan import Strategy
from incumbent.storage.registry import Claim, Claimed, Done, Registry, open_registry
from incumbent.storage.versions import fetch, resolve

if TYPE_CHECKING:
    from incumbent.model import Model

LEASE_SECONDS = 120.0

Document = Literal[
    "gate", "hindsight", "plan", "live", "drift", "study", "challenger", "comparison", "metrics", "decision",
    "timings", "outcome",
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one run works on. Addresses and digests only; rows and models are read where they are used.

    `seq` is its number in the registry, None for a dry run, which leaves nothing there. `champion` is
    the version in office when the run began, at `began` (ISO 8601, UTC).
    """

    project: Path
    seq: int | None
    data: DataVersion
    diff: Diff
    champion: str | None
    strategy: Strategy
    started_by: str
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))

    @cached_property
    def params(self) -> Params:
        return load_params(self.project)

    @cached_property
    def registry(self) -> Registry:
        return open_registry(self.params, self.project)

    @property
    def folder(self) -> Path:
        """Where its steps leave their files for the next step."""
        path = self.project / ".incumbent" / "runs" / (f"{self.seq:012d}" if self.seq else "dry")
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def version(self) -> str:
        """The name its challenger gets: run 17 makes v17."""
        return f"v{self.seq}"

    @property
    def work(self) -> str:
        """sha256 of all that decides the outcome; two runs with one digest would do the same."""
        parts = [self.data.md5, self.params.digest(), __version__, self.strategy]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def files(self, names: Sequence[str]) -> list[Path]:
        """Local, verified files of these partitions."""
        return fetch(self.project, self.data, names)

    def write(self, name: Document, document: Any) -> None:
        part = self.folder / f".{name}.json.part"
        part.write_text(json.dumps(document, indent=2, default=str) + "\n")
        part.replace(self.folder / f"{name}.json")  # others read while the run goes on

    def read(self, name: Document) -> Any:
        """What a step of this run wrote; None if it was not reached."""
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def manifest(self, version: str) -> dict[str, Any]:
        return self.registry.manifest(version)

    def pulled(self, version: str) -> Path:
        """The folder with a version's verified files."""
        from incumbent.storage.model_cache import pull_cached

        return pull_cached(self.project, self.registry, version)[0]

    def model(self, version: str) -> "Model":
        from incumbent.storage.model_cache import load_model

        return load_model(self.project, self.registry, version)


def open_run(project: Path, data_rev: str, strategy: Strategy, started_by: str, *, dry: bool) -> Run:
    """Resolve what to work on and draw a run number. Raises what storage and params raise."""
    params = load_params(project)
    data = resolve(project, data_rev)
    registry = open_registry(params, project)
    champion = registry.champion()
    known = registry.manifest(champion.version)["data"]["partitions"] if champion else {}
    about = {"data": data.to_json(), "strategy": strategy, "started_by": started_by}
    seq = None if dry else registry.start_run(about)
    diff = difference(known, data.partitions)
    run = Run(project, seq, data, diff, champion.version if champion else None, strategy, started_by)
    shutil.rmtree(run.folder)  # of a dry run before, or of a registry that is gone
    return run


class Lease:
    """The claim on a run's work, kept alive by a heartbeat until the work ends.

    `taken` says who else does or did this work, or is None when it is ours.
    """

    def __init__(self, run: Run, claim: Claim | None, taken: str | None) -> None:
        self._run, self._claim, self.taken = run, claim, taken
        self._stopped = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def _beat(self) -> None:
        while self._claim is not None and not self._stopped.wait(LEASE_SECONDS / 4):
            try:
                self._claim = self._run.registry.renew(self._claim)
            except StorageUnavailable:
                continue  # the next beat may get through; the lease outlasts several
            except Conflict:
                return  # taken over; the fence and the compare-and-swap keep this run from promoting

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Done when the block ends, free again for the next run when it fails."""
        if self._claim is None:
            yield self
            return
        self._beating.start()
        try:
            yield self
        except BaseException:
            self._stop()
            # What went wrong is the news; a claim that can't be released expires by itself.
            with suppress(IncumbentError):
                self._run.registry.release(self._claim)
            raise
        self._stop()
        self._run.registry.finish(self._claim, {"run": self._run.seq})

    def _stop(self) -> None:
        self._stopped.set()
        self._beating.join()


@contextmanager
def lease(run: Run) -> Iterator[Lease]:
    """Claim the run's work for as long as the block lasts."""
    if run.seq is None:
        yield Lease(run, None, None)
        return
    answer = run.registry.claim(run.work, run.seq, LEASE_SECONDS)
    if isinstance(answer, Claimed):
        taken, claim = None, answer.claim
    elif isinstance(answer, Done):
        taken, claim = f"run {answer.run_seq} decided this data version with these parameters", None
    else:
        taken, claim = f"run {answer.run_seq} is at it (last sign of life {answer.heartbeat})", None
    with Lease(run, claim, taken).held() as held:
        yield held


@contextmanager
def timed(run: Run, step: str) -> Iterator[None]:
    """Note how many seconds a step of the run took."""
    start = time.perf_counter()
    yield
    run.write("timings", {**(run.read("timings") or {}), step: round(time.perf_counter() - start, 2)})
