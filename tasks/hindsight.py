"""Newly arrived rows test the last promotion: was the right model champion?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger

from incumbent.errors import BadData, Blocked, Conflict, NotFound, StaleRun, Tampered
from incumbent.evaluation.roles import PREDECESSOR, SHADOW
from incumbent.storage.registry.registry import Champion
from tasks.events import emit
from tasks.runs import LEASE_SECONDS, Run
from tasks.step import step

if TYPE_CHECKING:
    from incumbent.evaluation.hindsight import Recall
    from incumbent.models.model import Model


@step
def audit(run: Run) -> Run:
    """Champion, predecessor and shadow score the new rows before anything trains on them.

    The shadow, the challenger held last, becomes champion when the arrivals show it to be better, or waits
    for a person, as promotion.approve says; the predecessor only with promotion.auto_rollback, else an event
    says so. The run goes on from the champion.
    """
    champion = run.registry.champion()
    if run.seq is None or champion is None:
        return run
    if announce_recall(run, champion):  # an earlier try of this task moved the champion
        return run.against(champion.version)
    if champion.version != run.champion:
        return run
    from incumbent.evaluation.hindsight import Keep, look_back

    rivals = _rivals(run, champion)
    hindsight = look_back(
        _all_scores(run, rivals, champion),
        champion.version,
        rivals,
        run.params.promotion,
        blocked=champion.blocked,
        unmet=_unmet(run, rivals.get(SHADOW)),
    )
    run.write("hindsight", {"txid": champion.txid, **hindsight.to_json()})
    if isinstance(hindsight, Keep):
        return run
    get_run_logger().warning("%s", "; ".join(hindsight.because))
    _announce(run, champion, hindsight)
    if hindsight.asks:
        return _ask(run, run.seq, champion, hindsight)
    return _recall(run, run.seq, champion, hindsight) if hindsight.takes_office else run


def announce_recall(run: Run, champion: Champion) -> bool:
    """Is this the champion that the run recalled? Emit its promotion if it was the shadow.

    A run may die, or lose its connection, between promotion and event; the same event twice acts once.
    """
    hindsight = run.read("hindsight")
    if not (hindsight and hindsight.get("takes_office")):
        return False
    if (champion.version, champion.prev_txid) != (hindsight["version"], hindsight["txid"]):
        return False
    if hindsight["role"] == SHADOW:
        name, reasons = run.params.dataset.name, hindsight["reasons"]
        about = {"run": run.seq, "data": run.data.short, "champion": champion.version}
        payload = {**about, "kind": "promote", "role": SHADOW, "reasons": reasons}
        once = f"shadow {champion.txid} of {run.params.registry.address}"
        emit(run.project, "model.promoted", f"incumbent.model.{name}", name, once=once, payload=payload)
    return True


def close_recall(run: Run, dead: int) -> None:
    """Announce what a run recalled that died before it could."""
    if champion := run.registry.champion():
        announce_recall(replace(run, seq=dead), champion)


def _rivals(run: Run, champion: Champion) -> dict[str, str]:
    known = {PREDECESSOR: run.registry.predecessor(champion), SHADOW: run.registry.last_held(champion)}
    return {role: version for role, version in known.items() if version is not None}


def _unmet(run: Run, shadow: str | None) -> tuple[str, ...]:
    """The guardrails that the shadow's verdict left open; arrivals judge its gain alone."""
    if shadow is None:
        return ()
    from incumbent.evaluation.decide import Evidence, unmet_guardrails

    made_by = run.manifest(shadow)["run_seq"]
    try:
        contest = json.loads(run.registry.read_record(made_by, "comparison.json"))
        return unmet_guardrails(Evidence.from_json(contest["evidence"]), run.params.promotion)
    except (NotFound, ValueError, LookupError, TypeError):
        return (f"run {made_by} left no evidence on slices and guardrails that can be read",)


