"""Compare with the incumbent, register the challenger, and promote it if it won."""

from typing import Any

import pandas as pd
from prefect import get_run_logger

from incumbent.challenger import REPLAY, Challenger, open_challenger
from incumbent.compare import Comparison
from incumbent.decide import Decision, Hold, Promote, decide
from incumbent.environment import describe_environment
from incumbent.errors import Conflict
from incumbent.judge import BASELINE, compare_scores, score_holdout
from incumbent.storage.registry import Champion, StaleRun
from incumbent.storage.versions import code_revision
from tasks.runs import Run
from tasks.step import step

SCORES = "holdout.parquet"


@step
def compare(run: Run) -> None:
    """Both models on the held-out rows of the window; the scores stay for the report."""
    _compare_with(run, run.registry.champion())


@step
def register(run: Run) -> None:
    """Publish the challenger as a version, whatever the decision will be; nobody reads it unless named."""
    challenger = Challenger.from_json(run.read("challenger"))
    comparison = Comparison.from_json(run.read("comparison")["figures"])
    holdout = {**vars(comparison.challenger), "window": _window(run), "rows": comparison.rows}
    cv = challenger.cv and challenger.cv.to_json()
    metrics = {"metric": comparison.metric, "cv": cv, "holdout": holdout}
    path = run.folder / "metrics.json"
    run.write("metrics", {**metrics, "importances": challenger.importances})
    files = {name: run.folder / name for name in (challenger.file, REPLAY)} | {path.name: path}
    run.registry.publish(run.version, files, _manifest(run, challenger, metrics))


@step
def promote(run: Run) -> Decision:
    """Decide, and move the champion; if it moved meanwhile, compare with the new one and decide again."""
    while True:
        seen = run.read("comparison")
        decision = decide(Comparison.from_json(seen["figures"]), run.params.promotion, seen["incumbent"])
        office = run.registry.champion()
        if office and office.version == run.version:
            return decision  # promoted by an earlier try of this task
        if (office.txid if office else None) != seen["txid"]:
            _compare_with(run, office)
            continue
        if isinstance(decision, Promote):
            try:
                run.registry.promote(run.version, _seq(run), office, "; ".join(decision.because))
            except Conflict as moved:
                get_run_logger().warning("%s", moved)
                continue
            except StaleRun as stale:
                decision = Hold((str(stale),))
        return decision


def _compare_with(run: Run, office: Champion | None) -> None:
    champion = run.model(office.version) if office else None
    made = Challenger.from_json(run.read("challenger"))
    challenger = open_challenger(made, run.params, run.folder, run.version)
    scores = score_holdout(champion, challenger, run.files(_window(run)), run.params)
    scores.to_parquet(run.folder / SCORES)
    figures = compare_scores(scores, run.params)
    document = {
        "txid": office.txid if office else None,
        "incumbent": office.version if office else BASELINE,
        "window": _window(run),
        "figures": figures.to_json(),
    }
    run.write("comparison", document)
    get_run_logger().info(
        "%s: challenger %s, %s %s",
        figures.metric,
        figures.challenger,
        document["incumbent"],
        figures.champion,
    )


def holdout_scores(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.folder / SCORES)


def _window(run: Run) -> list[str]:
    return [partition.name for partition in run.data.partitions][-run.params.promotion.window :]


def _manifest(run: Run, challenger: Challenger, metrics: dict[str, Any]) -> dict[str, Any]:
    parent = run.champion if challenger.kind == "incremental" else None
    before = run.manifest(parent) if parent else {"updates": -1, "rows_known": 0}
    return {
        "model": run.params.dataset.name,
        "learner": run.params.learner.name,
        "created": run.began,
        "kind": challenger.kind,
        "parent": parent,
        "updates": before["updates"] + 1,
        "data": run.data.to_json(),
        "schema": challenger.schema.to_json(),
        "params": run.params.model_dump(),
        "options": challenger.options,
        "rounds": challenger.rounds,
        "seed": run.params.seed,
        "training_rows": challenger.rows,
        "rows_known": before["rows_known"] + challenger.rows,
        "metrics": metrics,
        "code": code_revision(run.project),
        "environment": describe_environment(),
        "run_seq": run.seq,
        "decision": f"{run.params.dataset.name}/runs/{_seq(run):012d}/decision.json",
    }


def _seq(run: Run) -> int:
    if run.seq is None:
        raise ValueError("a dry run registers and promotes nothing")
    return run.seq
