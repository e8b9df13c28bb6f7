"""Commands on a project: arrive, gate, retrain, score; the local stack; the demo."""

from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli import (
    drop_column,
    env,
    expectations,
    gate,
    init,
    metrics,
    models,
    quarantine,
    review,
    stage,
    ui,
    up,
)
from incumbent.cli.doctor import command as doctor
from incumbent.cli.history import history
from incumbent.cli.options import VERDICT, Json, Project, enter, say, show
from incumbent.cli.outcome import describe, kind_of
from incumbent.cli.registry import require_registry
from incumbent.cli.workspace import Workspace
from incumbent.errors import BadInput
from incumbent.evaluation.plan import Strategy
from incumbent.evaluation.roles import TOOK_OFFICE
from incumbent.storage.registry.aliases import Alias
from incumbent.training.engine import EngineName

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps production models fresh: a new model takes office only when it beats the incumbent.",
    epilog="Exit codes: 0 done, 1 bad input or failed, 2 usage, 3 blocked, or not promoted where asked for.",
)
models.app.command()(history)
models.app.command("audit")(review.audit)
models.app.command("reproduce")(review.reproduce)
app.add_typer(models.app, name="models")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(expectations.app, name="expectations")
app.command("up")(up.up)
app.command("init")(init.init)
app.command("gate")(gate.gate)
app.command("stage")(stage.stage)
app.command("drop-column")(drop_column.drop_column)
app.command("ui")(ui.ui)
app.command("env")(env.env)
app.command("metrics")(metrics.metrics)
app.command("doctor")(doctor.doctor)


@app.command()
def down(project: Project = Path(), workspace: Workspace = None, as_json: Json = False) -> None:
    """Stop the local stack, of a workspace in its folder; its data stay in .incumbent/."""
    from incumbent.cli.workspace import folder_to_stop
    from incumbent.local import stack

    root = folder_to_stop(project.resolve(), workspace)
    stack.down(root, say)
    if as_json:
        show(stack.status(root), as_json, str)


@app.command()
def status(project: Project = Path(), workspace: Workspace = None, as_json: Json = False) -> None:
    """Show what runs, where, and which version is champion; in a workspace, of all models."""
    from incumbent.local.workspace import PARAMS, is_workspace, root_of

    root = workspace.resolve() if workspace else root_of(project)
    if is_workspace(root) and (workspace or not (project / PARAMS).exists()):
        from incumbent.cli import workspace_status

        show(workspace_status.overview(root), as_json, workspace_status.describe)
        return
    from incumbent.cli import status as state

    show(state.overview(root if workspace else project), as_json, state.describe)


@app.command()
def demo(project: Project = Path(), as_json: Json = False) -> None:
    """Run the whole story on real flights, in a scratch clone under .incumbent/demo/."""
    from incumbent.cli.story import as_table
    from incumbent.demo.story import tell

    show(tell(project.resolve(), say), as_json, as_table)


@app.command()
def ingest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Parquet, CSV or JSON Lines, or folders of them; without: all files in the landing prefix."
        ),
    ] = None,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Gate files, add them as a new data version, push it, and emit the event. Exit code 3 for a block."""
    project = enter(project)
    from flows.ingest import ingest as flow
    from incumbent.cli.prefect_runs import in_this_process
    from incumbent.params import load_params

    if not files and load_params(project).landing.address is None:
        raise BadInput("no files given, and params.yaml has no landing.address to take them from")
    require_registry(project)
    given = [file.resolve() for file in files] if files else None
    done = in_this_process(flow, project=project, files=given)
    show(done, as_json, _arrival)
    if kind_of(done) == "block":
        raise typer.Exit(VERDICT)


@app.command()
def notify(
    rev: Annotated[str, typer.Option(help="Git revision of the new data version.")] = "HEAD",
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Emit the event for a data version that somebody pushed: for a CI job or a git hook."""
    project = enter(project)
    from flows.watch import watch as flow
    from incumbent.cli.prefect_runs import in_this_process

    require_registry(project)
    done = in_this_process(flow, project=project, rev=rev)
    show(
        done,
        as_json,
        lambda d: f"sent the event for data version {d['data']['name']} ({d['data']['rev'][:10]})",
    )


