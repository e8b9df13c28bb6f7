"""incumbent models history: every change of the champion, or what each run cost."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli import approve
from incumbent.cli.options import Json, Project, show, table
from incumbent.cli.registry import registry_of
from incumbent.storage.registry.costs import costs
from incumbent.storage.registry.registry import Registry, champion_at

SUMMED = (
    "cpu_seconds",
    "gpu_seconds",
    "wall_seconds",
    "s3_requests",
    "s3_retries",
    "received_bytes",
    "sent_bytes",
)


def history(
    at: Annotated[
        str | None, typer.Option(help="Only the champion at this time, such as 2026-11-25T14:00Z.")
    ] = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="What each run cost instead, with sums by its decision.")
    ] = False,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """List every change of the champion and every refusal, oldest first: when, by whom and why."""
    if cost and at is not None:
        raise typer.BadParameter("it lists all runs, and --at asks for one moment", param_hint="--cost")
    registry = registry_of(project)
    if cost:
        show(_costs(registry), as_json, _costs_text)
    else:
        show(_changes(registry, at), as_json, _changes_text)


def _changes(registry: Registry, at: str | None) -> list[dict[str, Any]]:
    entries = registry.history()
    if at is not None:
        then = champion_at(entries, at)
        return [then.to_json()] if then else []
    refusals = [approve.as_history(each) for each in registry.approvals.refusals()]
    return sorted((*(each.to_json() for each in entries), *refusals), key=lambda each: each["at"])


def _changes_text(document: list[dict[str, Any]]) -> str:
    header = ["seq", "at", "op", "version", "replaced", "by", "reason"]
    rows = []
    for entry in document:
        absent = {name: "–" for name in ("seq", "replaced") if entry[name] is None}
        shown = {**entry, "at": entry["at"][:19], **absent}
        rows.append([str(shown[name]) for name in header])
    return table(header, rows)


def _costs(registry: Registry) -> dict[str, Any]:
    runs = [{name: value for name, value in each.items() if name != "format"} for each in costs(registry)]
    kinds = dict.fromkeys(each["decision"] for each in runs)
    sums = {kind: _sum(each for each in runs if each["decision"] == kind) for kind in kinds}
    return {"runs": runs, "by_decision": sums, "total": _sum(runs)}


def _sum(runs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums of what adds up; money by currency, of the runs that have a price."""
    listed, money = list(runs), dict[str, float]()
    for each in listed:
        if priced := each["money"]:
            money[priced["currency"]] = money.get(priced["currency"], 0.0) + priced["amount"]
    return {"runs": len(listed), **{name: _total(listed, name) for name in SUMMED}, "money": money}


def _total(runs: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [each[name] for each in runs if each[name] is not None]
    return round(sum(known), 3) if known else None


def _costs_text(document: dict[str, Any]) -> str:
    if not document["runs"]:
        return "no run has recorded its cost yet"
    header = ["CPU s", "GPU s", "wall s", "S3 requests", "MB moved", "money"]
    runs = [
        [str(each["run"]), each["at"][:19], each["decision"], *_figures(each, _money([each["money"]]))]
        for each in document["runs"]
    ]
    sums = {**document["by_decision"], "all": document["total"]}
    kinds = [
        [kind, str(each["runs"]), *_figures(each, _money(_priced(each["money"])))]
        for kind, each in sums.items()
    ]
    return "\n\n".join(
        [table(["run", "at", "decision", *header], runs), table(["decision", "runs", *header], kinds)]
    )


def _figures(cost: Mapping[str, Any], money: str) -> list[str]:
    gpu = "–" if cost["gpu_seconds"] is None else f"{cost['gpu_seconds']:,.1f}"
    moved = (cost["received_bytes"] + cost["sent_bytes"]) / 1e6
    times = f"{cost['cpu_seconds']:,.1f}", gpu, f"{cost['wall_seconds']:,.1f}"
    return [*times, f"{cost['s3_requests']:,}", f"{moved:,.1f}", money]


def _priced(sums: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"amount": amount, "currency": currency} for currency, amount in sums.items()]


def _money(amounts: Iterable[Mapping[str, Any] | None]) -> str:
    return ", ".join(f"{each['amount']:,.4f} {each['currency']}" for each in amounts if each) or "–"
