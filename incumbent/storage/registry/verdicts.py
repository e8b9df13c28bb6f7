"""What became of each challenger: its run's verdict, what a person said, and whether it was champion."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from incumbent.errors import NotFound
from incumbent.storage.registry.approval_request import ApprovalRequest
from incumbent.storage.registry.champion import VERDICTS, Champion
from incumbent.storage.registry.registry import Registry

OFFICE = {"promote": "promoted", "provisional": "provisional", "force": "forced"}
"""Entry of the log -> in a word, what became of the version."""

# A winner that waits is the newest request; of an older one a newer winner took the place.
DECIDED = {"hold": "held", "reject": "rejected", "pending": "expired"}


def verdicts(registry: Registry, manifests: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Version -> promoted, provisional, forced, rolled back, pending, refused, expired, held or rejected.

    Without the versions of no run, and those of a run that has not decided.
    """
    made_by = {each["version"]: each["run_seq"] for each in manifests if each.get("run_seq") is not None}
    decisions = registry.decisions(made_by.values())
    decided = {
        version: DECIDED[decisions[run]["kind"]]
        for version, run in made_by.items()
        if run in decisions and decisions[run]["kind"] in DECIDED
    }
    history = registry.history()
    champion = history[-1] if history else None
    office = {each.version: OFFICE[each.op] for each in history if each.op != "rollback"}
    blocked = dict.fromkeys(champion.blocked if champion else (), "rolled back")
    return {**decided, **answers(registry, champion), **office, **blocked}


def last_decision(registry: Registry, run_seq: int) -> dict[str, Any] | None:
    """A run's decision, its kind and reasons; of a winner that waited what came of the wait, and the person's
    reason. None while the run goes on."""
    decision = registry.decisions([run_seq]).get(run_seq)
    if decision is None or decision["kind"] != "pending":
        return decision
    for entry in registry.history():
        if entry.run_seq == run_seq and entry.op in VERDICTS:
            return {"kind": entry.op, "reasons": [entry.reason]}
    request = registry.approvals.latest()
    if request is None or request.run_seq != run_seq:  # a newer winner took its place
        return {**decision, "kind": "expired"}
    ended = _answer(request, registry.champion())
    reasons = [request.answer.reason] if request.answer and ended != "pending" else decision["reasons"]
    return {"kind": ended, "reasons": reasons}


def answers(registry: Registry, champion: Champion | None) -> dict[str, str]:
    """Version -> pending, refused or expired, of those in `requests`."""
    return {version: _answer(each, champion) for version, each in requests(registry).items()}


def requests(registry: Registry) -> dict[str, ApprovalRequest]:
    """Version -> its request for approval, of every refused version and of the newest that waited."""
    latest = registry.approvals.latest()
    known = {each.version: each for each in registry.approvals.refusals()}
    return {**known, latest.version: latest} if latest else known


def _answer(request: ApprovalRequest, champion: Champion | None) -> str:
    if request.answer is not None and request.answer.kind != "approved":
        return request.answer.kind
    return "expired" if request.expired(champion) else "pending"


def no_champion(registry: Registry) -> NotFound:
    """The error where a champion is needed and there is none: what became of the newest challenger, and what
    a person can do."""
    none_yet = f"model '{registry.model}' has no champion yet"
    newest = next(iter(registry.versions()), None)
    verdict = verdicts(registry, [newest]).get(newest["version"]) if newest else None
    if newest is None or verdict is None:
        return NotFound(f"{none_yet}; train one with 'incumbent retrain'")
    return NotFound(f"{none_yet}: {_what_helps(registry, newest, verdict)}")


def _what_helps(registry: Registry, manifest: Mapping[str, Any], verdict: str) -> str:
    version = manifest["version"]
    if verdict == "pending":
        approve = f"incumbent models approve {version} --reason TEXT"
        return f"'{version}' waits for approval; make it champion with '{approve}'"
    force = f"'incumbent models promote {version} --force --reason TEXT' makes it champion all the same"
    if verdict in ("held", "rejected"):
        return (
            f"'{version}' was {verdict}, and 'incumbent models show {version}' says why; from the same rows "
            f"and parameters comes the same verdict, so add rows or edit params.yaml, then run 'incumbent "
            f"retrain'; {force}"
        )
    answer = request.answer if (request := requests(registry).get(version)) else None
    who = f" by {answer.by}: {answer.reason}" if answer and answer.kind == "refused" else ""
    what = (
        f"'{version}' was refused{who}" if verdict == "refused" else f"the approval of '{version}' {verdict}"
    )
    if _made_in_full(registry, manifest):  # the same command once more would do nothing
        return f"{what}; {force}"
    return (
        f"{what}; 'incumbent retrain --strategy full' makes another challenger, which waits for you; {force}"
    )


def _made_in_full(registry: Registry, manifest: Mapping[str, Any]) -> bool:
    """Has a run on the same data been asked for with --strategy full already?"""
    same = [each for each in registry.versions() if each["data"]["md5"] == manifest["data"]["md5"]]
    starts = (
        json.loads(registry.read_record(each["run_seq"], "start.json")) for each in same if "run_seq" in each
    )
    return any(start.get("strategy") == "full" for start in starts)
