"""Partitions on probation: tell people of them, and end a probation by a person's word."""

from dataclasses import replace
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.errors import BadInput
from incumbent.gate import GateReport
from incumbent.gate.probation import Suspension, how_to_release, settle, suspicions_of
from incumbent.gate.suites import load_suites
from incumbent.gate.version import gate_version
from incumbent.params import Params, load_params
from incumbent.storage.dataset.arrivals import catch_up, commit_documents
from incumbent.storage.dataset.git import last_change
from incumbent.storage.dataset.history import history_documents
from incumbent.storage.dataset.probation import changing, digest_in, record_at, released_by_a_person
from incumbent.storage.dataset.versions import VERSIONED, fetch, resolve
from incumbent.storage.registry.identity import require_own_model
from incumbent.storage.s3.documents import now
from incumbent.tables.partitions import DataVersion, Diff
from tasks import artifacts
from tasks.announcement import Version
from tasks.events import emit
from tasks.flow_run import name_flow_run
from tasks.step import enter_to_commit, retried


@retried
def announce_probation(project: Path, report: GateReport, version: Version) -> None:
    """Log it, show it in the UI, and emit dataset.on-probation, once for each version."""
    dataset = load_params(project).dataset.name
    sentences, names = how_to_release(report), report.on_probation
    for sentence in sentences:
        get_run_logger().warning("%s", sentence)
    artifacts.show_probation(sentences)
    emit(
        project,
        "dataset.on-probation",
        f"incumbent.dataset.{dataset}",
        dataset,
        once=f"{version.data.rev} {' '.join(names)}",
        payload={
            "rev": version.data.rev,
            "name": version.data.short,
            "partitions": list(names),
            "reasons": [f"{name}: {each}" for name in names for each in suspicions_of(report, name)],
        },
    )


@task(cache_policy=NO_CACHE)
def end_probation(project: Path, partition: str, reason: str) -> Version:
    """Commit that a person released the partition, and why; returns the data version that this makes.

    One that was released before stays so: a release that died before its event can be repeated. Raises
    NotFound if it is not in the data, BadInput if it is not suspicious.
    """
    enter_to_commit(project)
    project = project.resolve()
    params = load_params(project)
    require_own_model(params, project)
    name_flow_run(f"release {partition}", [f"model:{params.dataset.name}"])
    catch_up(project)
    version, record = resolve(project), record_at(project)
    md5 = digest_in(version, partition)
    entry = record.get(partition)
    if entry is None or entry.md5 != md5:
        entry = _judged_now(project, version, partition, params)
    if entry.released is None:
        released = replace(entry, released=released_by_a_person(project, reason))
        message = f"Release {partition}\n\n{reason}"
        documents = {
            **changing(project, {partition: released}),
            **history_documents(project, params, version, {**record, partition: released}),
        }
        commit_documents(project, documents, message, {partition: md5})
    else:
        get_run_logger().info("%s was released before: %s", partition, entry.released)
    rev = last_change(project, "HEAD", *VERSIONED) or "HEAD"
    return Version(resolve(project, rev), Diff())


def _judged_now(project: Path, version: DataVersion, partition: str, params: Params) -> Suspension:
    """Why a partition that came without `ingest` is on probation, as a run judges it."""
    [path] = fetch(project, version, [partition])
    report = gate_version([(partition, path)], load_suites(project / "expectations"), params)
    _, changes = settle(report, {}, version.digests, now())
    entry = changes.get(partition)
    if entry is None:
        raise BadInput(f"{partition} is not on probation; nothing to release")
    return entry
