"""Late labels become part of the data: the partitions whose rows waited for them arrive again."""

import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from incumbent.params import load_params
from incumbent.storage.dataset.arrivals import catch_up
from incumbent.storage.dataset.arriving import ArrivingFile
from incumbent.storage.dataset.unlabelled import unlabelled_partitions
from incumbent.storage.dataset.versions import fetch, resolve_or_empty
from incumbent.tables.late_labels import fill_labels
from incumbent.tables.sources import Source
from tasks.arrival import Arrival


@task(cache_policy=NO_CACHE)
def complete(project: Path, labels: Sequence[pd.DataFrame]) -> Arrival:
    """Fill these labels (key and target) into rows that had none; returns the changed partitions.

    They arrive like any corrected file, so that models learn from versioned data only.
    """
    project = project.resolve()
    dataset = load_params(project).dataset
    folder = project / ".incumbent" / "arrivals" / uuid.uuid4().hex[:8]
    catch_up(project)
    version, given = resolve_or_empty(project), pd.concat(labels, ignore_index=True)
    digests = version.digests
    files = []
    for name in unlabelled_partitions(project, version, dataset.target):
        [partition] = fetch(project, version, [name])
        count = fill_labels(partition, given, dataset, folder / "completed" / name)
        if count:
            get_run_logger().info("%s: %d rows got their label", name, count)
            source = Source(folder / "completed" / name, PurePosixPath(name))
            files.append(ArrivingFile(source, None, replacing=((name, digests[name]),)))
    return Arrival(project, folder, tuple(files))
