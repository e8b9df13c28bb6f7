"""Close a run: its decision record and report into the registry, the UI and an event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import get_run_logger

from incumbent.evaluation.approval import waiting
from incumbent.evaluation.cost import in_words
from incumbent.gate import QUARANTINE, GateReport
from tasks import artifacts
from tasks.anomalies import tell_of_machine
from tasks.approval import how_to_answer
from tasks.events import emit
from tasks.evidence import evidence_of, pictures_of, study_pictures
from tasks.flow_run import tag_decision
from tasks.gate import probations_of
from tasks.report import facts_of, outcome_of
from tasks.runs import Run
from tasks.step import step
from tasks.tracking import keep_for_trackers, tell_trackers
from tasks.usage import cost_of, record_cost

EVENTS = {
    "promote": "model.promoted",
    "provisional": "model.promoted",
    "pending": "model.pending",
    "hold": "model.held",
    "reject": "model.rejected",
    "block": "dataset.blocked",
}


@step
def record(run: Run, kind: str, reasons: tuple[str, ...]) -> dict[str, Any]:
    """Record the decision and its reasons; returns the document that `retrain --json` prints."""
    # A skip says of its own who is on probation.
    reasons = tuple(dict.fromkeys((*reasons, *_recalled(run), *_left_out(run), *probations_of(run))))
    run.write("decision", {"kind": kind, "reasons": list(reasons)})
    champion = run.registry.champion()
    outcome = outcome_of(run, champion.version if champion else None)
    get_run_logger().info("decision: %s, because %s", kind, "; ".join(reasons))
    tell_of_machine(run)
    if run.seq is None:
        return outcome
    from incumbent.report.render import render

    pictures = pictures_of(run)
    tag_decision(kind)
    waits = waiting(outcome)
    all_pictures = pictures | study_pictures(run)
    anomalies, cost = run.read("anomalies") or [], in_words(cost_of(run))
    about = {"waits": waits, "anomalies": anomalies, "cost": cost}
    report = render({**facts_of(run, outcome), **about}, all_pictures)
    (run.folder / "report.html").write_text(report, encoding="utf-8")
    link = run.registry.page(run.seq, "report.html", report)
    question = how_to_answer(run, waits) if waits else ""
    notes = (*(f"Anomaly in training: {each['what']}" for each in anomalies), f"Cost up to here: {cost}")
    artifacts.show_decision(kind, reasons, evidence_of(run), pictures, link, question, notes)
    run.write("outcome", outcome)
    for name in (
        "gate.json",
        "hindsight.json",
        "plan.json",
        "drift.json",
        "comparison.json",
        "anomalies.json",
    ):
        if (run.folder / name).exists():
            run.registry.record(run.seq, name, (run.folder / name).read_bytes())
    # Kept before the decision is recorded: whoever is interrupted from here on, the next run tells of both.
    outboxes = keep_for_trackers(run, outcome, record_cost(run, run.seq, kind), report, all_pictures)
    run.registry.record(run.seq, "decision.json", (run.folder / "outcome.json").read_bytes())
    _emit_decision(run, kind, outcome)
    tell_trackers(run, outboxes)
    return outcome


@step
def record_superseded(run: Run) -> None:
    """Record for the announced version that the run skips it and works on a later one."""
    about = {
        "data": run.of_announced.data.to_json(),
        "strategy": run.strategy,
        "engine": run.engine.name,
        "started_by": run.started_by,
    }
    skipped = replace(run.of_announced, seq=run.registry.start_run(about))
    record(skipped, "skip", (f"{run.superseded}, which run {run.seq} takes",))


def close_promotion(run: Run, dead: int) -> str | None:
    """Record what a run decided that died before it could: its challenger is champion, or waits for approval.

    None if neither is so.
    """
    champion, dead_run = run.registry.champion(), replace(run, seq=dead)
    if champion is not None and champion.version == dead_run.version:
        kind = "provisional" if champion.provisional else "promote"
        record(dead_run.against(champion.replaced), kind, (champion.reason,))
        return f"run {dead} promoted {champion.version} and died before it recorded that; this run did it"
    request = run.registry.approvals.latest()
    if request and request.version == dead_run.version and not request.expired(champion):
        record(dead_run.against(request.champion), "pending", request.reasons)
        return (
            f"run {dead} let {request.version} wait for approval and died before it recorded that; this run "
            "did it"
        )
    return None


def _recalled(run: Run) -> tuple[str, ...]:
    """Which model became champion before the run trained, and by which evidence."""
    hindsight = run.read("hindsight") or {}
    if not hindsight.get("takes_office"):
        return ()
    return (
        f"before that, {hindsight['version']} took office in hindsight: {'; '.join(hindsight['reasons'])}",
    )


def _left_out(run: Run) -> tuple[str, ...]:
    """Which partitions the gate blocked while the run went on without them, and why."""
    report = GateReport.from_json(run.read("gate") or GateReport(0, ()).to_json())
    findings = (each for each in report.failed if each.severity == QUARANTINE)
    return tuple(f"left out: {each}" for each in findings if each.partition in report.left_out)


def _emit_decision(run: Run, kind: str, outcome: dict[str, Any]) -> None:
    if kind not in EVENTS:
        return
    event, name = EVENTS[kind], run.params.dataset.name
    what = "dataset" if event.startswith("dataset") else "model"
    versions = {"champion": outcome["champion"], "challenger": outcome["challenger"]}
    payload = {"run": run.seq, "data": run.data.short, **versions, **outcome["decision"]}
    emit(
        run.project,
        event,
        f"incumbent.{what}.{name}",
        name,
        once=f"run {run.seq} of {run.params.registry.address}",
        payload=payload,
    )
