"""Release from quarantine: a refused file, or refused rows back into their partition."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.errors import BadInput
from incumbent.gate.labels import judge_labels
from incumbent.gate.probation import Changes
from incumbent.gate.sift import put_back, was_put_back
from incumbent.params import Params
from incumbent.storage.dataset.arrivals import catch_up
from incumbent.storage.dataset.arriving import ArrivingFile, read_partitions, with_rows_before
from incumbent.storage.dataset.probation import record_at
from incumbent.storage.dataset.quarantine import open_quarantine
from incumbent.storage.dataset.versions import fetch, resolve_or_empty
from incumbent.storage.registry.identity import require_own_model
from incumbent.tables.partitions import digest_of
from tasks.announcement import Version
from tasks.arrival import Arrival
from tasks.flow_run import name_flow_run
from tasks.step import enter_to_commit


@task(cache_policy=NO_CACHE)
def recover(project: Path, entry: str, folder: Path) -> Arrival:
    """A file from quarantine as partitions, or rows in the partition that they came with.

    Raises NotFound, BadData, and BadInput if it was released before or the partition changed since.
    """
    enter_to_commit(project)
    arrival = Arrival(project.resolve(), folder, ())
    require_own_model(arrival.params, arrival.project)
    quarantine = open_quarantine(arrival.params)
    about = quarantine.require_held(entry)
    file = ArrivingFile(quarantine.fetch(entry, folder), None)
    name_flow_run(f"release {file.name}", [f"model:{arrival.params.dataset.name}"])
    catch_up(arrival.project)
    whole = _rejoined(file, about, arrival) if about["kind"] == "rows" else _read(file, arrival)
    _require_usable(whole.partitions, arrival.params)
    return replace(arrival, files=(whole,), probations=_still_on_probation(whole, about, arrival))


@task(cache_policy=NO_CACHE)
def settle(released: Arrival, entry: str, reason: str, version: Version) -> None:
    """Record with the entry who released it, why, and which revision holds it."""
    held_by = [digest_of(path) for path in released.partitions]
    open_quarantine(released.params).mark_released(entry, reason, version.data.rev, held_by)


@task(cache_policy=NO_CACHE)
def close(released: Arrival, entry: str) -> None:
    """Record with the entry that the event was sent; it can't be released again."""
    open_quarantine(released.params).mark_announced(entry)


def _require_usable(partitions: Sequence[Path], params: Params) -> None:
    """Raises BadInput for labels that no model can learn from: every later run would leave them out."""
    for path in partitions:
        for finding in judge_labels(path.name, path, params).failed:
            if finding.final:
                raise BadInput(f"{finding}; it can't be released as it is")


def _read(file: ArrivingFile, arrival: Arrival) -> ArrivingFile:
    """The file's partitions, as if it arrived now."""
    folder = arrival.folder / "made"
    alone = read_partitions(file, folder, arrival.params, get_run_logger().info)
    return with_rows_before(alone, folder, arrival.project, arrival.params, {})


def _still_on_probation(whole: ArrivingFile, about: dict[str, Any], arrival: Arrival) -> Changes:
    """Rows that come back release nothing else of their partition; a released file is released as a whole."""
    if about["kind"] != "rows":
        return {}
    record = record_at(arrival.project)
    digests = {path.name: digest_of(path) for path in whole.partitions}
    return {
        name: replace(record[name], md5=digests[name])
        for name, md5 in whole.replacing
        if name in record and record[name].md5 == md5
    }


def _rejoined(file: ArrivingFile, about: dict[str, Any], arrival: Arrival) -> ArrivingFile:
    """The partition as it is now, with the rows at its end."""
    name, entry = about["partition"], about["entry"]
    version = resolve_or_empty(arrival.project)
    md5 = version.digests.get(name)
    if md5 is None:
        raise BadInput(
            f"'{entry}' holds rows of {name}, which is not in the data (any more); nothing to join"
        )
    [partition] = fetch(arrival.project, version, [name])
    whole = arrival.folder / "made" / name
    if md5 == about["md5"]:
        put_back(partition, file.source.path, whole)
    elif was_put_back(partition, file.source.path):  # by a release that died before it recorded that
        whole.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(partition, whole)
    else:
        raise BadInput(
            f"'{entry}' holds rows of {name} when it had md5 {about['md5']}; it was replaced since by {md5}. "
            "Correct the rows and let the whole partition arrive again"
        )
    return replace(file, partitions=(whole,), replacing=((name, md5),))
