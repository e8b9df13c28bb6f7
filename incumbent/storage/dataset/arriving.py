"""The partitions of a file: split from it, joined with the rows already there, never losing rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyarrow.parquet import ParquetFile

from incumbent.gate import Finding, GateReport
from incumbent.gate.check import column_findings, fits
from incumbent.gate.profile import Profile
from incumbent.gate.sift import Aside
from incumbent.params import Params
from incumbent.storage.dataset.landing import Landed
from incumbent.storage.dataset.versions import fetch, resolve_or_empty
from incumbent.tables.late_rows import append_rows
from incumbent.tables.periods import partition_by, zone_of
from incumbent.tables.sources import Source, read_source

NOT_YET = GateReport(0, ())


@dataclass(frozen=True)
class ArrivingFile:
    """One file: its partitions as Parquet, what the gate reported, and its landed object, if any.

    `aside` holds the rows set aside from its partitions; `replacing` (name, md5): what each partition that it
    replaces must still have when it is added; profiles: of each partition, by name.
    """

    source: Source
    landed: Landed | None
    partitions: tuple[Path, ...] = ()
    report: GateReport = NOT_YET
    aside: tuple[Aside, ...] = ()
    replacing: tuple[tuple[str, str], ...] = ()
    profiles: tuple[tuple[str, Profile], ...] = ()

    @property
    def name(self) -> str:
        return self.source.file_name

    def partition(self, name: str) -> Path | None:
        """Its partition of this name, if there is one."""
        return next((path for path in self.partitions if path.name == name), None)


def read_partitions(
    file: ArrivingFile, folder: Path, params: Params, log: Callable[[str], None]
) -> ArrivingFile:
    """Split a file into partitions: one of its own name, or one per month or day, by landing.partition.

    `log` gets a sentence for each column that is not read as it is written.
    """
    whole = folder / f"{file.source.name}.parquet"
    for note in read_source(file.source, whole, params.dataset):
        log(f"{file.source.place}: column '{note.column}': {note.text}")
    landing, time = params.landing, params.dataset.time
    if landing.partition == "file" or time is None:
        return replace(file, partitions=(whole,))
    parts = partition_by(whole, folder / "by", time, landing.partition, landing.zone)
    return replace(file, partitions=tuple(parts))


def with_rows_before(
    file: ArrivingFile, folder: Path, project: Path, params: Params, arrived: Mapping[str, Path]
) -> ArrivingFile:
    """With landing.late: append, join its partitions with the rows that are already there.

    Those are rows of the current version, or of partitions in `arrived`, from files before it. A partition
    that lacks a column or has one of another kind is not joined, for the gate to block.
    """
    if params.landing.late != "append":
        return file
    version = resolve_or_empty(project)
    known = version.digests
    joined, replacing = [], []
    for path in file.partitions:
        before = arrived.get(path.name)
        if before is None and path.name in known:
            replacing.append((path.name, known[path.name]))
            [before] = fetch(project, version, [path.name])
        if before is not None and fits(column_findings(path.name, path, params.dataset)):
            append_rows(before, path, folder / "joined" / path.name, params.dataset.key)
            path = folder / "joined" / path.name
        joined.append(path)
    return replace(file, partitions=tuple(joined), replacing=tuple(replacing))


def require_whole(
    file: ArrivingFile, arrived: Mapping[str, ArrivingFile], project: Path, params: Params
) -> ArrivingFile:
    """Block a file that would replace rows it does not hold: of another file, or of its own period."""
    if params.landing.late == "append":
        return file
    reasons = (_lost_rows(path, file, arrived, project, params) for path in file.partitions)
    if (reason := next(filter(None, reasons), None)) is None:
        return file
    refused = Finding(file.name, "its partitions must be whole", "critical", False, reason)
    return replace(file, report=GateReport.of([file.report, GateReport(0, (refused,))]))


def _lost_rows(
    path: Path, file: ArrivingFile, arrived: Mapping[str, ArrivingFile], project: Path, params: Params
) -> str | None:
    """Why this partition must not replace another; None if it may."""
    if path.name in arrived:
        return (
            f"{path.name} comes from {arrived[path.name].name} too; one file for each partition of an arrival"
        )
    period = params.landing.partition
    if period == "file":
        return None
    version = resolve_or_empty(project)
    if path.name not in {partition.name for partition in version.partitions}:
        return None
    [present] = fetch(project, version, [path.name])
    had, has = (ParquetFile(each).metadata.num_rows for each in (present, path))
    has += sum(aside.rows for aside in file.aside if aside.path.name == path.name)
    if has >= had:
        return None
    return (
        f"{path.name} has {had:,} rows and would have {has:,}; with landing.partition: {period} a file holds "
        f"all rows of its {period}{_midnight(path, params)}; if these are late rows, landing.late: append "
        "adds them"
    )


def _midnight(path: Path, params: Params) -> str:
    zone = params.landing.zone or zone_of(path, str(params.dataset.time))
    return f", which begins at midnight in {zone} (landing.zone)" if zone else ""
