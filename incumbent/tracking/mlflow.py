"""MLflow, by its REST API: importing MLflow's own client costs more CPU than all there is to say.

A run is recognised by its tag `incumbent.id`. One that is FINISHED has arrived whole; any other is gone
through again, and MLflow keeps a figure of the same step and time once.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from incumbent.tracking.mlflow_api import MLflowApi, Taken, in_parts, open_api, tag_list
from incumbent.tracking.mlflow_models import mirror
from incumbent.tracking.mlflow_owner import claim
from incumbent.tracking.names import allowed
from incumbent.tracking.values import Dataset, RegistryState, TrackedRun, Trial

ID = "incumbent.id"
# Without it the UI may take the experiment for one of prompts and agents.
MODEL_TRAINING = {"key": "mlflow.experimentKind", "value": "custom_model_development"}
# What a server takes in one request.
PARAMS, METRICS, CHARACTERS = 100, 900, 6000


@dataclass(frozen=True)
class MLflow:
    """A tracking server; `experiment`: its name there, None for the model's."""

    api: MLflowApi
    experiment: str | None = None

    def log(self, run: TrackedRun, files: Path) -> None:
        place = self._experiment(run.model, run.owner)
        tags = {**run.tags, "mlflow.note.content": run.summary}
        logged = self._find(place, run.id) or self._create(place, run.id, run.name, run.began, tags)
        if logged["status"] == "FINISHED":
            return
        self._batch(logged["run_id"], run.params, _figures(run.metrics, run.ended))
        self.api.post("runs/log-inputs", run_id=logged["run_id"], datasets=[_input(run.dataset)])
        for file in sorted(each for each in files.rglob("*") if each.is_file()):
            self._upload(logged["artifact_uri"], file.relative_to(files).as_posix(), file.read_bytes())
        self._trials(place, logged["run_id"], run)
        self._finish(logged["run_id"], run.ended)

    def mirror(self, registry: RegistryState) -> list[str]:
        return mirror(self.api, registry, lambda run_id: self._run_of(registry, run_id))

    def _experiment(self, model: str, owner: str) -> str:
        """The experiment's id. Raises Refused if it has the model's name and is another project's; one that
        MLFLOW_EXPERIMENT_NAME names is for all who name it."""
        name = self.experiment or model
        known = self.api.find("experiments/get-by-name", experiment_name=name)
        if known is None:
            with suppress(Taken):  # by another run, this moment
                self.api.post("experiments/create", name=name, tags=[MODEL_TRAINING])
            known = self.api.get("experiments/get-by-name", experiment_name=name)
        experiment = known["experiment"]
        place = str(experiment["experiment_id"])
        if self.experiment is None:
            set_tag = "experiments/set-experiment-tag"
            claim(self.api, f"experiment '{name}'", experiment, owner, set_tag, experiment_id=place)
        return place

    def _run_of(self, registry: RegistryState, run_id: str) -> str | None:
        """The server's id of a run that was logged."""
        known = self._find(self._experiment(registry.model, registry.owner), run_id)
        return None if known is None else str(known["run_id"])

    def _find(self, place: str, run_id: str) -> dict[str, Any] | None:
        wanted = f"tags.`{ID}` = '{run_id}'"
        pages = self.api.pages(
            "POST",
            "runs/search",
            "runs",
            experiment_ids=[place],
            filter=wanted,
            order_by=["attributes.start_time"],
        )
        return next((dict(each["info"]) for each in pages), None)

    def _create(
        self, place: str, run_id: str, name: str, began: int, tags: Mapping[str, str]
    ) -> dict[str, Any]:
        named = {**tags, ID: run_id, "mlflow.runName": name}
        created = self.api.post(
            "runs/create", experiment_id=place, start_time=began, run_name=name, tags=tag_list(named)
        )
        return dict(created["run"]["info"])

    def _batch(self, run_id: str, params: Mapping[str, str], metrics: list[dict[str, Any]]) -> None:
        listed = [{"key": key, "value": value[:CHARACTERS]} for key, value in allowed(params).items()]
        for some in zip_longest(in_parts(listed, PARAMS), in_parts(metrics, METRICS)):
            self.api.post("runs/log-batch", run_id=run_id, params=some[0] or [], metrics=some[1] or [])

    def _trials(self, place: str, parent: str, run: TrackedRun) -> None:
        """A nested run for each trial."""
        wanted = f"tags.`mlflow.parentRunId` = '{parent}'"
        pages = self.api.pages("POST", "runs/search", "runs", experiment_ids=[place], filter=wanted)
        nested = {
            tag["value"]: each["info"] for each in pages for tag in each["data"]["tags"] if tag["key"] == ID
        }
        for trial in run.trials:
            trial_id, name = f"{run.id}-{trial.number}", f"{run.name}, trial {trial.number}"
            tags = {"mlflow.parentRunId": parent, "incumbent.pruned": str(trial.pruned).lower()}
            logged = nested.get(trial_id) or self._create(place, trial_id, name, run.began, tags)
            if logged["status"] == "FINISHED":
                continue
            params = {name: _text(value) for name, value in trial.options.items()}
            self._batch(logged["run_id"], params, _curve(trial, run.metric, run.ended))
            self._finish(logged["run_id"], run.ended)

    def _finish(self, run_id: str, ended: int) -> None:
        self.api.post("runs/update", run_id=run_id, status="FINISHED", end_time=ended)

    def _upload(self, artifacts: str, name: str, body: bytes) -> None:
        """Where the server keeps a run's files: behind itself, or on S3."""
        address = urlsplit(artifacts)
        if address.scheme == "mlflow-artifacts":
            self.api.upload(quote(f"{address.path.strip('/')}/{name}"), body)
        elif address.scheme == "s3":
            from incumbent.storage.s3.address import open_store

            open_store(artifacts).put(name, body)


def open_mlflow(environment: Mapping[str, str]) -> MLflow:
    """The sink that MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME name. Raises BadParams."""
    return MLflow(open_api(environment), environment.get("MLFLOW_EXPERIMENT_NAME") or None)


def _figures(metrics: Mapping[str, float], at: int) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": value, "timestamp": at, "step": 0} for key, value in allowed(metrics).items()
    ]


def _curve(trial: Trial, metric: str, at: int) -> list[dict[str, Any]]:
    """The curve by rounds, and the result."""
    points = [
        {"key": f"cv/curve/{metric}", "value": value, "timestamp": at, "step": rounds}
        for rounds, value in trial.curve
    ]
    return [*points, *_figures({f"cv/{metric}": trial.score, "rounds": trial.rounds}, at)]


def _input(dataset: Dataset) -> dict[str, Any]:
    """The data version as MLflow's dataset; its source is the git commit that points to it."""
    source = {"tags": {"mlflow.source.git.commit": dataset.rev}}
    columns = [{"type": kind, "name": name, "required": False} for name, kind in dataset.columns.items()]
    return {
        "tags": [{"key": "mlflow.data.context", "value": "training"}],
        "dataset": {
            "name": dataset.name,
            "digest": dataset.digest[:36],
            "source_type": "code",
            "source": json.dumps(source),
            "schema": json.dumps({"mlflow_colspec": columns}, ensure_ascii=False)[:60_000],
            "profile": json.dumps({"num_partitions": dataset.partitions}),
        },
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
