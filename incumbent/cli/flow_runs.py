"""What the Prefect server knows of runs and the registry does not: how long they waited, which failed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from incumbent.cli.doctor.prefect_api import PrefectServer, prefect_server
from incumbent.monitoring.metrics import FATES, Sample

MODEL = "model:"
"""How the tag begins that says which model a flow run is for."""
OVERLAP = timedelta(minutes=10)
"""A crash may be reported so late, with its time then."""
HISTORY = timedelta(days=30)
"""How far back the last retraining of a model is looked for."""


class FlowRuns:
    """The flow runs of some models; asks for those that started or failed since the last read.

    model_of: the project of a flow run's parameters -> the model's name, where it is known.
    """

    def __init__(self, model_of: Callable[[], Mapping[str, str]]) -> None:
        self._model_of = model_of
        self._models: Mapping[str, str] = {}
        self._failed: dict[str, tuple[str, str]] = {}
        self._waited: dict[str, tuple[datetime, float]] = {}
        self._failed_at: datetime | None = None

    def read(self) -> list[Sample]:
        """Raises StorageUnavailable, and BadInput where the server refuses the login."""
        self._models = self._model_of()
        with prefect_server(own_url=None) as server:
            self._read_failed(server)
            self._read_started(server)
        return [*self._samples()]

    def unread(self) -> list[Sample]:
        return []

    def _read_failed(self, server: PrefectServer) -> None:
        wanted: dict[str, Any] = {"state": {"type": {"any_": [fate.upper() for fate in FATES]}}}
        if self._failed_at is not None:
            wanted["end_time"] = {"after_": (self._failed_at - OVERLAP).isoformat()}
        for run in server.all("/flow_runs/filter", flow_runs=wanted, sort="END_TIME_DESC"):
            if model := self._model(run):
                self._failed[run["id"]] = model, run["state_type"].capitalize()
            if run["end_time"]:
                ended = datetime.fromisoformat(run["end_time"])
                self._failed_at = max(ended, self._failed_at or ended)

    def _read_started(self, server: PrefectServer) -> None:
        last = max((at for at, _ in self._waited.values()), default=datetime.now(UTC) - HISTORY)
        for run in server.all(
            "/flow_runs/filter",
            flows={"name": {"any_": ["retrain"]}},
            flow_runs={"start_time": {"after_": last.isoformat()}},
            sort="START_TIME_ASC",
        ):
            # Prefect gives those that wait for their start, too; the tag comes when the run begins its work.
            if run["start_time"] and (model := self._model(run)):
                started = datetime.fromisoformat(run["start_time"])
                # While a run waits for its turn, Prefect puts off when it expects it.
                wanted = run["expected_start_time"] if run["auto_scheduled"] else run["created"]
                waited = (started - datetime.fromisoformat(wanted)).total_seconds()
                self._waited[model] = started, max(0.0, waited)

    def _model(self, run: Mapping[str, Any]) -> str | None:
        """The model by the run's tag; of a run that failed before it had one, by its parameters."""
        tagged = [tag.removeprefix(MODEL) for tag in run["tags"] if tag.startswith(MODEL)]
        name = tagged[0] if tagged else self._models.get(str(run["parameters"].get("project", ".")))
        return name if name in self._models.values() else None

    def _samples(self) -> Iterator[Sample]:
        counts = Counter(self._failed.values())
        for model in sorted(set(self._models.values())):
            for fate in FATES:
                yield Sample("incumbent_run_errors_total", (model, fate), counts[model, fate])
            if model in self._waited:
                yield Sample("incumbent_run_queue_seconds", (model,), self._waited[model][1])
