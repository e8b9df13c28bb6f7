"""Compare with the incumbent, register the challenger, and promote it if it won."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger

from incumbent.errors import BadData, Conflict, NotFound, Tampered
from incumbent.models.environment import describe_environment
from incumbent.storage.dataset.versions import code_revision
from incumbent.storage.registry.registry import Champion, StaleRun
from tasks.resume import resumed_from
from tasks.runs import LEASE_SECONDS, Run
from tasks.step import step

if TYPE_CHECKING:
    from incumbent.challenger import Challenger
    from incumbent.evaluation.decide import Decision
    from incumbent.evaluation.judge import Holdout
    from incumbent.models.model import Model

PREDICTIONS = "holdout.npz"


@step
def compare(run: Run) -> None:
    """Both models on the held-out rows of the window; the predictions stay for the report."""
    if run.read("comparison") is None:
        _compare_with(run, run.registry.champion())


@step
def register(run: Run) -> None:
    """Publish the challenger as a version, whatever the decision will be; nobody reads it unless named."""
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
    from incumbent.evaluation.decide import Hold, Promote

    while True:
        seen = run.read("comparison")
        decision = _decided(run, seen)
        office = run.registry.champion()
        if office and office.version == run.version:
            return decision  # promoted by an earlier try of this task
        if (office.txid if office else None) != seen["txid"]:
            _compare_with(run, office)
            continue
        if isinstance(decision, Promote):
            # The fence stops a run that is older than the champion, not one whose work was taken over.
            run.registry.check_claim(run.work, _seq(run), LEASE_SECONDS)
            try:
                run.registry.promote(run.version, _seq(run), office, "; ".join(decision.because))
            except Conflict as moved:
                get_run_logger().warning("%s", moved)
                continue
            except StaleRun as stale:
                decision = Hold((str(stale),))
        return decision


def _decided(run: Run, seen: dict[str, Any]) -> Decision:
    """The verdict, and what else a person should know of it."""
    from incumbent.challenger import Challenger
    from incumbent.evaluation.decide import Evidence, Promote, decide
    from incumbent.evaluation.doubts import way_past

    rare = Challenger.from_json(run.read("challenger")).schema.rare
    decision = decide(Evidence.from_json(seen["evidence"]), run.params.promotion, seen["incumbent"])
    promoted = isinstance(decision, Promote)
    doubts = [doubt] if promoted and (doubt := seen.get("too_good")) else []
    past = way_past(seen.get("withheld", ()), seen["incumbent"], run.version, promoted=promoted)
    return replace(decision, because=(*decision.because, *rare.reasons, *seen["unfit"], *doubts, *past))


def _compare_with(run: Run, office: Champion | None) -> None:
    import numpy as np

    from incumbent.challenger import Challenger, open_challenger
    from incumbent.compare import Comparison
    from incumbent.evaluation.judge import BASELINE, collect_evidence, microseconds_per_row

    made = Challenger.from_json(run.read("challenger"))
    challenger = open_challenger(made, run.params, run.folder, run.version)
    rival, holdout, unfit = _meet(run, office, challenger, made)
    evidence = replace(
        collect_evidence(holdout, run.params.promotion, run.params.seed),
        model_bytes=(run.folder / made.file).stat().st_size,
        microseconds_per_row=microseconds_per_row(challenger, run.files(_window(run)), run.params),
    )
    np.savez(run.folder / PREDICTIONS, y=holdout.y, champion=holdout.champion, challenger=holdout.challenger)
    document = {
        "txid": office.txid if office else None,
        "incumbent": rival or BASELINE,
        "unfit": unfit,
        "window": _window(run),
        "excluded": holdout.excluded,
        "withheld": holdout.withheld,
        "too_good": _too_good(run, made, holdout) if made.kind == "full" else None,
        "evidence": evidence.to_json(),
    }
    run.write("comparison", document)
    seen = evidence.comparison
    if isinstance(seen, Comparison):
        get_run_logger().info(
            "%s: challenger %s, %s %s", seen.metric, seen.challenger, document["incumbent"], seen.champion
        )
    else:
        get_run_logger().warning("no comparison: %s", seen.reason)


def _too_good(run: Run, made: Challenger, holdout: Holdout) -> str | None:
    import pandas as pd

    from incumbent.challenger import REPLAY
    from incumbent.evaluation.doubts import too_good

    sample = pd.read_parquet(run.folder / REPLAY)
    return too_good(holdout.y, holdout.challenger, made.importances, sample, run.params)


def _meet(
    run: Run, office: Champion | None, challenger: Model, made: Challenger
) -> tuple[str | None, Holdout, list[str]]:
    """The first rival that can be evaluated, its holdout, and why those before it could not.

    A champion whose file is broken or that can't read today's columns must not keep everybody else out
    of office: the champion before it takes its place, and in the end the trivial baseline.
    """
    from incumbent.challenger import open_others
    from incumbent.evaluation.judge import Learned, score_holdout

    names, unfit = _window(run), []
    partitions = [partition for partition in run.learned if partition.name in names]
    window = list(zip(partitions, run.files(names), strict=True))
    others = open_others(made, run.params, run.folder)
    for rival in _rivals(run, office):
        try:
            holdout = score_holdout(
                run.model(rival),
                challenger,
                window,
                run.params,
                learned=Learned.from_manifest(run.manifest(rival)),
                others=others,
            )
        except (BadData, NotFound, Tampered) as error:
            unfit.append(f"{rival} could not be evaluated: {error}")
            get_run_logger().warning("%s", unfit[-1])
        else:
            return rival, holdout, unfit
    return None, score_holdout(None, challenger, window, run.params, prior=made.prior, others=others), unfit


def _rivals(run: Run, office: Champion | None) -> Iterator[str]:
    """The champion, then, only if they are needed, those who were in office before it and are not blocked."""
    if office is None:
        return
    yield office.version
    former = [entry.version for entry in reversed(run.registry.history())]
    barred = {office.version, *office.blocked}
    yield from (version for version in dict.fromkeys(former) if version not in barred)


def _window(run: Run) -> list[str]:
    return [partition.name for partition in run.learned][-run.params.promotion.window :]


def _metrics(run: Run, challenger: Challenger) -> dict[str, Any]:
    from incumbent.evaluation.decide import Evidence

    seen = run.read("comparison")
    figures = Evidence.from_json(seen["evidence"]).compared
    holdout = None
    if figures:
        holdout = {**vars(figures.challenger), "window": seen["window"], "rows": figures.rows}
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
    """What the options come from; an update keeps its parent's."""
    from incumbent.search.tune import StudyResult

    result = StudyResult.from_json(study)
    return {"trials": len(result.trials), "workers": result.workers}


def _seq(run: Run) -> int:
    if run.seq is None:
        raise ValueError("a dry run registers and promotes nothing")
    return run.seq
