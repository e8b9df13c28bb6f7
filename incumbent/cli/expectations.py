"""incumbent expectations: what the gate learned from the data, and the history that it learned from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, show
from incumbent.errors import BadInput
from incumbent.gate.wording import count
from incumbent.params import load_params

app = typer.Typer(no_args_is_help=True, help="What the gate checks: expectations/, and what it learned.")


@app.command()
def profile(
    column: Annotated[
        str | None, typer.Option(help="All figures of this column, with their limits; `*`: of the table.")
    ] = None,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Show the profiles of the data's partitions as tables with small pictures over time.

    Reads the project's files alone: expectations/profiles/, the learned suite and the record of probations.
    """
    from incumbent.cli.profiles import as_text, one_column, profiles_of

    project = project.resolve()
    profiles = profiles_of(project, load_params(project), column)
    text = as_text if column is None else one_column
    show(profiles.to_json(), as_json, lambda _: text(profiles))


@app.command()
def learn(project: Project = Path(), as_json: Json = False) -> None:
    """Learn the gate's limits anew from the data's partitions, and make profiles that are missing.

    `ingest` does this with each arrival: this is for data that came before, or by a push of your own. One
    commit, pushed like any, of expectations/<dataset.name>.learned.json and expectations/profiles/.
    Partitions on probation teach nothing.
    """
    from incumbent.storage.dataset.arrivals import catch_up, commit_documents
    from incumbent.storage.dataset.git import commit_of
    from incumbent.storage.dataset.history import anew, learned_here, learned_path
    from incumbent.storage.dataset.probation import record_at
    from incumbent.storage.dataset.versions import PROFILES, resolve

    project = enter(project)
    params = load_params(project)
    catch_up(project)
    before, record = commit_of(project, "HEAD"), record_at(project)
    documents = anew(project, params, resolve(project), record)
    if not documents:
        raise BadInput("every partition is on probation, and teaches nothing; release one that is right")
    commit_documents(project, documents, "Learn the gate's limits anew")
    learned = learned_here(project, params)
    document = {
        "suite": learned_path(params),
        "partitions": list(learned.partitions) if learned else [],
        "limits": len(learned.limits) if learned else 0,
        "apart": learned.apart if learned else {},
        "profiles_made": [name for name in documents if name.startswith(PROFILES)],
        "rev": commit_of(project, "HEAD"),
        "changed": commit_of(project, "HEAD") != before,
    }
    show(document, as_json, _learned)


def _learned(document: dict[str, Any]) -> str:
    made, partitions = len(document["profiles_made"]), len(document["partitions"])
    profiles = f", {count(made, 'profile')} made" if made else ""
    commit = f"commit {document['rev'][:10]}" if document["changed"] else "as before, nothing to commit"
    learned = f"{count(document['limits'], 'limit')} learned from {count(partitions, 'partition')}{profiles}"
    apart = (
        f"{partition} is far from all others in {', '.join(map(_column, columns))}: it widens no limit, and "
        "what is like it passes"
        for partition, columns in document["apart"].items()
    )
    return "\n".join([f"{learned}: {document['suite']}, {commit}", *apart])


def _column(name: str) -> str:
    from incumbent.gate.figures import TABLE  # loads numpy

    return "the table as a whole" if name == TABLE else f"'{name}'"