@app.command()
def retrain(
    project: Project = Path(),
    data_rev: Annotated[str, typer.Option(help="Git revision of the data.")] = "HEAD",
    strategy: Annotated[Strategy, typer.Option(help="auto follows the plan's rules.")] = "auto",
    engine: Annotated[
        EngineName, typer.Option(help="Where a full training runs: in this process, or on a Ray cluster.")
    ] = "local",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only gate and plan; leaves no record.")] = False,
    require_promotion: Annotated[
        bool, typer.Option("--require-promotion", help="Exit code 3 unless the challenger became champion.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Do one run in this process: gate, plan, tune, train, compare, promote if better.

    What a full training searches is in params.yaml: search.strategy, search.trials, search.space.
    """
    project = enter(project)
    from flows.retrain import retrain as flow
    from incumbent.cli.prefect_runs import in_this_process

    require_registry(project)
    done = in_this_process(
        flow,
        project=project,
        data_rev=data_rev,
        strategy=strategy,
        started_by="by hand",
        dry_run=dry_run,
        engine=engine,
    )
    show(done, as_json, describe)
    if require_promotion and kind_of(done) not in TOOK_OFFICE:
        raise typer.Exit(VERDICT)


@app.command()
def score(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file of rows: Parquet, CSV or JSON Lines.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A file for the predictions; its name's ending sets the format."),
    ],
    alias: Annotated[
        Alias, typer.Option(help="Which model: the champion, the challenger held last, the one before.")
    ] = "champion",
    version: Annotated[
        str | None, typer.Option(help="Use this version, such as v17, whatever it is.")
    ] = None,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Predict a file of rows: writes the key columns, the score (of each class), and the model's version.

    The predictions are logged in the registry by key, so that `incumbent monitor` can join later labels.
    """
    from incumbent.storage.serving.scoring import predict_file

    if version and alias != "champion":
        raise typer.BadParameter(
            f"'{alias}' names another model than --version {version}", param_hint="--alias"
        )
    show(predict_file(enter(project), source, target, version, alias), as_json, _scored)


@app.command()
def monitor(
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Parquet, CSV or JSON Lines with key and target: labels that are not in the data."),
    ] = None,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Compare the champion's logged predictions with late labels: is it still as good as it was?

    Labels come from partitions that the champion was not trained on, and from the given files, which are
    kept. Rows of the data that have no label yet get theirs, as a new data version. If the champion is
    significantly worse, the event model.decayed starts a full training.

    For predictions that have no label yet, the metric is estimated from the scores.
    """
    project = enter(project)
    from flows.monitor import monitor as flow
    from incumbent.cli.prefect_runs import in_this_process

    require_registry(project)
    given = [file.resolve() for file in labels] if labels else None
    show(in_this_process(flow, project=project, labels=given), as_json, _health)


def _scored(document: dict[str, Any]) -> str:
    told = f"{document['rows']:,} rows scored by {document['version']}, written to {document['out']}"
    return told if document["logged"] else f"{told}; not logged, as the rows have no dataset.key"


def _health(document: dict[str, Any]) -> str:
    labels = document["labels"]["summary"] if document["labels"] else []
    arrived = [_arrival(document["arrived"])] if document["arrived"] else []
    return "\n".join([*labels, *arrived, document["reason"], document["estimate_reason"]])


def _twice(partition: str, document: dict[str, Any]) -> str:
    from incumbent.gate.probation import BY_PERSON

    return f" ({BY_PERSON})" if partition in document.get("for_a_person", ()) else ""


def _arrival(document: dict[str, Any]) -> str:
    lines = (
        [f"blocked, and kept in quarantine: {', '.join(document['blocked'])}"] if document["blocked"] else []
    )
    lines += document["decision"]["reasons"] if document["decision"] else []
    lines += [f"rows set aside in quarantine: {entry}" for entry in document.get("quarantined", [])]
    lines += [
        f"on probation: {name}; kept and scored, not trained on until it is released: "
        f"incumbent quarantine release {name} --reason TEXT{_twice(name, document)}"
        for name in document.get("on_probation", [])
    ]
    lines += [f"{name} is released too, and will be trained on" for name in document.get("released", [])]
    if document.get("unlabelled") and document["verdict"] != "block":
        lines.append(
            f"{document['unlabelled']:,} rows without a label: kept, and not trained on until it comes"
        )
    data = document["data"]
    if document["verdict"] == "nothing":
        lines.append("nothing waits in the landing prefix")
    elif document["verdict"] != "block":
        known = "" if data["added"] or data["changed"] else "; nothing in it is new"
        lines.append(f"{document['verdict']}: data version {data['name']} ({data['rev'][:10]}){known}")
        lines += document["reasons"]
    return "\n".join(lines)
