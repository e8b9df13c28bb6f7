"""What sinks get, as frozen values that survive a crash as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Dataset:
    """The data version of a run. `digest`: the md5 of DVC's listing; `rev`: the git commit that points to it;
    `columns`: name -> kind, the features; `partitions`: how many files."""

    name: str
    digest: str
    rev: str
    columns: dict[str, str]
    partitions: int


@dataclass(frozen=True)
class Trial:
    """One trial of the study. `curve`: (rounds, mean score over the folds); `score`: its result, greater is
    better, an estimate for a trial that was `pruned`."""

    number: int
    score: float
    options: dict[str, Any]
    rounds: int
    pruned: bool
    curve: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class TrackedRun:
    """One run, whatever it decided.

    `id`: hexadecimal, unique among all runs of all registries. `began`, `ended`: milliseconds since 1970,
    UTC. `summary`: decision and reasons in markdown, with links. `metrics`: finite numbers; the unit is in
    the name where it is not the metric's own. `metric`: name of the metric that trials are scored by. `tags`:
    short facts to search for. `owner`: as of RegistryState.
    """

    id: str
    seq: int
    model: str
    began: int
    ended: int
    summary: str
    metric: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    dataset: Dataset
    trials: tuple[Trial, ...] = ()
    owner: str = ""

    @property
    def name(self) -> str:
        return f"run {self.seq}"


@dataclass(frozen=True)
class ModelVersion:
    """A version of our registry. `source`: the address of its files; `run`: the TrackedRun's id, None for one
    that no run made; `tags`: data, lineage, figures."""

    version: str
    source: str
    run: str | None
    description: str
    tags: dict[str, str]


@dataclass(frozen=True)
class RegistryState:
    """Who is champion and challenger as of entry `seq` of the log (0 before the first), and some versions.

    `address`: what the sources of all its versions begin with, which another project's may, too, on an S3 of
    its own. `owner`: whose registry it is, "" where that is not known. `complete`: `versions` are all that
    there are.
    """

    model: str
    address: str
    seq: int
    champion: str | None
    challenger: str | None
    versions: tuple[ModelVersion, ...]
    complete: bool = False
    owner: str = ""


@dataclass(frozen=True)
class Message:
    """One thing to tell, all or nothing. `key` orders what waits and is unique: a second one with the same
    key says the same."""

    key: str
    run: TrackedRun | None = None
    registry: RegistryState | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode()

    @staticmethod
    def from_bytes(body: bytes) -> "Message":
        """Raises pydantic's ValidationError, a ValueError, if it is not one."""
        return _MESSAGE.validate_json(body)


_MESSAGE = TypeAdapter(Message)
