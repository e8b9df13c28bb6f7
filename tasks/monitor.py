"""Late labels joined with the champion's logged predictions: is the champion still as good as promised?"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import get_run_logger

from incumbent.errors import BadInput
from incumbent.evaluation.feedback import Health, examine
from incumbent.evaluation.label_files import count_corrections, require_one_label_a_key, usable_labels
from incumbent.evaluation.watch import Watch, watch_at
from incumbent.features.schema import Schema
from incumbent.models.reference import FILE as REFERENCE
from incumbent.models.reference import Reference
from incumbent.params import Params, load_params
from incumbent.storage.dataset.probation import accepted
from incumbent.storage.dataset.versions import fetch, resolve
from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.identity import require_own_model
from incumbent.storage.registry.registry import Registry, open_registry
from incumbent.storage.registry.verdicts import no_champion
from incumbent.storage.serving.model_cache import load_model, pull_cached
from incumbent.storage.serving.new_feedback import feedback_digest, note_monitored
from incumbent.storage.serving.prediction_log import open_feedback
from incumbent.tables.convert import to_parquet
from incumbent.tables.parquet import read_partition
from incumbent.tables.partitions import difference
from incumbent.tables.split import text_of
from tasks import artifacts
from tasks.events import emit
from tasks.flow_run import name_flow_run
from tasks.step import enter, enter_to_commit, retried


@dataclass(frozen=True)
class KeptLabels:
    """Tables of key and target; `corrected` labels differ from earlier ones, `unknown` ones have a class that
    the champion does not know."""

    tables: tuple[pd.DataFrame, ...]
    corrected: int
    unknown: int

    @property
    def rows(self) -> int:
        return sum(len(table.drop_duplicates()) for table in self.tables)

    @property
    def summary(self) -> list[str]:
        lines = [f"{self.rows:,} labels kept"]
        if self.corrected:
            lines.append(
                f"{self.corrected:,} of them differ from labels that arrived before: the new ones count"
            )
        if self.unknown:
            lines.append(
                f"{self.unknown:,} of them are of classes that the champion does not know: not judged"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        counts = {"rows": self.rows, "corrected": self.corrected, "unknown": self.unknown}
        return {**counts, "summary": self.summary}


@retried
def keep_labels(project: Path, files: Sequence[Path]) -> KeptLabels:
    """Store key and target of these files in the registry, for this and later runs.

    All of them or none: labels that can't be used or contradict each other are refused. A label that differs
    from one that arrived before is a correction.
    """
    enter_to_commit(project)  # rows of the data may get their label
    project = project.resolve()
    params = load_params(project)
    require_own_model(params, project)
    feedback = open_feedback(params)
    key, target = params.dataset.key, params.dataset.target
    if not key:
        raise BadInput("dataset.key names no column in params.yaml; a label finds its row by the key")
    schema, classes = _target(project, params)
    tables = [usable_labels(_read(file, params), file, key, schema, classes) for file in files]
    require_one_label_a_key(tables, key, target)
    corrected = count_corrections(tables, feedback.labels(params.monitor.days), key, target)
    for table in tables:
        feedback.keep_labels(table)
    unknown = sum(len(table) - len(schema.of_known_class(table)) for table in tables) if schema.classes else 0
    return KeptLabels(tuple(tables), corrected, unknown)


def _read(file: Path, params: Params) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "labels.parquet"
        to_parquet(file, copy, params.dataset)
        return read_partition(copy)


def _target(project: Path, params: Params) -> tuple[Schema, list[Any]]:
    """The target as the champion learned it, else as params.yaml declares it; and its declared values."""
    dataset, registry = params.dataset, open_registry(params, project)
    champion = registry.champion()
    if champion is None:
        classes = tuple(text_of(each) for each in dataset.classes) if params.task == "multiclass" else ()
        return Schema((), dataset.target, dataset.positive, params.task, classes), list(dataset.classes)
    schema = load_model(project, registry, champion.version).schema
    return schema, list(dataset.classes) or _values(project, registry, champion.version, schema)


def _values(project: Path, registry: Registry, version: str, schema: Schema) -> list[Any]:
    """The values of a binary target in the version's sample of history; empty if it has none."""
    from incumbent.challenger import REPLAY

    sample = pd.read_parquet(pull_cached(project, registry, version)[0] / REPLAY)
    return list(sample[schema.target].dropna().unique()) if schema.task == "binary" and len(sample) else []


def _champion(registry: Registry) -> Champion:
    champion = registry.champion()
    if champion is None:
        raise no_champion(registry)
    return champion


def _watch(champion: Champion, params: Params) -> Watch:
    since = datetime.fromisoformat(champion.at).astimezone(UTC).date()
    return watch_at(datetime.now(UTC).date(), since, params.monitor.days, params.promotion.confidence)


@retried
def join_labels(project: Path) -> Health:
    """The champion's predictions of the present watch against the labels that it did not learn from."""
    enter(project)
    project = project.resolve()
    params = load_params(project)
    require_own_model(params, project)
    registry, feedback = open_registry(params, project), open_feedback(params)
    champion = _champion(registry)
    version, watch = champion.version, _watch(champion, params)
    name_flow_run(f"monitor {version}", [f"model:{registry.model}"])
    digest = feedback_digest(project, params)
    manifest = registry.manifest(version)
    logged = feedback.predictions(version, watch.days)
    labels = []
    if not logged.empty:
        known = manifest["data"]["partitions"]
        labels = [*_labels_in_the_data(project, known, params), *feedback.labels(watch.days)]
    model = load_model(project, registry, version)
    reference = Reference.load(pull_cached(project, registry, version)[0] / REFERENCE)
    health = examine(model, logged, labels, manifest["metrics"], params, watch.confidence, reference)
    note_monitored(project, digest)
    return health


@retried
def report(project: Path, health: Health) -> None:
    """Log and store the health; when the champion has decayed, emit one event for these figures."""
    params = load_params(project)
    (get_run_logger().warning if health.decayed else get_run_logger().info)("%s", health.reason)
    worse = health.estimated is not None and health.estimated.worse
    (get_run_logger().warning if worse else get_run_logger().info)("%s", health.estimate_reason)
    artifacts.show_health(health)
    if health.live is None and health.estimated is None:
        return
    open_feedback(params).keep_verdict(health.version, health.to_json())
    if health.live is not None and health.decayed:
        name = params.dataset.name
        once = f"{health.version} {health.labelled} {asdict(health.live)}"
        resource = f"incumbent.model.{name}"
        emit(project, "model.decayed", resource, name, once=once, payload=health.to_json())


def _labels_in_the_data(project: Path, known: dict[str, str], params: Params) -> list[pd.DataFrame]:
    """Keys and targets of partitions that the champion did not learn from, in their order.

    Not of those on probation: their labels may be what is wrong.
    """
    version = resolve(project)
    trusted = accepted(project, version)
    names = [name for name in difference(known, version.partitions).fresh if name in trusted]
    columns = [*params.dataset.key, params.dataset.target]
    return [read_partition(path, columns) for path in fetch(project, version, names)]
