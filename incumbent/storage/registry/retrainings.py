"""One retraining of a model at a time, what came meanwhile, and which inputs were decided last.

<model>/claims/retraining.json    the lease of the run at work; given back, never done
<model>/runs/<run>/put-off.json   the latest data version that was left to that run's end
<model>/decided.json              the inputs of the last decision, see dataset.inputs
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incumbent.storage.registry.claims import Claimed, Done, Running
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.documents import dump, load, now

WORK, PUT_OFF = "retraining", "put-off.json"


@dataclass(frozen=True)
class Decided:
    """The run that decided last, when (ISO 8601, UTC), and on which inputs."""

    run_seq: int
    at: str
    inputs: str


class Retrainings:
    """The retrainings of one model. All methods raise StorageUnavailable."""

    def __init__(self, registry: Registry) -> None:
        self._registry, self._store, self._model = registry, registry.store, registry.model

    def begin(self, run_seq: int, lease_seconds: float) -> Claimed | Running | Done:
        """Take the model, unless a run works on it; `Claims.renew` and `release` go on from there."""
        return self._registry.claim(WORK, run_seq, lease_seconds)

    def at_work(self, lease_seconds: float) -> int | None:
        """The run that works on the model; None if none does, or it is dead."""
        answer = self._registry.look_at_claim(WORK, lease_seconds)
        return answer.run_seq if answer else None

    def put_off(self, until: int, announced: Mapping[str, Any]) -> None:
        """Leave an announced version, the event's payload, to the end of the run at work."""
        self._registry.record(until, PUT_OFF, dump(announced))

    def left_to(self, run_seq: int) -> dict[str, Any] | None:
        """What was left to this run's end."""
        key = f"{self._model}/runs/{run_seq:012d}/{PUT_OFF}"
        stored = self._store.find(key)
        return load(stored.body, self._store.url(key)) if stored else None

    def note_decided(self, inputs: str, run_seq: int) -> None:
        """These inputs have their decision. Only the run at work writes it."""
        self._store.put(self._decided, dump({"inputs": inputs, "run": run_seq, "at": now()}))

    def last_decided(self) -> Decided | None:
        """The last decision on the head of the branch; None before the first. One request."""
        stored = self._store.find(self._decided)
        if stored is None:
            return None
        document = load(stored.body, self._store.url(self._decided))
        return Decided(document["run"], document["at"], document["inputs"])

    @property
    def _decided(self) -> str:
        return f"{self._model}/decided.json"