def _all_scores(run: Run, rivals: dict[str, str], entry: Champion) -> list[dict[str, Any]]:
    """The scores of all arrivals since the champion took office, in order; missing ones are computed now.

    Those of partitions on probation are kept too, but no model takes office by them; a correction is scored
    anew.
    """
    digests = run.data.digests
    scores = {
        score["partition"]: score
        for score in run.registry.scores(run.diff.added)
        if score.get("md5") in (None, digests[score["partition"]])  # earlier releases kept no md5
    }
    new = [name for name in run.diff.added if name not in scores]
    models = {role: model for role, version in rivals.items() if (model := _opened(run, version))}
    learned = {role: set(run.manifest(rivals[role])["data"]["partitions"]) for role in models}
    champion = run.model(str(run.champion)) if new else None
    for name, path in zip(new, run.files(new), strict=True):
        unbiased = {role: model for role, model in models.items() if name not in learned[role]}
        document = champion and _score(run, champion, unbiased, path)
        if document:
            about = {"run": run.seq, "md5": digests[name]}
            scores[name] = run.registry.put_score(name, {**document, **about})
    # It may have been champion before, against other rivals.
    since = [
        score
        for score in scores.values()
        if score["run"] > entry.run_seq and score["partition"] not in run.on_probation
    ]
    return sorted(since, key=lambda score: (score["run"], score["partition"]))


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
    emit(run.project, "model.outperformed", f"incumbent.model.{name}", name, once=once, payload=payload)


def _recall(run: Run, seq: int, champion: Champion, recall: Recall) -> Run:
    """Make the better model champion by the registry's own protocol, and go on from its data."""
    reason = f"in hindsight: {'; '.join(recall.because)}"
    # The fencing token stops a run older than the champion, not one whose work was taken over.
    run.registry.check_claim(run.work, seq, LEASE_SECONDS)
    try:
        if recall.role == PREDECESSOR:
            entry = run.registry.rollback(recall.version, reason, instead_of=champion)
        else:
            run.registry.verify(recall.version)
            # With the number of the run that made it, between the champion's and this run's.
            made_by = run.manifest(recall.version)["run_seq"]
            entry = run.registry.promote(recall.version, made_by, champion, reason)
    except (Conflict, StaleRun, Blocked, NotFound, Tampered) as refused:
        return _refused(run, recall, str(refused))
    announce_recall(run, entry)
    return run.against(recall.version)


def _ask(run: Run, seq: int, champion: Champion, recall: Recall) -> Run:
    """Let the shadow wait for a person, unless one has refused it; the run goes on from the champion."""
    made_by, version = run.manifest(recall.version)["run_seq"], recall.version
    run.registry.check_claim(run.work, seq, LEASE_SECONDS)
    try:
        request = run.registry.approvals.ask(version, made_by, champion, recall.because, asked_by=seq)
    except (Conflict, StaleRun, Blocked, NotFound, Tampered) as refused:
        return _refused(run, recall, str(refused))
    if request.refused and request.answer:
        return _refused(run, recall, f"it was refused by {request.answer.by}: {request.answer.reason}")
    name = run.params.dataset.name
    about = {"run": seq, "data": run.data.short, "champion": champion.version, "challenger": version}
    payload = {**about, "kind": "pending", "role": SHADOW, "reasons": list(recall.because)}
    once = f"shadow {version} over {champion.txid} of {run.params.registry.address}"
    emit(run.project, "model.pending", f"incumbent.model.{name}", name, once=once, payload=payload)
    return run


def _refused(run: Run, recall: Recall, why: str) -> Run:
    """Go on with the champion of now; a person may have moved it meanwhile."""
    reason = f"{recall.version} ({recall.role}) did not take office: {why}"
    get_run_logger().warning("%s", reason)
    kept = replace(recall, because=(*recall.because, reason), takes_office=False, asks=False)
    run.write("hindsight", kept.to_json())
    champion = run.registry.champion()
    return run.against(champion.version) if champion else run
