"""New data in, a decision out: retrain, and promote only what beats the incumbent."""

from pathlib import Path
from typing import Any

from prefect import flow

from incumbent.evaluation.plan import Full, Skip, Strategy
from incumbent.gate import Verdict
from incumbent.training.engine import EngineName
from tasks.begin import begin
from tasks.gate import gate, refusals
from tasks.hindsight import audit
from tasks.lease import lease
from tasks.plan import make_plan
from tasks.promotion import compare, promote, register
from tasks.record import record, record_superseded
from tasks.training import choose_window, train, tune


@flow(name="retrain")
def retrain(
    project: Path = Path(),
    data_rev: str = "HEAD",
    announced_rev: str | None = None,
    strategy: Strategy = "auto",
    started_by: str = "by hand",
    dry_run: bool = False,
    engine: EngineName = "local",
) -> dict[str, Any]:
    """One run on one data version; returns the document that `incumbent retrain --json` prints.

    `announced_rev` is the revision in the event. The run works on `data_rev`, by default the head of the
    branch, so a burst of events ends in one run on the last version and a record for each superseded one.
    """
    run = begin(project, data_rev, announced_rev, strategy, started_by, dry_run, engine)
    with lease(run) as work:
        run = work.run
        if work.taken:
            return record(run.of_announced, "skip", (work.taken,))
        if run.announced:
            record_superseded(run)
        run, verdict = gate(run)
        if verdict is Verdict.BLOCK:
            return record(run, "block", refusals(run))
        run = audit(run)
        plan = make_plan(run)
        if isinstance(plan, Skip):
            return record(run, "skip", plan.because)
        if dry_run:
            return record(run, "dry-run", (f"would train: {plan.kind}",))
        if isinstance(plan, Full):
            choose_window(run)
            tune(run)
        train(run)
        compare(run)
        register(run)
        decision = promote(run)
        return record(run, decision.kind, decision.because)
