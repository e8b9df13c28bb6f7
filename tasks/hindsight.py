"""What just arrived judges the last verdict: was the right model in office?"""

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

    When one of the two did significantly better over promotion.audit_window arrivals, an event says so;
    with promotion.auto_rollback it takes office, and the run goes on from it.
    """
    office = run.registry.champion()
    if run.seq is None or office is None or office.version != run.champion:
        return run
    from incumbent.evaluation.hindsight import Keep, look_back

    rivals = _rivals(run, office)
    scores = _scored(run, rivals)
    seen = look_back(scores, office.version, rivals, run.params.promotion)
    run.write("hindsight", seen.to_json())
    if isinstance(seen, Keep):
        return run
    get_run_logger().warning("%s", "; ".join(seen.because))
    _tell(run, office, seen)
    return _recall(run, office, seen) if run.params.promotion.auto_rollback else run


def _rivals(run: Run, office: Champion) -> dict[str, str]:
    known = {PREDECESSOR: run.registry.predecessor(office), HELD: run.registry.last_held(office)}
    return {role: version for role, version in known.items() if version is not None}


def _scored(run: Run, rivals: dict[str, str]) -> list[dict[str, Any]]:
    """The scores of all arrivals since the champion's data, in their order, the new ones made now."""
    scores = {score["partition"]: score for score in run.registry.scores(run.diff.added)}
    new = [name for name in run.diff.added if name not in scores]
    models = {role: model for role, version in rivals.items() if (model := _opened(run, version))}
    knows = {role: set(run.manifest(rivals[role])["data"]["partitions"]) for role in models}
    champion = run.model(str(run.champion)) if new else None
    for name, path in zip(new, run.files(new), strict=True):
        fair = {role: model for role, model in models.items() if name not in knows[role]}
        document = champion and _score(run, champion, fair, path)
        if document:
            scores[name] = run.registry.put_score(name, {**document, "run": run.seq})
    return sorted(scores.values(), key=lambda score: (score["run"], score["partition"]))


def _score(run: Run, champion: Model, rivals: dict[str, Model], path: Path) -> dict[str, Any] | None:
    from incumbent.evaluation.hindsight import score_arrival
    from incumbent.tables.parquet import read_partition
    from incumbent.tables.split import group_hashes

    frame = read_partition(path)
    groups = group_hashes(frame, run.params.split.by)
    # A rival may not win by a column that was dropped and that the champion does without.
    dropped = set(run.params.dataset.drop) - set(champion.schema.inputs)
    fair = frame.drop(columns=[name for name in frame if name in dropped])
    return score_arrival(champion, rivals, fair, groups, run.params.promotion, run.params.seed)


def _opened(run: Run, version: str) -> Model | None:
    try:
        return run.model(version)
    except (BadData, NotFound, Tampered) as error:
        get_run_logger().warning("not scored beside the champion: %s", error)
        return None


def _tell(run: Run, office: Champion, seen: Recall) -> None:
    name = run.params.dataset.name
    payload = {"run": run.seq, "champion": office.version, "better": seen.version, **seen.to_json()}
    once = f"{seen.version} over {office.txid} of {run.params.registry.address}"
    emit("model.outperformed", f"incumbent.model.{name}", name, once=once, payload=payload)


def _recall(run: Run, office: Champion, seen: Recall) -> Run:
    """Put the better model into office by the registry's own protocol, and go on from its data."""
    reason = f"in hindsight: {'; '.join(seen.because)}"
    if seen.role == PREDECESSOR:
        run.registry.rollback(seen.version, reason, instead_of=office)
    else:
        # Under the number of the run that made it: later than the champion's, earlier than this one's.
        made_by = run.manifest(seen.version)["run_seq"]
        run.registry.promote(seen.version, made_by, office, reason)
    return run.against(seen.version)
