"""One run's documents as what trackers show of it: figures under names with their unit, tags, trials."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from incumbent.compare import Comparison, Interval
from incumbent.evaluation.decide import Evidence
from incumbent.params import PromotionParams
from incumbent.tracking.names import as_part
from incumbent.tracking.values import Trial

Documents = Mapping[str, Any]
"""What the steps of a run left, by name; None or absent: the step was not reached."""


def figures(documents: Documents, evidence: Evidence | None) -> dict[str, float]:
    """Every figure of a run that is a finite number."""
    sources = (
        _data(documents["outcome"]),
        _live(documents.get("live")),
        _drift(documents.get("drift")),
        _training(documents.get("challenger")),
        _evidence(evidence) if evidence else (),
    )
    known = {name: float(value) for source in sources for name, value in source if value is not None}
    return {name: value for name, value in known.items() if math.isfinite(value)}


def decisive(evidence: Evidence | None, policy: PromotionParams) -> dict[str, float]:
    """What promotion.probability is compared with, where there is a comparison."""
    if evidence is None or evidence.compared is None:
        return {}
    margin = policy.margin_over(evidence.compared.champion.value)
    return {"judging/probability_better_by_margin": evidence.compared.chance(margin)}


def resources(cost: Mapping[str, Any]) -> dict[str, float]:
    """The figures of cost.json that are known; memory in megabytes, as trackers' own figures are."""
    known = {f"system/{name}": cost[name] for name in ("cpu_seconds", "gpu_seconds", "gpu_utilization")}
    known |= {f"system/{name}": cost[name] for name in ("wall_seconds", "s3_requests", "s3_retries")}
    for name in ("peak_memory", "gpu_peak_memory", "received", "sent"):
        value = cost[f"{name}_bytes"]
        known[f"system/{name}_megabytes"] = None if value is None else value / 1e6
    if money := cost["money"]:
        known[f"system/cost_{money['currency'].lower()}"] = money["amount"]
    return {name: float(value) for name, value in known.items() if value is not None}


def parameters(params: Mapping[str, Any]) -> dict[str, str]:
    """params.yaml, with dotted keys as docs/params.md names them."""
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{name}.{key}": text for key, text in parameters(value).items()}
        else:
            flat[name] = str(value)
    return flat


def trials(study: Mapping[str, Any] | None) -> tuple[Trial, ...]:
    """The trials of a study's document."""
    return tuple(
        Trial(
            each["number"],
            each["value"],
            each["options"],
            each["rounds"],
            each["pruned"],
            tuple((int(rounds), float(score)) for rounds, score in each.get("curve", ())),
        )
        for each in (study["trials"] if study else ())
    )


def summary(outcome: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """Decision, plan and reasons in markdown."""
    decision, plan = outcome["decision"], outcome["plan"]
    lines = [f"**{decision['kind']}**", "", *(f"- {reason}" for reason in decision["reasons"])]
    if plan:
        lines += ["", f"Plan: **{plan['kind']}**", "", *(f"- {reason}" for reason in plan["reasons"])]
    if links:
        lines += ["", *(f"[{words}]({address})" for words, address in links.items())]
    return "\n".join(lines)


Figures = Iterator[tuple[str, float | None]]


def _data(outcome: Mapping[str, Any]) -> Figures:
    for name in ("added", "changed", "removed"):
        yield f"data/partitions_{name}", len(outcome["data"][name])
    yield "data/partitions_on_probation", len(outcome["on_probation"])
    yield "data/rows_unlabelled", outcome["unlabelled"]
    for step, seconds in outcome["timings"].items():
        yield f"seconds/{step}", seconds


def _live(live: Mapping[str, Any] | None) -> Figures:
    """The champion on the new rows, before anything trained on them."""
    if live:
        yield from _interval(f"live/{live['metric']}", Interval(live["value"], live["low"], live["high"]))


def _drift(drift: Mapping[str, Any] | None) -> Figures:
    if drift:
        yield "drift/share", drift["share"]
        for shift in (*drift["features"], *([drift["target"]] if drift["target"] else [])):
            yield f"drift/psi/{as_part(shift['column'])}", shift["psi"]


def _training(challenger: Mapping[str, Any] | None) -> Figures:
    if not challenger:
        return
    yield "training/rows", challenger["rows"]
    yield "training/rounds", challenger["rounds"]
    if cv := challenger["cv"]:
        yield f"cv/{cv['metric']}", cv["mean"]
        yield f"cv/{cv['metric']}_std", cv["std"]
        for number, score in enumerate(cv["folds"]):
            yield f"cv/{cv['metric']}_fold_{number}", score


def _evidence(evidence: Evidence) -> Figures:
    """The comparison as `judging/…`, slices as `slices/COLUMN/VALUE/…`, and what guardrails look at."""
    if compared := evidence.compared:
        yield from _comparison("judging", compared)
        yield "judging/rows", compared.rows
        yield "judging/groups", compared.groups
    for each in evidence.slices:
        where = f"slices/{as_part(each.column)}/{as_part(each.value)}"
        yield f"{where}/rows", each.rows
        if each.comparison:
            yield from _comparison(where, each.comparison)
            yield f"{where}/judging_rows", each.comparison.rows
            yield f"{where}/judging_groups", each.comparison.groups
    if evidence.calibration:
        yield "judging/calibration_error", evidence.calibration.error
    if evidence.fairness:
        yield "judging/parity_difference", evidence.fairness.parity_difference
        yield "judging/odds_difference", evidence.fairness.odds_difference
    yield "model/bytes", evidence.model_bytes
    yield "model/microseconds_per_row", evidence.microseconds_per_row


def _comparison(where: str, compared: Comparison) -> Figures:
    yield from _interval(f"{where}/{compared.metric}", compared.challenger)
    yield from _interval(f"{where}/incumbent_{compared.metric}", compared.champion)
    yield from _interval(f"{where}/gain", compared.gain)
    yield f"{where}/probability_better", compared.chance()


def _interval(name: str, interval: Interval) -> Figures:
    yield name, interval.value
    yield f"{name}_low", interval.low
    yield f"{name}_high", interval.high
