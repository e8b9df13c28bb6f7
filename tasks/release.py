"""What somebody lets out of quarantine: a refused file, or refused rows in their partition."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from incumbent.errors import BadInput
from incumbent.gate.sift import put_back, was_put_back
from incumbent.storage.quarantine import open_quarantine
from incumbent.storage.versions import catch_up, digest_of, fetch, resolve_or_empty
from tasks.arrival import Arrival, File, Version, read_partitions
from tasks.data import name_flow_run
from tasks.step import without_tracebacks


@task(cache_policy=NO_CACHE)
def recover(project: Path, entry: str, folder: Path) -> Arrival:
    """A file from quarantine as partitions, or rows in the partition that they came with.

    Raises NotFound, BadData, and BadInput if it passed before or the partition is not what it was.
    """
    without_tracebacks()
    arrival = Arrival(project.resolve(), folder, ())
    quarantine = open_quarantine(arrival.params)
    about = quarantine.require_held(entry)
    file = File(quarantine.fetch(entry, folder), None)
    name_flow_run(f"release {file.path.name}", [f"model:{arrival.params.dataset.name}"])
    whole = (
        _rejoined(file, about, arrival)
        if about["kind"] == "rows"
        else read_partitions(file, folder / "made", arrival.params)
    )
    return replace(arrival, files=(whole,))


@task(cache_policy=NO_CACHE)
def settle(released: Arrival, entry: str, reason: str, version: Version) -> None:
    """Note with the entry who let it pass, why, and which revision holds it."""
    held_by = [digest_of(path) for path in released.partitions]
    open_quarantine(released.params).mark_released(entry, reason, version.data.rev, held_by)


def _rejoined(file: File, about: dict[str, Any], arrival: Arrival) -> File:
    """The partition as it is now, with the rows at its end."""
    name, entry = about["partition"], about["entry"]
    catch_up(arrival.project)
    version = resolve_or_empty(arrival.project)
    md5 = {partition.name: partition.md5 for partition in version.partitions}.get(name)
    if md5 is None:
        raise BadInput(
            f"'{entry}' holds rows of {name}, which is not in the data (any more); nothing to join"
        )
    [partition] = fetch(arrival.project, version, [name])
    whole = arrival.folder / "made" / name
    if md5 == about["md5"]:
        put_back(partition, file.path, whole)
    elif was_put_back(partition, file.path):  # by a release that died before it could note so
        whole.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(partition, whole)
    else:
        raise BadInput(
            f"'{entry}' holds rows of {name} when it had md5 {about['md5']}; it was replaced since by {md5}. "
            "Correct the rows and let the whole partition arrive again"
        )
    return replace(file, partitions=(whole,), replacing=((name, md5),))
