"""One worker's share of a study that a retraining began; see search.workers."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.workers import do_share


@flow(name="tune")
def tune(
    data_rev: str,
    params: dict[str, Any],
    window: dict[str, Any],
    run: int,
    work: str,
    worker: int,
    without: list[str],
    project: Path = Path(),
) -> None:
    """Trials for run `run`, which claims `work`, until the study's budget is used up or the run is gone."""
    do_share(project, data_rev, params, window, run, work, worker, without)
