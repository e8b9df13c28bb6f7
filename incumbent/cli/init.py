"""incumbent init: a project around the user's own table."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import Json, command, percent, printable, show, table
from incumbent.errors import BadInput, IncumbentError
from incumbent.errors.machine import PROJECT
from incumbent.params import FORMATS, DatasetParams, Params

if TYPE_CHECKING:
    from incumbent.cli.new_project import Check

LONGEST_NAME = 60  # in the table of columns


def init(
    data: Annotated[
        Path,
        typer.Option("--data", help="A table, or a folder of files: Parquet, CSV, TSV, JSON Lines."),
    ],
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    key: Annotated[
        list[str] | None, typer.Option("--key", help="A column that identifies a row; repeat for several.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="The column that orders the rows; splits one file by month or day."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--zone", help="Where months and days begin at midnight, such as Europe/Berlin."),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="COL=FORM",
            help=f"How to read a column that is ambiguous: {', '.join(FORMATS)}; repeat for several.",
        ),
    ] = None,
    from_mlflow: Annotated[
        str | None,
        typer.Option(
            "--from-mlflow",
            metavar="MODEL",
            help="models:/NAME@champion: a LightGBM model that is the champion to beat.",
        ),
    ] = None,
    project: Annotated[Path, typer.Option("--project", help="The new project's folder.")] = Path(),
    as_json: Json = False,
) -> None:
    """Make a project around your own table: git, DVC, params.yaml, expectations, the first data version."""
    from incumbent.cli.new_project import create
    from incumbent.cli.workspace import share

    os.environ[PROJECT] = str(project.resolve())
    dataset = DatasetParams.model_validate(
        {"name": "new", "target": target, "key": key or [], "time": time, "formats": _formats(form or [])}
    )
    with _candidate(from_mlflow) as check:
        document = create(data, dataset, project.resolve(), zone, check)
    # Before the stack hears of the project: its workers would train a first champion of their own.
    if from_mlflow:
        document |= _adopted(project.resolve(), from_mlflow)
    if document["workspace"]:
        document["shared"] = share(project.resolve())
    show(document, as_json, _told)


@contextmanager
def _candidate(model: str | None) -> Iterator["Check | None"]:
    """Download the model; the check is whether it fits the table. None without a model, and where a server
    does not answer: `models adopt` checks it then.
    """
    if model is None:
        yield None
        return
    from incumbent.errors import StorageUnavailable
    from incumbent.tracking.mlflow_api import open_api
    from incumbent.tracking.mlflow_download import download
    from incumbent.tracking.sink import Undelivered

    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            file = download(open_api(os.environ), model, folder).file
        except (StorageUnavailable, Undelivered):
            yield None
            return

        def check(paths: Sequence[Path], params: Params) -> None:
            from incumbent.challenger.foreign import adopt

            adopt(file, paths, params, folder)

        yield check


def _adopted(project: Path, model: str) -> dict[str, Any]:
    """Who is champion now; without S3, which is started with the project's stack, what to do then."""
    from incumbent.cli.adopt import adopted
    from incumbent.cli.options import enter
    from incumbent.errors import StorageUnavailable
    from incumbent.tracking.sink import Undelivered

    later = command(f"models adopt {model}", project)
    try:
        return {"adopted": adopted(enter(project), model)}
    except (StorageUnavailable, Undelivered):
        return {"adopted": None, "next": later}
    except IncumbentError as error:
        raise BadInput(
            f"the project {project} is made, without its champion: {error}. When that is mended: {later}"
        ) from error


def _formats(given: list[str]) -> dict[str, str]:
    """COL=FORM, as dataset.formats has it."""
    formats = dict(each.rpartition("=")[::2] for each in given)
    for column, form in formats.items():
        if not column or form not in FORMATS:
            raise BadInput(f"--format {column}={form}: give COL=FORM, with one of {', '.join(FORMATS)}")
    return formats


def _told(document: dict[str, Any]) -> str:
    from incumbent.gate.wording import count
    from incumbent.tables.checks import ColumnWarning, summed_up  # loads pandas

    where = document["project"]
    warnings = [ColumnWarning(**each) for each in document["warnings"]]
    return "\n".join(
        [
            _columns(document["columns"]),
            "",
            *(f"look at  {printable(str(each))}" for each in summed_up(warnings)),
            f"{count(document['rows'], 'row')} in {count(len(document['data']['partitions']), 'partition')}; "
            f"data version {document['data']['name']}",
            f"task {document['task']}, judged by {document['metric']}",
            f"the gate's limits: {document['limits']} learned from the data; expectations of your own: "
            f"{document['expectations']} drafted",
            *_adoption(document.get("adopted")),
            f"Look over {where}/params.yaml and {where}/expectations/, then:",
            *([] if document.get("shared") else [f"  {command('up', document['workspace'] or where)}"]),
            *([f"  {document['next']}"] if document.get("next") else []),
            f"  {command('retrain', where)}",
        ]
    )


def _adoption(adopted: dict[str, Any] | None) -> list[str]:
    if adopted is None:
        return []
    from incumbent.cli.adopt import describe

    return [describe(adopted)]


def _columns(columns: list[dict[str, Any]]) -> str:
    rows = [
        [
            _shortened(each["column"]),
            each["kind"] or "–",
            percent(each["share_empty"]),
            each["example"],
            each["becomes"],
            each["why"],
        ]
        for each in columns
    ]
    # The document has the names whole; in a table, one long name would make every line as long.
    return table(["column", "kind", "empty", "example", "becomes", "why"], rows)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
