"""Compare with the incumbent, register the challenger, and promote it if it won."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger

from incumbent.errors import Conflict, StaleRun
from incumbent.models.environment import describe_environment
from incumbent.storage.dataset.versions import code_revision
from incumbent.storage.registry.registry import Champion
from incumbent.storage.serving.rivals import rivals_of
from tasks.resume import resumed_from
from tasks.runs import LEASE_SECONDS, Run
from tasks.step import step

if TYPE_CHECKING:
    from incumbent.challenger import Challenger
    from incumbent.evaluation.decide import Decision

PREDICTIONS = "holdout.npz"


@step
def compare(run: Run) -> None:
    """Compare both models on the held-out rows of the window; store the predictions for the report."""
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
    """Decide, and move the champion; if it moved meanwhile, compare with the new one and decide again."""
    from incumbent.challenger import Challenger
    from incumbent.challenger.contest import Contest
    from incumbent.evaluation.decide import Hold, Promote

    made = Challenger.from_json(run.read("challenger"))
    while True:
        comparison = run.read("comparison")
        decision = Contest.from_json(comparison).decide(made, run.version, run.params.promotion)
        champion = run.registry.champion()
        if champion and champion.version == run.version:
            return decision  # promoted by an earlier try of this task
        if (champion.txid if champion else None) != comparison["txid"]:
            _compare(run, champion)
            continue
        if isinstance(decision, Promote):
            # The fencing token stops a run older than the champion, not one whose work was taken over.
            run.registry.check_claim(run.work, _seq(run), LEASE_SECONDS)
            try:
                run.registry.promote(run.version, _seq(run), champion, "; ".join(decision.because))
            except Conflict as moved:
                get_run_logger().warning("%s", moved)
                continue
            except StaleRun as stale:
                decision = Hold((str(stale),))
        return decision


def _compare(run: Run, champion: Champion | None) -> None:
    """Store the contest for promote, and the predictions for the report."""
    import numpy as np

    from incumbent.challenger import Challenger
    from incumbent.challenger.contest import compare_with
    from incumbent.compare import Comparison

    names = _window(run)
    partitions = [partition for partition in run.learned if partition.name in names]
    contest, holdout = compare_with(
        rivals_of(run.project, run.registry, champion),
        Challenger.from_json(run.read("challenger")),
        run.folder,
        run.version,
        list(zip(partitions, run.files(names), strict=True)),
        run.params,
    )
    np.savez(run.folder / PREDICTIONS, y=holdout.y, champion=holdout.champion, challenger=holdout.challenger)
    txid = champion.txid if champion else None
    run.write("comparison", {"txid": txid, "window": names, **contest.to_json()})
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


def _window(run: Run) -> list[str]:
    return [partition.name for partition in run.learned][-run.params.promotion.window :]


def _metrics(run: Run, challenger: Challenger) -> dict[str, Any]:
    from incumbent.evaluation.decide import Evidence

    contest = run.read("comparison")
    figures = Evidence.from_json(contest["evidence"]).compared
    holdout = None
    if figures:
        holdout = {**vars(figures.challenger), "window": contest["window"], "rows": figures.rows}
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
