"""The documents of a run: the decision, for the registry, and all facts, for the report's page."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tasks.evidence import comparison_of, evidence_of
from tasks.resume import resumed_from
from tasks.runs import Run

if TYPE_CHECKING:
    from incumbent.compare import Comparison

LATEST = 12
"""Arrivals in the report's series."""


def outcome_of(run: Run, champion: str | None) -> dict[str, Any]:
    gate, plan = run.read("gate"), run.read("plan")
    contest, comparison = run.read("comparison"), comparison_of(run)
    return {
        "run": run.seq,
        "data": {"rev": run.data.rev, "md5": run.data.md5, "name": run.data.short, **run.diff.to_json()},
        "verdict": gate["verdict"] if gate else None,
        "unlabelled": gate["unlabelled"] if gate else None,
        "on_probation": gate.get("on_probation", []) if gate else [],
        "hindsight": run.read("hindsight"),
        "plan": plan and {**plan, "window": run.read("window")},
        "challenger": run.version if contest else None,
        "metric": comparison and _metric(comparison, contest["incumbent"]),
        "decision": run.read("decision"),
        "champion": champion,
        "started_by": run.started_by,
        "resumed_from": resumed_from(run),
        "timings": run.read("timings") or {},
    }


def _metric(comparison: Comparison, incumbent: str) -> dict[str, Any]:
    return {
        "name": comparison.metric,
        "champion": asdict(comparison.champion),
        "challenger": asdict(comparison.challenger),
        "difference": comparison.difference.value,
        "ci": [comparison.difference.low, comparison.difference.high],
        "p_value": comparison.p_value,
        "rows": comparison.rows,
        "groups": comparison.groups,
        "incumbent": incumbent,
    }


def facts_of(run: Run, outcome: dict[str, Any]) -> dict[str, Any]:
    challenger, contest, evidence = run.read("challenger"), run.read("comparison"), evidence_of(run)
    return {
        **outcome,
        "dataset": run.params.dataset.name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gate": run.read("gate") or {"verdict": "not reached", "rows": 0, "findings": []},
        "live": run.read("live"),
        "drift": run.read("drift"),
        "estimate": _estimate(run),
        "series": _series(run),
        "evidence": evidence,
        "comparison": comparison_of(run),
        "confidence": f"{run.params.promotion.confidence:.0%}",
        "incumbent": contest["incumbent"] if contest else run.champion,
        "window": contest["partitions"] if contest else [],
        "recipes": bool(contest and contest["recipes"]),
        "excluded": contest["excluded"] if contest else 0,
        "cv": challenger and challenger["cv"],
        "segments": challenger and challenger.get("segments"),
        "rounds": challenger and challenger["rounds"],
        "options": challenger["options"] if challenger else {},
    }


def _estimate(run: Run) -> str | None:
    """What monitor last estimated of the champion, before labels came, in words."""
    from incumbent.storage.serving.prediction_log import open_feedback  # brings pandas

    verdict = open_feedback(run.params).last_verdict(run.champion) if run.champion else None
    return verdict["estimate_reason"] if verdict and verdict.get("estimated") else None


def _series(run: Run) -> list[dict[str, Any]]:
    """How champions did on what arrived, before anything trained on it; the latest arrivals."""
    scores = run.registry.scores([partition.name for partition in run.data.partitions][-LATEST:])
    return sorted(scores, key=lambda score: (score["run"], score["partition"]))
