"""Close a run: its decision record and report into the registry, the UI and an event."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client

from incumbent.gate import QUARANTINE, GateReport
from incumbent.report.render import render
from tasks import artifacts
from tasks.events import emit
from tasks.promotion import PREDICTIONS
from tasks.resume import resumed_from
from tasks.runs import Run
from tasks.step import step

if TYPE_CHECKING:
    from incumbent.compare import Comparison
    from incumbent.evaluation.decide import Evidence

LATEST = 12
"""Arrivals in the report's series."""

EVENTS = {
    "promote": "model.promoted",
    "hold": "model.held",
    "reject": "model.rejected",
    "block": "dataset.blocked",
}


@step
def record(run: Run, kind: str, reasons: tuple[str, ...]) -> dict[str, Any]:
    """Write down what was decided and why; returns the document that `retrain --json` prints."""
    reasons = (*reasons, *_left_out(run))
    run.write("decision", {"kind": kind, "reasons": list(reasons)})
    office = run.registry.champion()
    outcome = _outcome(run, office.version if office else None)
    get_run_logger().info("decision: %s, because %s", kind, "; ".join(reasons))
    if run.seq is None:
        return outcome
    pictures = _pictures(run)
    _tag(kind)
    report = render(_facts(run, outcome), pictures | _study_pictures(run))
    (run.folder / "report.html").write_text(report, encoding="utf-8")
    link = run.registry.page(run.seq, "report.html", report)
    artifacts.show_decision(kind, reasons, _evidence(run), pictures, link)
    run.write("outcome", outcome)
    for name in ("gate.json", "hindsight.json", "plan.json", "drift.json", "comparison.json"):
        if (run.folder / name).exists():
            run.registry.record(run.seq, name, (run.folder / name).read_bytes())
    run.registry.record(run.seq, "decision.json", (run.folder / "outcome.json").read_bytes())
    _tell(run, kind, outcome)
    return outcome


@step
def record_superseded(run: Run) -> None:
    """A record of its own for the version that the run's event told of: it takes the one that came after."""
    about = {
        "data": run.told.data.to_json(),
        "strategy": run.strategy,
        "engine": run.engine.name,
        "started_by": run.started_by,
    }
    passed = replace(run.told, seq=run.registry.start_run(about))
    record(passed, "skip", (f"{run.superseded}, which run {run.seq} takes",))


def close_promotion(run: Run, dead: int) -> str | None:
    """Record the promotion of a run that died before it could; None if its challenger is not in office."""
    office, its = run.registry.champion(), replace(run, seq=dead)
    if office is None or office.version != its.version:
        return None
    record(its.against(office.replaced), "promote", (office.reason,))
    return f"run {dead} promoted {office.version} and died before it told; this run did it"


def _left_out(run: Run) -> tuple[str, ...]:
    """Which partitions the gate blocked while the run went on without them, and why."""
    report = GateReport.from_json(run.read("gate") or GateReport(0, ()).to_json())
    findings = (each for each in report.failed if each.severity == QUARANTINE)
    return tuple(f"left out: {each}" for each in findings if each.partition in report.left_out)


def _outcome(run: Run, champion: str | None) -> dict[str, Any]:
    gate, plan, seen, figures = run.read("gate"), run.read("plan"), run.read("comparison"), _comparison(run)
    return {
        "run": run.seq,
        "data": {"rev": run.data.rev, "md5": run.data.md5, "name": run.data.short, **run.diff.to_json()},
        "verdict": gate["verdict"] if gate else None,
        "unlabelled": gate["unlabelled"] if gate else None,
        "hindsight": run.read("hindsight"),
        "plan": plan and {**plan, "window": run.read("window")},
        "challenger": run.version if seen else None,
        "metric": figures and _metric(figures, seen["incumbent"]),
        "decision": run.read("decision"),
        "champion": champion,
        "started_by": run.started_by,
        "resumed_from": resumed_from(run),
        "timings": run.read("timings") or {},
    }


