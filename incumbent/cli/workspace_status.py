"""incumbent status in a workspace: all its models in a table."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incumbent.cli.options import command, pairs, table, use_stack
from incumbent.cli.status import services
from incumbent.cli.workspace import named, nobody_takes
from incumbent.errors import IncumbentError, NotFound, StorageUnavailable
from incumbent.local import stack
from incumbent.local.names import explained, params_of, shared_names
from incumbent.local.workspace import POINTER, place_of, projects_of, without_data
from incumbent.params import Params, load_params

AT_ONCE = 16  # projects; most of each is waiting for S3
HEADER = ["project", "champion", "since", "last decision", "when", "live", "waits"]


def overview(root: Path) -> dict[str, Any]:
    """The stack, and what each model is like. Never fails on a model or a service: the user asks about it."""
    projects = projects_of(root)
    use_stack(root)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        models = list(pool.map(_described, projects))
    notes = [
        *_unclaimed(projects),
        *(explained(name, sharing) for name, sharing in shared_names(projects).items()),
        *(
            f"{place_of(each)}: no member, as its {POINTER} is gone; see {command('doctor', each)}"
            for each in without_data(root)
        ),
    ]
    return {**stack.status(root), "workspace": str(root), "models": models, "notes": notes}


def _unclaimed(projects: Sequence[Path]) -> list[str]:
    """What landed for no project; nothing where S3 does not answer, of which each model's line tells."""
    from incumbent.storage.dataset.landing import unclaimed

    try:
        return [nobody_takes(address) for address in unclaimed(params_of(projects))]
    except (StorageUnavailable, NotFound):
        return []


def _described(project: Path) -> dict[str, Any]:
    about: dict[str, Any] = {"project": place_of(project)}
    try:
        params = load_params(project)
        about["model"] = params.dataset.name
        return {**about, **_model(project, params)}
    except IncumbentError as error:
        return {**about, "problem": str(error)}


def _model(project: Path, params: Params) -> dict[str, Any]:
    from incumbent.storage.registry.registry import open_registry
    from incumbent.storage.registry.retrainings import Retrainings
    from incumbent.storage.registry.verdicts import last_decision

    registry = open_registry(params, project)
    champion, run = registry.champion(), Retrainings(registry).last_decided()
    decision = last_decision(registry, run.run_seq) if run else None
    request = registry.approvals.waiting()
    return {
        "champion": champion.version if champion else None,
        "provisional": bool(champion and champion.provisional),
        "since": champion.at if champion else None,
        "decision": {"run": run.run_seq, "at": run.at, **decision} if run and decision else None,
        "live": _live(params, champion.version) if champion else None,
        "waits": {
            "pending": request.version if request else None,
            "on_probation": _on_probation(project),
            "quarantine": _quarantined(params),
            "landing": _landed(params),
        },
    }


def _live(params: Params, version: str) -> dict[str, Any] | None:
    """The champion's metric where labels came, by monitor or, without one, on the last arrival."""
    import json

    from incumbent.storage.s3.address import open_store

    store = open_store(f"{params.registry.address.rstrip('/')}/{params.dataset.name}")
    looks = sorted(store.listing(f"monitor/{version}-"), key=lambda each: each.written, reverse=True)
    for look in looks:
        health = json.loads(store.get(look.key).body)
        if health["live"]:  # else it has an estimate alone, as no labels had come
            return {
                "metric": health["metric"],
                "value": health["live"]["value"],
                "decayed": health["decayed"],
            }
    *_, last = (None, *store.list("scores/"))
    score = json.loads(store.get(last).body) if last else None
    if score is None or score["champion"]["version"] != version:
        return None
    return {"metric": score["metric"], "value": score["champion"]["value"], "decayed": False}


def _on_probation(project: Path) -> list[str]:
    from incumbent.gate.probation import held
    from incumbent.storage.dataset.probation import record_at
    from incumbent.storage.dataset.versions import PROBATION, resolve_or_empty

    if not (project / PROBATION).exists():
        return []
    return list(held(record_at(project), resolve_or_empty(project).digests))


def _quarantined(params: Params) -> int:
    from incumbent.storage.dataset.quarantine import open_quarantine

    return sum(not entry["released"] for entry in open_quarantine(params).entries())


def _landed(params: Params) -> int:
    from incumbent.storage.dataset.landing import open_landing

    landing = open_landing(params)
    return len(landing.waiting()) if landing else 0


def describe(document: dict[str, Any]) -> str:
    problems = _problems([each for each in document["models"] if "problem" in each])
    models = table(HEADER, [_row(each) for each in document["models"]]) if document["models"] else ""
    root = document["workspace"]
    hint = f"no projects yet; make one with 'incumbent init --project {root}/NAME …'"
    parts = [pairs(services(document)), models or hint, *document["notes"], *problems]
    return "\n\n".join(parts[:2]) + "".join(f"\n{problem}" for problem in parts[2:])


def _problems(models: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each problem: of a server that does not answer, one for all that ask it."""
    alike: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in models:
        alike[each["problem"].replace(f"/{each.get('model')}/", "/…/")].append(each)
    for first, *others in alike.values():
        yield f"{first['project']}: {first['problem']}"
        if others:
            yield f"the same for {named([each['project'] for each in others])}"


def _row(model: dict[str, Any]) -> list[str]:
    if "problem" in model:
        return [model["project"], "not known", *[""] * (len(HEADER) - 3), "see below"]
    decision, live = model["decision"], model["live"]
    mark = " (provisional)" if model["provisional"] else ""
    return [
        model["project"],
        f"{model['champion'] or 'none'}{mark}",
        _ago(model["since"]),
        f"{decision['kind']}: {_short(decision['reasons'])}" if decision else "–",
        _ago(decision["at"]) if decision else "–",
        f"{live['metric']} {live['value']:.4g}{' decayed' if live['decayed'] else ''}" if live else "–",
        ", ".join(_waiting(model["waits"])) or "–",
    ]


def _waiting(waits: dict[str, Any]) -> Iterator[str]:
    if waits["pending"]:
        yield f"{waits['pending']} for approval"
    for count, what in (
        (len(waits["on_probation"]), "on probation"),
        (waits["quarantine"], "in quarantine"),
        (waits["landing"], "landed"),
    ):
        if count:
            yield f"{count} {what}"


def _short(reasons: list[str], limit: int = 60) -> str:
    first = reasons[0] if reasons else ""
    return first if len(first) <= limit else f"{first[: limit - 1]}…"


def _ago(at: str | None) -> str:
    """A time (ISO 8601) as an age for people."""
    if at is None:
        return "–"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "now"
