"""incumbent expectations: a first suite, drafted from data."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, show
from incumbent.errors import BadInput
from incumbent.params import load_params

app = typer.Typer(no_args_is_help=True, help="Suites that the gate checks: expectations/*.json.")


@app.callback()
def _group() -> None:
    """Keeps `draft` a command of its own while it is the only one."""


@app.command()
def draft(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Parquet, CSV or JSON Lines, or folders; default: all partitions of the data."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing suite of that name.")] = False,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Draft expectations/<dataset.name>.json: types, ranges with slack, sets, null rates, keys, row counts.

    Each expectation notes where it came from. Edit the file; it is a plain Great Expectations suite.
    """
    from incumbent.gate.draft import draft_suite
    from incumbent.storage.dataset.versions import fetch, resolve
    from incumbent.tables.sources import read_source, require_own_names, sources_of

    project = enter(project)
    params = load_params(project)
    suite_file = project / "expectations" / f"{params.dataset.name}.json"
    if suite_file.exists() and not force:
        raise BadInput(f"{suite_file} exists; give --force to write over it, and git will keep what it was")
    with TemporaryDirectory() as folder:
        if files:
            sources = [source for file in files for source in sources_of(file)]
            require_own_names(sources)
            copies = [Path(folder) / f"{source.name}.parquet" for source in sources]
            for source, copy in zip(sources, copies, strict=True):
                read_source(source, copy, params.dataset)
        else:
            version = resolve(project)
            names = [partition.name for partition in version.partitions]
            copies = [Path(folder) / name.replace("/", "-") for name in names]  # the notes name them
            for path, copy in zip(fetch(project, version, names), copies, strict=True):
                copy.symlink_to(path)
        suite = draft_suite(copies, params)
    suite_file.parent.mkdir(exist_ok=True)
    suite_file.write_text(json.dumps(suite, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show({"suite": str(suite_file), "expectations": len(suite["expectations"])}, as_json, _told)


def _told(document: dict[str, Any]) -> str:
    return (
        f"{document['expectations']} expectations in {document['suite']}; read them before you rely on them"
    )