def _metric(seen: Comparison, incumbent: str) -> dict[str, Any]:
    return {
        "name": seen.metric,
        "champion": asdict(seen.champion),
        "challenger": asdict(seen.challenger),
        "difference": seen.difference.value,
        "ci": [seen.difference.low, seen.difference.high],
        "p_value": seen.p_value,
        "incumbent": incumbent,
    }


def _facts(run: Run, outcome: dict[str, Any]) -> dict[str, Any]:
    challenger, seen, evidence = run.read("challenger"), run.read("comparison"), _evidence(run)
    return {
        **outcome,
        "dataset": run.params.dataset.name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gate": run.read("gate") or {"verdict": "not reached", "rows": 0, "findings": []},
        "live": run.read("live"),
        "drift": run.read("drift"),
        "series": _series(run),
        "evidence": evidence,
        "comparison": _comparison(run),
        "confidence": f"{run.params.promotion.confidence:.0%}",
        "incumbent": seen["incumbent"] if seen else run.champion,
        "window": seen["window"] if seen else [],
        "excluded": seen["excluded"] if seen else 0,
        "cv": challenger and challenger["cv"],
        "rounds": challenger and challenger["rounds"],
        "options": challenger["options"] if challenger else {},
    }


def _series(run: Run) -> list[dict[str, Any]]:
    """How champions did on what arrived, before anything trained on it; the latest arrivals."""
    scores = run.registry.scores([partition.name for partition in run.data.partitions][-LATEST:])
    return sorted(scores, key=lambda score: (score["run"], score["partition"]))


def _evidence(run: Run) -> Evidence | None:
    seen = run.read("comparison")
    if seen is None:
        return None
    from incumbent.evaluation.decide import Evidence

    return Evidence.from_json(seen["evidence"])


def _comparison(run: Run) -> Comparison | None:
    evidence = _evidence(run)
    return evidence.compared if evidence else None


def _pictures(run: Run) -> dict[str, bytes]:
    evidence = _evidence(run)
    if evidence is None or _comparison(run) is None:
        return {}
    import numpy as np

    from incumbent.challenger import Challenger
    from incumbent.report import plots

    schema = Challenger.from_json(run.read("challenger")).schema
    names = (f"{run.read('comparison')['incumbent']} (incumbent)", f"{run.version} (challenger)")
    with np.load(run.folder / PREDICTIONS, allow_pickle=False) as kept:
        y, champion, challenger = kept["y"], kept["champion"], kept["challenger"]
    if schema.task == "regression":
        return {"Errors on the holdout": plots.residuals(y, champion, challenger, names)}
    if schema.task == "multiclass":
        first = {"Classes on the holdout": plots.confusion(y, challenger, schema.classes)}
    else:
        first = {"ROC on the holdout": plots.roc(y, champion, challenger, names)}
    if evidence.calibration is None:
        return first
    return {**first, "Calibration of the challenger": plots.reliability(evidence.calibration, run.version)}


def _study_pictures(run: Run) -> dict[str, bytes]:
    study, challenger = run.read("study"), run.read("challenger")
    pictures: dict[str, bytes] = {}
    if not study and not challenger:
        return pictures
    from incumbent.report import plots

    if study:
        values = [trial["value"] for trial in study["trials"]]
        pictures["Trials"] = plots.trials(values, [trial["pruned"] for trial in study["trials"]])
    if challenger:
        pictures["Importances"] = plots.importances(challenger["importances"])
    return pictures


def _tag(kind: str) -> None:
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(UUID(runtime.flow_run.get_id()))
        client.update_flow_run(flow_run.id, tags=[*flow_run.tags, f"decision:{kind}"])


def _tell(run: Run, kind: str, outcome: dict[str, Any]) -> None:
    if kind not in EVENTS:
        return
    event, name = EVENTS[kind], run.params.dataset.name
    what = "dataset" if event.startswith("dataset") else "model"
    payload = {"run": run.seq, "data": run.data.short, "champion": outcome["champion"], **outcome["decision"]}
    emit(
        event,
        f"incumbent.{what}.{name}",
        name,
        once=f"run {run.seq} of {run.params.registry.address}",
        payload=payload,
    )
