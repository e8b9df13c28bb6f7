"""Newly arrived rows test the last promotion: was the right model champion?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger

from incumbent.errors import BadData, NotFound, Tampered
from incumbent.storage.registry.registry import Champion
from tasks.events import emit
from tasks.runs import Run
from tasks.step import step

if TYPE_CHECKING:
    from incumbent.evaluation.hindsight import Recall
    from incumbent.models.model import Model

PREDECESSOR, HELD = "predecessor", "held challenger"


@step
def audit(run: Run) -> Run:
    """Champion, predecessor and last held challenger score the new rows before anything trains on them.

    When one of the others did significantly better over promotion.audit_window arrivals, an event says so;
    with promotion.auto_rollback it becomes champion, and the run goes on from it.
    """
    champion = run.registry.champion()
    if run.seq is None or champion is None or champion.version != run.champion:
        return run
    from incumbent.evaluation.hindsight import Keep, look_back

    rivals = _rivals(run, champion)
    scores = _all_scores(run, rivals)
    hindsight = look_back(scores, champion.version, rivals, run.params.promotion)
    run.write("hindsight", hindsight.to_json())
    if isinstance(hindsight, Keep):
        return run
    get_run_logger().warning("%s", "; ".join(hindsight.because))
    _announce(run, champion, hindsight)
    return _recall(run, champion, hindsight) if run.params.promotion.auto_rollback else run


def _rivals(run: Run, champion: Champion) -> dict[str, str]:
    known = {PREDECESSOR: run.registry.predecessor(champion), HELD: run.registry.last_held(champion)}
    return {role: version for role, version in known.items() if version is not None}


def _all_scores(run: Run, rivals: dict[str, str]) -> list[dict[str, Any]]:
    """The scores of all arrivals since the champion's data, in order; missing scores are computed now."""
    scores = {score["partition"]: score for score in run.registry.scores(run.diff.added)}
    new = [name for name in run.diff.added if name not in scores]
    models = {role: model for role, version in rivals.items() if (model := _opened(run, version))}
    learned = {role: set(run.manifest(rivals[role])["data"]["partitions"]) for role in models}
    champion = run.model(str(run.champion)) if new else None
    for name, path in zip(new, run.files(new), strict=True):
        unbiased = {role: model for role, model in models.items() if name not in learned[role]}
        document = champion and _score(run, champion, unbiased, path)
        if document:
            scores[name] = run.registry.put_score(name, {**document, "run": run.seq})
    return sorted(scores.values(), key=lambda score: (score["run"], score["partition"]))


def _score(run: Run, champion: Model, rivals: dict[str, Model], path: Path) -> dict[str, Any] | None:
    from incumbent.evaluation.hindsight import score_arrival
    from incumbent.tables.parquet import read_partition
    from incumbent.tables.split import group_hashes

    frame = read_partition(path)
    groups = group_hashes(frame, run.params.split.by)
    # A rival may not win by a dropped column that the champion does not read.
    dropped = set(run.params.dataset.drop) - set(champion.schema.inputs)
    kept = frame.drop(columns=[name for name in frame if name in dropped])
    return score_arrival(champion, rivals, kept, groups, run.params.promotion, run.params.seed)


def _opened(run: Run, version: str) -> Model | None:
    try:
        return run.model(version)
    except (BadData, NotFound, Tampered) as error:
        get_run_logger().warning("not scored beside the champion: %s", error)
        return None


def _announce(run: Run, champion: Champion, recall: Recall) -> None:
    name = run.params.dataset.name
    payload = {"run": run.seq, "champion": champion.version, "better": recall.version, **recall.to_json()}
    once = f"{recall.version} over {champion.txid} of {run.params.registry.address}"
    emit("model.outperformed", f"incumbent.model.{name}", name, once=once, payload=payload)


def _recall(run: Run, champion: Champion, recall: Recall) -> Run:
    """Make the better model champion by the registry's own protocol, and go on from its data."""
    reason = f"in hindsight: {'; '.join(recall.because)}"
    if recall.role == PREDECESSOR:
        run.registry.rollback(recall.version, reason, instead_of=champion)
    else:
        # With the number of the run that made it, between the champion's and this run's.
        made_by = run.manifest(recall.version)["run_seq"]
        run.registry.promote(recall.version, made_by, champion, reason)
    return run.against(recall.version)
