"""incumbent gate: what the gate says of files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import VERDICT, Json, Project, printable, say, show

if TYPE_CHECKING:  # slow to import, and not for every command
    from incumbent.gate.sift import Sifted
    from incumbent.params import Params

Files = Annotated[list[Path], typer.Argument(help="Parquet, CSV or JSON Lines, or folders of them.")]


def gate(
    files: Files,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the history behind each finding, also as a page of pictures."),
    ] = False,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Show the gate's verdict on files; changes nothing. Exit code 3 for a block.

    Keys are compared with earlier partitions only by `ingest`.
    """
    from incumbent.gate import GateReport, Verdict
    from incumbent.params import load_params

    project = project.resolve()
    params = load_params(project)
    judged = _judge(files, project, params)
    report = GateReport.of(each.report for each in judged)
    if explain:
        from incumbent.cli.explanations import explained

        shown = explained(report, judged, project, params)
        show(shown.to_json(), as_json, lambda _: shown.text)
    else:
        show(
            report.to_json(),
            as_json,
            lambda d: "\n".join([f"{d['verdict']}: {d['rows']:,} rows", *map(printable, d["reasons"])]),
        )
    if report.verdict is Verdict.BLOCK:
        raise typer.Exit(VERDICT)


def _judge(files: Sequence[Path], project: Path, params: "Params") -> list["Sifted"]:
    from incumbent.gate.learned_suite import is_learned
    from incumbent.gate.sift import sift, without_history
    from incumbent.gate.suites import load_suites
    from incumbent.tables.sources import read_source, sources_of

    suites, recent = load_suites(project / "expectations"), _recent(project)
    if recent and not any(map(is_learned, suites)):
        say("no limits are learned yet; 'incumbent expectations learn' makes them of the data")
    for line in _unchecked(project, [suite for suite in suites if is_learned(suite)]):
        say(line)
    sources = [source for file in files for source in sources_of(file)]
    judged = []
    with TemporaryDirectory() as folder:
        for number, source in enumerate(sources):
            copy = Path(folder) / f"{number}.parquet"
            name = str(source.place)
            shown = str(source.path) if len(sources) > 1 else name
            for note in read_source(source, copy, params.dataset):
                say(f"{shown}: column '{note.column}': {note.text}")
            done = sift(name, copy, Path(folder), suites, params, without_history, recent)
            judged.append(replace(done, report=done.report.naming(shown)))
    return judged


def _unchecked(project: Path, learned: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the learned suites can't be checked by."""
    from incumbent.errors import BadInput
    from incumbent.gate.learned_suite import partitions_of, unknown_names
    from incumbent.gate.wording import count
    from incumbent.storage.dataset.history import kept_history

    anew = "'incumbent expectations learn' makes {} anew"
    for suite in learned:
        if unknown := unknown_names(suite):
            yield f"not checked: {', '.join(unknown)} in '{suite['name']}', unknown here; {anew.format('it')}"
    try:
        kept = kept_history(project)
    except BadInput as error:
        yield f"the limits are not compared with the profiles: {error}"
        return
    missing = [name for suite in learned for name in partitions_of(suite) if name not in kept]
    if missing:
        profiles = f"the profiles of {count(len(missing), 'partition')} are missing ({missing[0]} first)"
        yield f"the limits are as learned, but {profiles}; {anew.format('them')}"


def _recent(project: Path) -> dict[str, Path]:
    """The latest partitions, for the gate's sensors; none where they can't be reached."""
    from incumbent.errors import IncumbentError
    from incumbent.storage.dataset.history import recent_files
    from incumbent.storage.dataset.probation import record_here
    from incumbent.storage.dataset.versions import resolve_or_empty

    record = record_here(project)
    try:
        return recent_files(project, resolve_or_empty(project), record)
    except IncumbentError as error:
        say(f"the new rows are not compared with recent ones: {error}")
        return {}
