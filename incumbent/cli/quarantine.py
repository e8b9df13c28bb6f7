"""incumbent quarantine: what the gate refused or put on probation and why, and how to release it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, say, show, table
from incumbent.cli.registry import require_registry
from incumbent.errors import BadInput, StorageUnavailable
from incumbent.params import Params, load_params
from incumbent.storage.registry.identity import require_own_model

if TYPE_CHECKING:
    from incumbent.gate.probation import Release

app = typer.Typer(
    no_args_is_help=True, help="Files and rows that the gate refused, and partitions on probation."
)

WHAT = {"file": "file", "probation": "partition"}

Entry = Annotated[str, typer.Argument(help="As `list` prints it.")]


@app.command("list")
def list_(project: Project = Path(), as_json: Json = False) -> None:
    """List blocked files, rows set aside, and partitions on probation, with the first reason of each.

    Without S3 only the partitions on probation are known, which are in git.
    """
    from incumbent.storage.dataset.probation import entries, record_at

    project = enter(project)
    params = load_params(project)
    on_probation = entries(record_at(project))
    show([*_in_quarantine(params, project, on_probation), *on_probation], as_json, _as_table)


def _in_quarantine(params: Params, project: Path, on_probation: Sequence[Any]) -> list[dict[str, Any]]:
    """Raises StorageUnavailable only where nothing else can be shown."""
    from incumbent.storage.dataset.quarantine import open_quarantine

    try:
        require_own_model(params, project)
        return open_quarantine(params).entries()
    except StorageUnavailable as error:
        if not on_probation:
            raise
        say(f"which files and rows are in quarantine is not known without S3: {error}")
        return []


@app.command("show")
def show_(entry: Entry, project: Project = Path(), as_json: Json = False) -> None:
    """Show an entry: all reasons, who set it aside and when, who released it; of rows the first ten."""
    from incumbent.storage.dataset.probation import entries, record_at
    from incumbent.storage.dataset.quarantine import open_quarantine
    from incumbent.tables.parquet import read_partition

    project = enter(project)
    params = load_params(project)
    require_own_model(params, project)
    quarantine = open_quarantine(params)
    on_probation = {each["entry"]: each for each in entries(record_at(project))}
    document = on_probation.get(entry) or quarantine.show(entry)
    if document["kind"] == "rows":
        with TemporaryDirectory() as folder:
            rows = read_partition(quarantine.fetch(entry, Path(folder)).path).head(10)
        document["first_rows"] = rows.astype(str).to_dict("records")
    show(document, as_json, lambda shown: json.dumps(shown, indent=2, ensure_ascii=False))


@app.command()
def release(
    entry: Entry,
    reason: Annotated[str, typer.Option(help="Why it is released; kept with the entry.")],
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Add a refused file to the data in spite of the gate, or refused rows to the partition they came with.

    The columns must still fit, and the partition must not have changed since. A partition on probation is
    released by its name, such as 2026-05.parquet: from then on models learn from it.
    """
    if not reason.strip():
        raise BadInput("a release needs a reason; it is kept with the entry")
    project = enter(project)
    require_registry(project)
    # What can't be released is told before Prefect logs an error and keeps a failed run of it.
    in_quarantine = re.match(r"[0-9a-f]{12}-", entry)  # as every entry there begins
    before = None
    if in_quarantine:
        _require_held(entry, project)
    else:
        before = _released_before(entry, project)
    # Prefect reads where its server is when it is imported.
    from flows.end_probation import end_probation
    from flows.release import release as flow
    from incumbent.cli.prefect_runs import in_this_process

    if in_quarantine:
        with TemporaryDirectory() as folder:
            done = in_this_process(flow, project=project, entry=entry, reason=reason, folder=Path(folder))
    else:  # also if it was released, as that may have died before its event
        done = in_this_process(end_probation, project=project, partition=entry, reason=reason)
    done["released_before"] = before and vars(before)
    what = f"{entry} is released already ({before})" if before else "released"
    show(done, as_json, lambda d: f"{what}: data version {d['data']['name']} ({d['data']['rev'][:10]})")


def _require_held(entry: str, project: Path) -> None:
    """Raises NotFound, and BadInput if it was released."""
    from incumbent.storage.dataset.quarantine import open_quarantine

    params = load_params(project)
    require_own_model(params, project)
    open_quarantine(params).require_held(entry)


def _released_before(partition: str, project: Path) -> "Release | None":
    """Who released it, if somebody did. Raises NotFound if it is not in the data."""
    from incumbent.storage.dataset.arrivals import catch_up
    from incumbent.storage.dataset.probation import digest_in, record_at
    from incumbent.storage.dataset.versions import resolve

    catch_up(project)
    md5, entry = digest_in(resolve(project), partition), record_at(project).get(partition)
    return entry.released if entry and entry.md5 == md5 else None


def _as_table(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["entry"],
            f"{each['rows']:,} rows" if each["kind"] == "rows" else WHAT[each["kind"]],
            each["at"][:19],
            _state(each),
            "; ".join([each["reasons"][0], *filter(None, [each.get("note")])]),
        ]
        for each in found
    ]
    header = ["entry", "what", "since", "state", "first reason"]
    return table(header, rows) if rows else "nothing is in quarantine"


def _state(entry: dict[str, Any]) -> str:
    if entry["released"]:
        return "released"
    return "on probation" if entry["kind"] == "probation" else "held"
