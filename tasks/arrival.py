"""New files: look at them, gate them, make them a version, and tell."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.dataset import DataVersion, Diff, Partition
from incumbent.errors import BadInput
from incumbent.gate import GateReport, gate, load_suites
from incumbent.params import load_params
from incumbent.rows import read_partition
from incumbent.storage.registry import open_registry
from incumbent.storage.versions import add_partitions, digest_of, resolve_or_empty
from tasks import artifacts
from tasks.data import keep_gate, name_flow_run
from tasks.events import emit
from tasks.record import record
from tasks.runs import Run
from tasks.step import is_outage, without_tracebacks


@task(cache_policy=NO_CACHE)
def receive(project: Path, files: Sequence[Path]) -> Run:
    """What would the data be with these files? Raises BadData or BadInput when one can't be read."""
    without_tracebacks()
    params = load_params(project)
    if not files:
        raise BadInput("no files given; name one or more Parquet files")
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        raise BadInput(f"two of the files have one name: {sorted(names)}; a partition is known by its name")
    before = resolve_or_empty(project)
    arrived = [Partition(file.name, digest_of(file)) for file in files]
    known = {partition.name: partition.md5 for partition in before.partitions}
    diff = Diff(
        added=tuple(p.name for p in arrived if p.name not in known),
        changed=tuple(p.name for p in arrived if known.get(p.name, p.md5) != p.md5),
    )
    name_flow_run(f"ingest {', '.join(names)}", [f"model:{params.dataset.name}"])
    return Run(project, None, before, diff, None, "auto", "by hand")


@task(cache_policy=NO_CACHE)
def inspect(run: Run, files: Sequence[Path]) -> GateReport:
    """Gate the files before they become a version."""
    frames = [(file.name, read_partition(file)) for file in files]
    report = gate(frames, load_suites(run.project / "expectations"), run.params.dataset)
    artifacts.show_gate(report)
    return report


@task(cache_policy=NO_CACHE)
def turn_away(run: Run, report: GateReport) -> dict[str, Any]:
    """Keep the reason with a run of its own; the data stay as they were."""
    about = {"data": run.data.to_json(), "blocked": list(run.diff.fresh), "started_by": "ingest"}
    numbered = replace(run, seq=open_registry(run.params, run.project).start_run(about))
    keep_gate(numbered, report)
    return record(numbered, "block", report.reasons)


@task(cache_policy=NO_CACHE)
def add(run: Run, files: Sequence[Path]) -> DataVersion:
    """Make the files partitions of a new version: DVC, git, both pushed."""
    version = add_partitions(run.project, files)
    get_run_logger().info("data version %s (%s)", version.short, version.rev[:10])
    return version


@task(retries=3, retry_delay_seconds=[2, 10, 60], retry_condition_fn=is_outage, cache_policy=NO_CACHE)
def announce(run: Run, version: DataVersion) -> None:
    """Emit dataset.version.created; the same version twice is one event."""
    name = run.params.dataset.name
    payload = {"rev": version.rev, "md5": version.md5, "name": version.short, **run.diff.to_json()}
    emit("dataset.version.created", f"incumbent.dataset.{name}", name, once=version.rev, payload=payload)
