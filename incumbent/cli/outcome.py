"""How a run's outcome looks in a terminal."""

import textwrap
from typing import Any

from incumbent.cli.approve import how_to_answer
from incumbent.cli.options import pairs


def kind_of(document: dict[str, Any]) -> str | None:
    """promote, pending, hold, reject, skip or block; None where nothing was decided."""
    decision = document.get("decision")
    return decision["kind"] if decision else None


def describe(document: dict[str, Any]) -> str:
    """What `retrain --json` prints, in lines: every reason has its own."""
    from incumbent.evaluation.approval import waiting

    decision, plan = document["decision"], document["plan"]
    lines = []
    hindsight = document["hindsight"]
    if hindsight and hindsight["kind"] != "keep":
        lines += [("in hindsight", reason) for reason in hindsight["reasons"]]
    if plan:
        lines.append(("plan", f"{plan['kind']}: {'; '.join(plan['reasons'])}"))
        if plan["window"] and plan["window"]["partitions"]:
            lines.append(("window", plan["window"]["reason"]))
    if document["resumed_from"]:
        lines.append(("resumed", f"from run {document['resumed_from']}"))
    if document["unlabelled"]:
        lines.append(("unlabelled", f"{document['unlabelled']:,} new rows without a label"))
    lines += [("because", reason) for reason in decision["reasons"]]
    lines.append(("champion", document["champion"] or "none"))
    if waits := waiting(document):
        lines.append(("pending", how_to_answer(waits)))
    name = f"run {document['run']}" if document["run"] else "dry run"
    title = f"{name} on {document['data']['name']}: {decision['kind']}"
    return "\n".join([title, textwrap.indent(pairs(lines), "  ")])
