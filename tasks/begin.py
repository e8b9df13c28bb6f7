"""Begin a run: resolve the data version, and draw a run number."""

from pathlib import Path

from prefect import get_run_logger

from incumbent.evaluation.plan import Strategy
from incumbent.local.names import require_own_name
from incumbent.training.engine import EngineName
from tasks.flow_run import name_flow_run
from tasks.runs import Run, open_run
from tasks.step import enter, retried
from tasks.usage import begin_account, note_usage


@retried
def begin(
    project: Path,
    data_rev: str,
    announced_rev: str | None,
    strategy: Strategy,
    started_by: str,
    dry: bool,
    engine: EngineName = "local",
) -> Run:
    """Resolve the data version, draw a run number, and name the flow run after the data."""
    begin_account()
    enter(project)
    require_own_name(project)
    run = open_run(
        project, data_rev, strategy, started_by, announced_rev=announced_rev, dry=dry, engine=engine
    )
    note_usage(run)
    tags = [f"model:{run.params.dataset.name}", f"data:{run.data.short}", f"strategy:{strategy}"]
    if run.announced:
        tags.append(f"announced:{run.announced.short}")
    name = f"run {run.seq}" if run.seq else "dry run"
    name_flow_run(f"{run.data.short} {name}", tags)
    get_run_logger().info(
        "%s on %s: %d added, %d changed, %d removed since champion %s",
        name,
        run.data.short,
        len(run.diff.added),
        len(run.diff.changed),
        len(run.diff.removed),
        run.champion,
    )
    return run
