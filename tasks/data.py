"""Begin a run; gate what is new; plan what to do about it."""

from pathlib import Path
from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client

from incumbent.evaluation.plan import Measurements, Plan, Strategy, choose, plan_from_json
from incumbent.gate import GateReport, Verdict
from incumbent.storage.dataset.quarantine import open_quarantine
from incumbent.training.engine import EngineName
from tasks import artifacts
from tasks.runs import Run, open_run
from tasks.step import enter, retried, step

MOST_PAGES = 20


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
    enter(project)
    run = open_run(
        project, data_rev, strategy, started_by, announced_rev=announced_rev, dry=dry, engine=engine
    )
    tags = [f"model:{run.params.dataset.name}", f"data:{run.data.short}", f"strategy:{strategy}"]
    if run.announced:
        tags.append(f"announced:{run.announced.short}")
    name_flow_run(f"{run.data.short} run {seq}" if (seq := run.seq) else f"{run.data.short} dry run", tags)
    get_run_logger().info(
        "run %s on %s: %d added, %d changed, %d removed since champion %s",
        run.seq,
        run.data.short,
        len(run.diff.added),
        len(run.diff.changed),
        len(run.diff.removed),
        run.champion,
    )
    return run


@step
def gate(run: Run) -> tuple[Run, Verdict]:
    """Check the new partitions; the report goes to the UI and stays with the run.

    The run goes on without those that are blocked, unless nothing new is left.
    """
    if kept := run.read("gate"):
        return run.after_gate(kept.get("left_out", ()), kept.get("waiting", ())), Verdict(kept["verdict"])
    from incumbent.gate.suites import load_suites
    from incumbent.gate.version import gate_version

    suites = load_suites(run.project / "expectations")
    names = run.diff.fresh
    report = gate_version(
        list(zip(names, run.files(names), strict=True)),
        suites,
        run.params,
        lambda: open_quarantine(run.params).let_pass(run.data.partitions),
    )
    rest = run.after_gate(report.blocked, report.waiting)
    if rest.diff.fresh or (run.strategy == "full" and rest.learned):
        report = report.leaving_out(report.blocked)
    keep_gate(run, report)
    return run if report.verdict is Verdict.BLOCK else rest, report.verdict


def refusals(run: Run) -> tuple[str, ...]:
    """Why the gate blocks the run's data, the gravest first, one sentence each."""
    return tuple(run.read("gate")["reasons"])


@step
def make_plan(run: Run) -> Plan:
    """Measure what the rules look at, score the champion on rows it never saw, and choose."""
    plan = run.once("plan", plan_from_json, lambda: choose(_measured(run), run.params.retrain, run.strategy))
    artifacts.show_plan(plan)
    get_run_logger().info("plan: %s, because %s", plan.kind, "; ".join(plan.because))
    return plan


def keep_gate(run: Run, report: GateReport) -> None:
    artifacts.show_gate(report, _data_docs(run, report))
    run.write("gate", report.to_json())
    get_run_logger().info(
        "gate: %s (%d rows) %s", report.verdict.value, report.rows, "; ".join(report.reasons)
    )


def _data_docs(run: Run, report: GateReport) -> dict[str, str]:
    """Great Expectations' pages of the partitions, those that failed first; name -> link."""
    if run.seq is None or not report.results:
        return {}
    from incumbent.gate.gx import data_docs

    failed = {finding.partition for finding in report.findings if not finding.success}
    names = sorted(report.results, key=lambda name: (name not in failed, name))[:MOST_PAGES]
    pages = {name: data_docs(f"{name}, run {run.seq}", report.results[name]) for name in names}
    return {
        name: run.registry.page(run.seq, f"gate-{number:02d}.html", page)
        for number, (name, page) in enumerate(pages.items(), start=1)
    }


def name_flow_run(name: str, tags: list[str]) -> None:
    """Call the flow run what people look for; tags are added to those it has."""
    with get_client(sync_client=True) as client:
        kept = [tag for tag in runtime.flow_run.tags or [] if tag not in tags]
        client.update_flow_run(UUID(runtime.flow_run.get_id()), name=name, tags=[*kept, *tags])


def _measured(run: Run) -> Measurements:
    import pandas as pd

    from incumbent.challenger import REPLAY
    from incumbent.evaluation.measure import measure

    if run.champion is None:
        return Measurements(champion=None, labelled=bool(run.learned))
    champion, manifest = run.model(run.champion), run.manifest(run.champion)
    sample = pd.read_parquet(run.pulled(run.champion) / REPLAY)
    seen = measure(champion, manifest, sample, run.files(run.diff.fresh), run.diff, run.params)
    if seen.live is not None:
        metric = run.params.promotion.metric
        run.write("live", {"champion": run.champion, "metric": metric, **vars(seen.live)})
    if seen.drift is not None:
        run.write("drift", {"champion": run.champion, **seen.drift.to_json()})
        artifacts.show_drift(seen.drift)
    return seen.rules
