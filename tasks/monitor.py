"""Labels that came late, the champion's logged predictions, and what the two say together."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.dataset import difference
from incumbent.errors import BadData, NotFound
from incumbent.feedback import Health, examine
from incumbent.params import Params, load_params
from incumbent.reading import to_parquet
from incumbent.rows import read_partition
from incumbent.storage.feedback import open_feedback
from incumbent.storage.model_cache import load_model
from incumbent.storage.registry import open_registry
from incumbent.storage.versions import fetch, resolve
from tasks import artifacts
from tasks.data import name_flow_run
from tasks.events import emit
from tasks.step import is_outage, without_tracebacks


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=is_outage, cache_policy=NO_CACHE)
def keep_labels(project: Path, files: Sequence[Path]) -> None:
    """Keep key and target of these files in the registry, where every later look finds them."""
    without_tracebacks()
    params = load_params(project)
    columns = [*params.dataset.key, params.dataset.target]
    read = []
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            copy = Path(folder) / f"{number}.parquet"
            to_parquet(file, copy, params.dataset)
            frame = read_partition(copy)
            if absent := [name for name in columns if name not in frame]:
                raise BadData(f"{file} lacks {absent}; labels are the columns {columns}")
            read.append(frame[columns])
    for labels in read:  # none is kept unless all can be read
        open_feedback(params).keep_labels(labels)


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=is_outage, cache_policy=NO_CACHE)
def join_labels(project: Path) -> Health:
    """The champion's predictions of the last monitor.days against the labels that it did not learn from."""
    without_tracebacks()
    project = project.resolve()
    params = load_params(project)
    registry, feedback = open_registry(params, project), open_feedback(params)
    office = registry.champion()
    if office is None:
        raise NotFound(f"model '{registry.model}' has no champion yet; train one with 'incumbent retrain'")
    name_flow_run(f"monitor {office.version}", [f"model:{registry.model}"])
    manifest = registry.manifest(office.version)
    logged = feedback.predictions(office.version, params.monitor.days)
    labels = []
    if not logged.empty:
        known = manifest["data"]["partitions"]
        labels = [*_labels_in_the_data(project, known, params), *feedback.labels(params.monitor.days)]
    schema = load_model(project, registry, office.version).schema
    return examine(office.version, schema, logged, labels, manifest["metrics"], params)


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=is_outage, cache_policy=NO_CACHE)
def report(project: Path, health: Health) -> None:
    """Say it, keep it, and when the champion has decayed tell everybody, once for the same figures."""
    params = load_params(project)
    (get_run_logger().warning if health.decayed else get_run_logger().info)("%s", health.reason)
    artifacts.show_health(health)
    if health.live is None:
        return
    open_feedback(params).keep_verdict(health.version, health.to_json())
    if health.decayed:
        name = params.dataset.name
        once = f"{health.version} {health.labelled} {asdict(health.live)}"
        emit("model.decayed", f"incumbent.model.{name}", name, once=once, payload=health.to_json())


def _labels_in_the_data(project: Path, known: dict[str, str], params: Params) -> list[pd.DataFrame]:
    """Keys and targets of partitions that the champion did not learn from, in their order."""
    version = resolve(project)
    names = difference(known, version.partitions).fresh
    columns = [*params.dataset.key, params.dataset.target]
    return [read_partition(path, columns) for path in fetch(project, version, names)]
