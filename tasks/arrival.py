"""New files: take them, gate them, make them a version, announce it, and clear the landing prefix."""

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.errors import BadData
from incumbent.gate import QUARANTINE, Finding, GateReport, Verdict
from incumbent.gate.probation import Changes, applied, for_a_person, released_too, settle
from incumbent.gate.profile import profile
from incumbent.gate.sift import sift
from incumbent.gate.suites import load_suites
from incumbent.params import Params, load_params
from incumbent.storage.dataset.arrivals import add_partitions, catch_up
from incumbent.storage.dataset.arriving import ArrivingFile, read_partitions, require_whole, with_rows_before
from incumbent.storage.dataset.history import Past, Profiled, history_documents, past_of
from incumbent.storage.dataset.key_check import KeyCheck, keys_in_data
from incumbent.storage.dataset.landing import open_landing
from incumbent.storage.dataset.probation import changing, record_at
from incumbent.storage.dataset.quarantine import open_quarantine
from incumbent.storage.dataset.versions import PROBATION, resolve_or_empty
from incumbent.storage.registry.identity import register_project
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.s3.documents import now
from incumbent.tables.partitions import Diff, Partition, difference, digest_of
from incumbent.tables.sources import Source, sources_of
from tasks import artifacts
from tasks.announcement import Version
from tasks.flow_run import name_flow_run
from tasks.gate import keep_gate
from tasks.record import record
from tasks.runs import Run
from tasks.step import enter_to_commit, retried


@dataclass(frozen=True)
class Arrival:
    """Files that arrived together; `folder` holds their partitions until these are a version.

    `probations`: which partitions they put on probation or release.
    """

    project: Path
    folder: Path
    files: tuple[ArrivingFile, ...]
    probations: Changes = field(default_factory=dict)

    @cached_property
    def params(self) -> Params:
        return load_params(self.project)

    @property
    def partitions(self) -> list[Path]:
        """The partitions of all files; where two files add to one partition, the last has all the rows."""
        return [*{path.name: path for file in self.files for path in file.partitions}.values()]

    @property
    def report(self) -> GateReport:
        """The gate's report on all files together."""
        return GateReport.of(file.report for file in self.files)


@task(cache_policy=NO_CACHE)
def take(project: Path, files: Sequence[Path] | None) -> Arrival:
    """Collect the given files, also in folders, or copy those that wait in the landing prefix."""
    enter_to_commit(project)
    project = project.resolve()
    params = load_params(project)
    folder = project / ".incumbent" / "arrivals" / uuid.uuid4().hex[:8]
    landing = open_landing(params)
    if files is not None or landing is not None:
        register_project(params, project)
    if files is not None:
        taken = [ArrivingFile(source, None) for file in files for source in sources_of(file)]
    elif landing is not None:
        taken = [
            ArrivingFile(Source(landed.path, PurePosixPath(landed.key)), landed)
            for landed in landing.take(folder)
        ]
    else:
        taken = []
    if taken:
        names = ", ".join(file.name for file in taken)
        name_flow_run(f"ingest {names}"[:200], [f"model:{params.dataset.name}"])
    else:
        get_run_logger().info(
            "nothing waits at %s", landing.address if landing else "landing.address: not set"
        )
    return Arrival(project, folder, tuple(taken))


@task(cache_policy=NO_CACHE)
def inspect(arrival: Arrival) -> tuple[Arrival, Arrival]:
    """Make partitions of the files and gate them before they become a version; return passed and blocked."""
    suites = load_suites(arrival.project / "expectations")
    if arrival.params.landing.late == "append":
        catch_up(arrival.project)
    keys = keys_in_data(arrival.project, suites, arrival.params.dataset)
    past = past_of(arrival.project, arrival.params, resolve_or_empty(arrival.project), suites)
    inspected: list[ArrivingFile] = []
    passed: dict[str, ArrivingFile] = {}
    for number, file in enumerate(arrival.files):
        judged, keys_if_passed, past_if_passed = _inspect_file(file, number, arrival, past, keys, passed)
        judged = require_whole(judged, passed, arrival.project, arrival.params)
        if judged.report.verdict is not Verdict.BLOCK:
            passed |= dict.fromkeys((path.name for path in judged.partitions), judged)
            keys, past = keys_if_passed, past_if_passed
        inspected.append(judged)
    blocked = [file for file in inspected if file.report.verdict is Verdict.BLOCK]
    good = replace(arrival, files=tuple(file for file in inspected if file not in blocked))
    good = _on_probation(good)
    # What is in quarantine is not on probation.
    warned = (replace(file, report=file.report.treating_suspicions("warn")) for file in blocked)
    bad = replace(arrival, files=tuple(warned))
    artifacts.show_gate(GateReport.of([good.report, bad.report]))
    return good, bad


def _on_probation(good: Arrival) -> Arrival:
    """Put suspicious partitions on probation; one that shows the same as another releases that one."""
    if not good.report.on_probation and not (good.project / PROBATION).exists():
        return good
    catch_up(good.project)
    record, before = record_at(good.project), resolve_or_empty(good.project).digests
    arrived = {path.name: digest_of(path) for path in good.partitions}
    excused, changes = settle(good.report, record, before | arrived, now(), arrived)
    files = tuple(replace(file, report=file.report.excusing(excused)) for file in good.files)
    return replace(good, files=files, probations=changes)


