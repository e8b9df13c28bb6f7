"""incumbent drop-column: train without a leaky column."""

from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli.approve import answer
from incumbent.cli.mirror import send_champion
from incumbent.cli.options import Json, Project, enter, show
from incumbent.cli.outcome import describe, kind_of
from incumbent.cli.registry import registry_of
from incumbent.errors import BadInput


def drop_column(
    columns: Annotated[list[str], typer.Argument(help="Columns that models must not read any more.")],
    reason: Annotated[str, typer.Option(help="Why; kept in git's log, the record and the registry's log.")],
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Remove leaky columns: add them to dataset.drop, train without them, replace a champion that reads them.

    The comparison takes the columns away from the champion too. The challenger becomes champion unless it is
    shown to be worse even so, or is unfit. `incumbent models rollback` undoes that.
    """
    project = enter(project)
    from flows.retrain import retrain as flow
    from incumbent.cli.prefect_runs import in_this_process
    from incumbent.evaluation.doubts import FORCE
    from incumbent.features.schema import Schema
    from incumbent.storage.dataset.params_file import drop_columns

    if not reason.strip():
        raise BadInput("dropping a column needs a reason; it is kept in git's log and in the registry's")
    registry = registry_of(project)
    champion = registry.champion()
    read = Schema.from_json(registry.manifest(champion.version)["schema"]).inputs if champion else []
    drop_columns(project, columns, reason)
    why = f"drop-column {', '.join(columns)}: {reason}"
    document = {**in_this_process(flow, project=project, started_by=why), "forced": None}
    leaves = bool(champion and set(columns) & set(read))
    if leaves and kind_of(document) == "pending":
        # The person whom promotion.approve asks for has just said why.
        done = answer(project, document["challenger"], "approve", why)
        document |= {"champion": done["champion"], "decision": done["decision"]}
    if leaves and kind_of(document) == "hold":
        entry = registry.force(document["challenger"], why)
        send_champion(project, registry)
        # The command that they name was just carried out.
        decision = document["decision"]
        reasons = [each for each in decision["reasons"] if FORCE not in each]
        document["decision"] = {**decision, "reasons": reasons}
        document |= {"champion": entry.version, "forced": {"seq": entry.seq, "by": entry.by, "reason": why}}
    show(document, as_json, _text)


def _text(document: dict[str, Any]) -> str:
    lines = [describe(document)]
    if document["forced"]:
        lines.append(
            "  held, but made champion by force, because its predecessor reads a dropped column; to undo "
            "that: incumbent models rollback"
        )
    return "\n".join(lines)
