"""incumbent init: a project around the user's own table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli.options import Json, show


def init(
    data: Annotated[
        Path, typer.Option("--data", help="A table, or a folder of files: Parquet, CSV, JSON Lines.")
    ],
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    key: Annotated[
        list[str] | None, typer.Option("--key", help="A column that identifies a row; repeat.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="The column that orders the rows; splits one file by month or day."),
    ] = None,
    project: Annotated[Path, typer.Option("--project", help="The new project's folder.")] = Path(),
    as_json: Json = False,
) -> None:
    """A new project around your own table: git, DVC, params.yaml, expectations, the first data version."""
    from incumbent.cli.new_project import create

    show(create(data, target, key or [], time, project.resolve()), as_json, _told)


def _told(document: dict[str, Any]) -> str:
    lines = [
        f"{document['rows']:,} rows in {len(document['data']['partitions'])} partitions; data version "
        f"{document['data']['name']}",
        f"task {document['task']}, judged by {document['metric']}",
        f"{document['expectations']} expectations drafted",
    ]
    if document["dropped"]:
        lines.append(f"no features, as nearly every row has another value: {', '.join(document['dropped'])}")
    where = document["project"]
    return "\n".join(
        [
            *lines,
            f"Look over {where}/params.yaml and {where}/expectations/, then:",
            f"  incumbent up --project {where}",
            f"  incumbent retrain --project {where}",
        ]
    )