@task(cache_policy=NO_CACHE)
def quarantine_blocked(bad: Arrival) -> dict[str, Any]:
    """Store the files and reasons in quarantine, and record the decision as a run of its own."""
    names = [file.name for file in bad.files]
    about = {"blocked": names, "started_by": "ingest"}
    seq = open_registry(bad.params, bad.project).start_run(about)
    for file in bad.files:
        open_quarantine(bad.params).keep(file.source, file.report.reasons, seq)
    run = Run(
        bad.project, seq, resolve_or_empty(bad.project), Diff(added=tuple(names)), None, "auto", "by hand"
    )
    keep_gate(run, bad.report)
    return {**record(run, "block", bad.report.reasons), "blocked": names}


@task(cache_policy=NO_CACHE)
def set_aside(good: Arrival) -> list[str]:
    """Store rows that expectations set aside, before the rest becomes a version; returns the entries."""
    quarantine = open_quarantine(good.params)
    entries = []
    for file in good.files:
        rest = {path.name: path for path in file.partitions}
        for aside in file.aside:
            name = aside.path.name
            refusing = (f for f in file.report.failed if (f.partition, f.severity) == (name, QUARANTINE))
            entries.append(quarantine.keep_rows(aside.path, aside.rows, rest[name], list(map(str, refusing))))
    return entries


@task(cache_policy=NO_CACHE)
def add(good: Arrival) -> Version:
    """Add the partitions as a new version, in DVC and git, and push both."""
    before = resolve_or_empty(good.project).digests
    arrived = [Partition(path.name, digest_of(path)) for path in good.partitions]
    replacing = dict(each for file in good.files for each in file.replacing)
    documents = {**changing(good.project, good.probations), **_history_after(good)}
    version = add_partitions(good.project, good.partitions, replacing, documents)
    get_run_logger().info("data version %s (%s)", version.short, version.rev[:10])
    return Version(version, replace(difference(before, arrived), removed=()))


def _history_after(good: Arrival) -> dict[str, str]:
    """The gate's history with what arrived."""
    params, profiles = good.params, {name: each for file in good.files for name, each in file.profiles}
    arrived = {
        path.name: Profiled.of(
            path, profiles.get(path.name) or profile(path, params.dataset, params.task, params.clean)
        )
        for path in good.partitions
    }
    record = applied(record_at(good.project), good.probations)
    return history_documents(good.project, params, resolve_or_empty(good.project), record, arrived)


def summary(
    good: Arrival, version: Version | None, blocked: dict[str, Any] | None, quarantined: Sequence[str] = ()
) -> dict[str, Any]:
    """What `incumbent ingest --json` prints: for blocked files also the document of their decision."""
    if blocked is not None and version is None:
        return blocked
    return {
        "verdict": good.report.verdict.value if good.files else "nothing",
        "reasons": list(good.report.reasons),
        "data": version.to_json() if version else None,
        "on_probation": list(good.report.on_probation),
        "for_a_person": list(for_a_person(good.report)),
        "released": list(released_too(good.probations, [path.name for path in good.partitions])),
        "unlabelled": good.report.unlabelled,
        "quarantined": list(quarantined),
        "blocked": blocked["blocked"] if blocked else [],
        "decision": blocked["decision"] if blocked else None,
        "run": blocked["run"] if blocked else None,
    }


@retried
def clear(arrival: Arrival) -> None:
    """Remove the files from the landing prefix, now that each is in a version or in quarantine."""
    landing = open_landing(arrival.params)
    for file in arrival.files:
        if landing is not None and file.landed is not None and not landing.clear(file.landed):
            get_run_logger().warning("%s was overwritten meanwhile; it stays", file.landed.key)
    shutil.rmtree(arrival.folder, ignore_errors=True)


def _inspect_file(
    file: ArrivingFile,
    number: int,
    arrival: Arrival,
    past: Past,
    keys: KeyCheck,
    passed: Mapping[str, ArrivingFile],
) -> tuple[ArrivingFile, KeyCheck, Past]:
    """The file with the gate's report on it; the keys in the data, and the past, if it passes.

    passed: the files that passed before it, by the names of their partitions.
    """
    try:
        folder = arrival.folder / f"made-{number:06d}"
        alone = read_partitions(file, folder, arrival.params, get_run_logger().info)
        arrived = {name: path for name, each in passed.items() if (path := each.partition(name))}
        read = with_rows_before(alone, folder, arrival.project, arrival.params, arrived)
        extended = keys.without(read.partitions)
        sifted = []
        for path in read.partitions:
            done = sift(path.name, path, folder, past.suites, arrival.params, extended.judge, past.recent)
            sifted.append(done)
            extended.add(done.partition)
            if done.profile is not None and not done.report.on_probation:
                past = past.after(path.name, done.partition, done.profile)
    except BadData as error:
        if file.landed is None:  # given by hand: the caller reads the error
            shutil.rmtree(arrival.folder, ignore_errors=True)
            raise
        unreadable = Finding(file.name, "it must be a table", "critical", False, str(error))
        return replace(file, report=GateReport(0, (unreadable,))), keys, past
    judged = replace(
        read,
        partitions=tuple(each.partition for each in sifted),
        aside=tuple(each.aside for each in sifted if each.aside),
        report=GateReport.of(each.report for each in sifted),
        profiles=tuple((each.partition.name, each.profile) for each in sifted if each.profile),
    )
    return judged, extended, past
