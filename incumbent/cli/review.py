"""incumbent models audit and reproduce: was a verdict right, and can a version be made again?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from incumbent.cli.models import Version
from incumbent.cli.options import Json, Project, enter, pairs, show, table
from incumbent.cli.registry import registry_of, version_named
from incumbent.params import load_params
from incumbent.storage.registry.champion import VERDICTS
from incumbent.storage.registry.verdicts import answers


def audit(project: Project = Path(), as_json: Json = False) -> None:
    """List every past verdict, and whether later arrivals confirm it."""
    from incumbent.evaluation.approval import settled
    from incumbent.evaluation.review import review

    registry, params = registry_of(project), load_params(enter(project))
    history = registry.history()
    promoted = {entry.run_seq: entry.op for entry in history if entry.op in VERDICTS}
    said = answers(registry, history[-1] if history else None)
    outcomes = [settled(json.loads(body), promoted, said) for body in registry.records("decision.json")]
    verdicts = review(outcomes, registry.scores(), params.promotion)
    document = [{**asdict(each), "text": str(each.gain) if each.gain else "–"} for each in verdicts]
    show(document, as_json, lambda d: _audited(d, params.promotion.metric))


def reproduce(version: Version = "champion", project: Project = Path(), as_json: Json = False) -> None:
    """Train a version again with its own code and compare every byte. Exit code 1 if one differs."""
    from incumbent.storage.serving.reproduce import reproduce as again

    folder, registry = enter(project), registry_of(project)
    rebuilt = again(folder, registry, version_named(registry, version))
    show(rebuilt.to_json(), as_json, _reproduced)
    if not rebuilt.same:
        raise typer.Exit(1)


def _audited(document: list[dict[str, Any]], metric: str) -> str:
    header = ["run", "verdict", "challenger", "incumbent", f"gain in {metric} since", "said"]
    rows = [
        [str(d["run"]), d["decision"], d["challenger"], d["incumbent"] or "–", d["text"], d["said"]]
        for d in document
    ]
    return table(header, rows)


def _reproduced(document: dict[str, Any]) -> str:
    lines = [
        (name, f"{'same   ' if published == rebuilt else 'DIFFERS'}  {rebuilt}")
        for name, (published, rebuilt) in document["files"].items()
    ]
    lines += [
        (f"environment: {name}", f"{then} then, {now} now")
        for name, (then, now) in document["environment"].items()
    ]
    verdict = "reproduced byte for byte" if document["same"] else "NOT reproduced"
    return "\n".join([f"{document['version']} {verdict} from code {document['code'][:10]}", pairs(lines)])
