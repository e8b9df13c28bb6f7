"""Compare with the incumbent, register the challenger, and promote it if it won."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger

from incumbent.errors import Conflict, StaleRun
from incumbent.models.environment import describe_environment
from incumbent.storage.dataset.versions import code_revision
from incumbent.storage.registry.registry import Champion
from incumbent.tables.partitions import PartitionFiles
from incumbent.training.anomalies import Anomaly
from tasks.anomalies import tell
from tasks.resume import resumed_from
from tasks.runs import LEASE_SECONDS, Run
from tasks.step import step

if TYPE_CHECKING:
    from incumbent.challenger import Challenger
    from incumbent.evaluation.decide import Decision
    from incumbent.features.out_of_sample import OutOfSample

PREDICTIONS = "judged.npz"


@step
def compare(run: Run) -> None:
    """Compare both models on rows that neither has learned from; store the predictions for the report."""
    if run.read("comparison") is None:
        _compare(run, run.registry.champion())


@step
def register(run: Run) -> None:
    """Publish the challenger as a version, whatever the decision will be; it is used only if named."""
    from incumbent.challenger import Challenger

    challenger = Challenger.from_json(run.read("challenger"))
    metrics = _metrics(run, challenger)
    path = run.folder / "metrics.json"
    run.write("metrics", {**metrics, "importances": challenger.importances})
    files = {name: run.folder / name for name in (*challenger.files, path.name)}
    run.registry.publish(run.version, files, _manifest(run, challenger, metrics))


@step
def promote(run: Run) -> Decision:
    """Decide, and move the champion or let the winner wait for a person, as promotion.approve says.

    If the champion moved meanwhile, compare with the new one and decide again.
    """
    from incumbent.challenger import Challenger
    from incumbent.challenger.contest import Contest
    from incumbent.evaluation.approval import ask_a_person
    from incumbent.evaluation.decide import Hold, Pending, Promote

    made = Challenger.from_json(run.read("challenger"))
    while True:
        comparison = run.read("comparison")
        contest = Contest.from_json(comparison)
        decision = contest.decide(made, run.version, run.params.promotion)
        champion = run.registry.champion()
        if champion and champion.version == run.version:
            return decision  # promoted by an earlier try of this task
        if (champion.txid if champion else None) != comparison["txid"]:
            _compare(run, champion)
            continue
        decision = ask_a_person(decision, contest.evidence, run.params.promotion)
        if isinstance(decision, Promote | Pending):
            # The fencing token stops a run older than the champion, not one whose work was taken over.
            run.registry.check_claim(run.work, _seq(run), LEASE_SECONDS)
        try:
            _carry_out(run, decision, champion)
        except Conflict as moved:
            get_run_logger().warning("%s", moved)
            continue
        except StaleRun as stale:
            decision = Hold((str(stale),))
        return decision


def _carry_out(run: Run, decision: Decision, champion: Champion | None) -> None:
    """What the decision changes in the registry. Raises Conflict if the champion moved, StaleRun."""
    from incumbent.evaluation.decide import Pending, Promote, Provisional

    registry, seq = run.registry, _seq(run)
    if isinstance(decision, Promote):
        provisional, why = isinstance(decision, Provisional), "; ".join(decision.because)
        registry.promote(run.version, seq, champion, why, provisional=provisional)
    elif isinstance(decision, Pending):
        because, provisional = decision.because, decision.provisional
        registry.approvals.ask(run.version, seq, champion, because, provisional=provisional)
    else:
        verdict = f"run {seq} made a newer challenger, '{run.version}', with the verdict {decision.kind}"
        registry.approvals.expire(seq, verdict)


def _compare(run: Run, champion: Champion | None) -> None:
    """Store the contest for promote, and the predictions for the report."""
    import numpy as np

    from incumbent.challenger import Challenger
    from incumbent.challenger.contest import compare_with
    from incumbent.compare import Comparison
    from incumbent.storage.serving.rivals import rivals_of

    made = Challenger.from_json(run.read("challenger"))
    contest, rows = compare_with(
        rivals_of(run.project, run.registry, champion),
        made,
        run.folder,
        run.version,
        PartitionFiles(run.learned, run.files),
        run.params,
        partial(_continued, run, made),
    )
    np.savez(run.folder / PREDICTIONS, y=rows.y, champion=rows.champion, challenger=rows.challenger)
    txid = champion.txid if champion else None
    run.write("comparison", {"txid": txid, **contest.to_json()})
    for reason in contest.unfit:
        get_run_logger().warning("%s", reason)
    figures = contest.evidence.comparison
    if isinstance(figures, Comparison):
        get_run_logger().info(
            "%s: challenger %s, %s %s",
            figures.metric,
            figures.challenger,
            contest.incumbent,
            figures.champion,
        )
    else:
        get_run_logger().warning("no comparison: %s", figures.reason)
        if figures.unfit:
            tell(run, [Anomaly("nan_loss", figures.reason)])


def _continued(run: Run, made: Challenger) -> OutOfSample:
    """What the versions that an update continues predicted out of sample."""
    from incumbent.features.out_of_sample import OutOfSample
    from incumbent.storage.serving.rivals import predicted_by

    if made.kind == "full" or run.champion is None:
        return OutOfSample.none()
    return predicted_by(run.project, run.registry, run.champion)


def _metrics(run: Run, challenger: Challenger) -> dict[str, Any]:
    from incumbent.evaluation.decide import Evidence

    contest = run.read("comparison")
    figures = Evidence.from_json(contest["evidence"]).compared
    holdout = None
    if figures:
        counts = {"rows": figures.rows, "groups": figures.groups}
        holdout = {**vars(figures.challenger), "window": contest["partitions"], **counts}
    cv = challenger.cv and challenger.cv.to_json()
    return {"metric": run.params.promotion.metric, "cv": cv, "holdout": holdout}


def _manifest(run: Run, challenger: Challenger, metrics: dict[str, Any]) -> dict[str, Any]:
    parent = run.champion if challenger.kind == "incremental" else None
    before = run.manifest(parent) if parent else {"updates": -1, "rows_known": 0}
    drift = (run.read("drift") or {}).get("share")
    return {
        "model": run.params.dataset.name,
        "learner": run.params.learner.name,
        "created": run.began,
        "kind": challenger.kind,
        "parent": parent,
        "updates": before["updates"] + 1,
        "data": replace(run.data, partitions=run.learned).to_json(),
        "training": run.training,
        "window": run.read("window"),
        "schema": challenger.lineage.document,
        "params": run.params.model_dump(mode="json"),
        "options": challenger.options,
        "rounds": challenger.rounds,
        "drift": drift,
        "drift_since_full": before.get("drift_since_full", 0.0) + (drift or 0.0) if parent else 0.0,
        "search": _search(study) if (study := run.read("study")) else before.get("search"),
        "seed": run.params.seed,
        "prior": list(challenger.prior),
        "training_rows": challenger.rows,
        "rows_known": before["rows_known"] + challenger.rows,
        "metrics": metrics,
        "cleaned": challenger.cleaned,
        "device": challenger.device.to_json(),
        "engine": challenger.engine.to_json(),
        "onnx": challenger.onnx.to_json(),
        **({"segments": challenger.segments} if challenger.segments else {}),
        "code": code_revision(run.project),
        "environment": describe_environment(),
        "run_seq": run.seq,
        "resumed_from": resumed_from(run),
        "decision": f"{run.params.dataset.name}/runs/{_seq(run):012d}/decision.json",
    }


def _search(study: dict[str, Any]) -> dict[str, int]:
    """The search that the options come from; an update keeps its parent's."""
    from incumbent.search.tune import StudyResult

    result = StudyResult.from_json(study)
    return {"trials": len(result.trials), "workers": result.workers}


def _seq(run: Run) -> int:
    if run.seq is None:
        raise ValueError("a dry run registers and promotes nothing")
    return run.seq
