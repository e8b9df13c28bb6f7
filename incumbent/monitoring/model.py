"""One model as samples: who is in office, how good it is, what arrived, what waits."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from incumbent.errors import NotFound, Tampered
from incumbent.gate.probation import held
from incumbent.monitoring.documents import Documents
from incumbent.monitoring.metrics import Sample
from incumbent.monitoring.runs import Runs
from incumbent.params import Params, load_params
from incumbent.storage.dataset.arrived import arrived_rows, newest_version_at
from incumbent.storage.dataset.git import commit_of
from incumbent.storage.dataset.probation import record_at
from incumbent.storage.dataset.versions import resolve_or_empty
from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.signing import Signatures
from incumbent.storage.registry.standing import require_standing
from incumbent.storage.s3.address import open_store

TIMEOUT = 3.0
"""Seconds that S3 may take for one answer."""


class Data:
    """A project's data versions. Git is asked again when the branch has moved."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._head: str | None = None
        self._rows: dict[tuple[str, str], int] = {}
        self._samples: list[tuple[str, float]] = []

    def samples(self, model: str) -> Iterator[Sample]:
        """Raises BadInput outside of a git repository."""
        head = commit_of(self._project, "HEAD")
        if head != self._head:
            self._rows |= arrived_rows(self._project, self._head)
            self._samples, self._head = [*self._read()], head
        for metric, value in self._samples:
            yield Sample(metric, (model,), value)

    def _read(self) -> Iterator[tuple[str, float]]:
        at = newest_version_at(self._project)
        if at is not None:
            yield "incumbent_data_timestamp_seconds", at
        yield "incumbent_arrived_rows_total", sum(self._rows.values())
        record = record_at(self._project)
        waiting = held(record, resolve_or_empty(self._project).digests) if record else {}
        yield "incumbent_probation_partitions", len(waiting)


class Model:
    """The model of a project with these parameters; a read asks S3 about eight times, and for what is new."""

    def __init__(self, project: Path, params: Params) -> None:
        self.name, self._metric = params.dataset.name, params.promotion.metric
        self._currency = params.cost.currency
        # Open with little patience: a scrape does not wait for a server that hangs.
        self._store = open_store(params.registry.address, TIMEOUT)
        self._registry = Registry(self._store, self.name, Signatures.of(params.registry, project))
        self._data, self._runs = Data(project), Runs(self._store, self.name)
        self._documents = Documents(self._store, lambda _key, document: document)
        self._champion: Champion | None = None

    def samples(self) -> Iterator[Sample]:
        """Raises StorageUnavailable, NotFound and BadInput where registry or project can't be read."""
        yield from self._data.samples(self.name)
        self._runs.refresh()
        yield from self._runs.samples(self.name, self._currency)
        yield Sample("incumbent_quarantined_files", (self.name,), self._quarantined())
        yield from self._office()

    def _office(self) -> Iterator[Sample]:
        """The champion. One that was tampered with is none to report on."""
        try:
            self._champion = champion = self._registry.champion(self._champion)
            manifest = require_standing(self._registry, champion)
            request = self._registry.approvals.latest()
            waits = request is not None and not request.refused and not request.expired(champion)
        except (Tampered, NotFound):
            yield Sample("incumbent_registry_verified", (self.name,), 0)
            return
        yield Sample("incumbent_registry_verified", (self.name,), 1)
        yield Sample("incumbent_pending_approvals", (self.name,), waits)
        if champion is not None:
            provisional = str(champion.provisional).lower()
            yield Sample("incumbent_champion_info", (self.name, champion.version, provisional), 1)
            at = datetime.fromisoformat(champion.at).timestamp()
            yield Sample("incumbent_champion_timestamp_seconds", (self.name,), at)
            yield from self._performance(champion.version, manifest.get("metrics", {}))

    def _performance(self, version: str, metrics: dict[str, Any]) -> Iterator[Sample]:
        if metrics.get("metric") == self._metric and metrics.get("holdout"):
            yield from self._interval("promised", metrics["holdout"])
        looks = self._looks(version)
        # One without labels has an estimate alone: what labels showed before stays.
        health = next((each for each in looks if each["live"]), {})
        if health and health["metric"] == self._metric:
            yield from self._interval("live", health["live"])
            yield Sample("incumbent_champion_decayed", (self.name,), health["decayed"])
        elif score := self._score(version):
            yield Sample("incumbent_metric_value", (self.name, self._metric, "live"), score)
        estimated = looks[0].get("estimated") if looks else None
        if estimated and estimated["metric"] == self._metric:
            yield from self._interval("estimated", estimated)

    def _interval(self, of: str, interval: dict[str, Any]) -> Iterator[Sample]:
        for end in ("value", "low", "high"):
            yield Sample(f"incumbent_metric_{end}", (self.name, self._metric, of), interval[end])

    def _looks(self, version: str) -> list[dict[str, Any]]:
        """What monitor reported of the version, the latest first."""
        looks = self._documents.read(self._store.listing(f"{self.name}/monitor/{version}-"))
        return [each.content for each in sorted(looks, key=lambda each: each.written, reverse=True)]

    def _score(self, version: str) -> float | None:
        """Where monitor has no labels: of the version on the last labelled arrival, which it had not seen."""
        listed = self._store.listing(f"{self.name}/scores/")
        scores = [each.content for each in self._documents.read(listed)]
        known = [each for each in scores if each["champion"]["version"] == version]
        last = max(known, key=lambda each: (each["run"], each["partition"]), default=None)
        if last is None or last["metric"] != self._metric:
            return None
        return float(last["champion"]["value"])

    def _quarantined(self) -> int:
        listed = self._store.listing(f"{self.name}/quarantine/reasons/")
        return sum(not entry.content["released"] for entry in self._documents.read(listed))


class Project:
    """A project's model, read with the parameters that params.yaml has at that time."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._known: tuple[str, Model] | None = None
        self.name, self.address = project.name, ""
        """Of the model and its registry; the folder's name and none before params.yaml could be read."""

    def look(self) -> Model:
        """The model by params.yaml. Raises BadParams, and OSError for a file that can't be read."""
        text = (self._project / "params.yaml").read_text(encoding="utf-8", errors="replace")
        if self._known is None or text != self._known[0]:
            params = load_params(self._project)
            self.name, self.address = params.dataset.name, params.registry.address
            self._known = text, Model(self._project, params)
        return self._known[1]

    def read(self) -> list[Sample]:
        """Its samples. Raises IncumbentError where it can't be read."""
        model = self.look()
        return [*model.samples(), Sample("incumbent_up", (model.name,), 1)]

    def unread(self) -> list[Sample]:
        """What is known where it can't be read in time."""
        return [Sample("incumbent_up", (self.name,), 0)]
