"""incumbent gate: what the gate says of files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import VERDICT, Json, Project, printable, say, show

if TYPE_CHECKING:  # slow to import, and not for every command
    from incumbent.gate import GateReport
    from incumbent.gate.sift import Sifted
    from incumbent.params import Params
    from incumbent.tables.sources import Source

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

    Partitions on probation that show the same count as they do for `ingest`, which alone compares keys with
    earlier partitions.
    """
    from incumbent.gate import GateReport, Verdict
    from incumbent.params import load_params

    project = project.resolve()
    params = load_params(project)
    judged = _judge(files, project, params)
    report = GateReport.of(each.report for each in judged.values())
    document, lines = report.to_json(), [*map(printable, report.reasons)]
    if explain:
        from incumbent.cli.explanations import explained

        shown = explained(report, [*judged.values()], project, params)
        document, lines = shown.to_json(), shown.lines
    document["files"] = [_file(name, each.report) for name, each in judged.items()]
    show(document, as_json, lambda d: "\n".join([*_head(d), *lines]))
    if report.verdict is Verdict.BLOCK:
        raise typer.Exit(VERDICT)


def _file(name: str, report: "GateReport") -> dict[str, Any]:
    return {"file": name, "verdict": report.verdict.value, "rows": report.rows}


def _head(document: Mapping[str, Any]) -> list[str]:
    """The verdict and, of several files, each one's."""
    verdict, files = f"{document['verdict']}: {document['rows']:,} rows", document["files"]
    if len(files) == 1:
        return [verdict]
    verdicts = (printable(f"{file['verdict']}: {file['file']}: {file['rows']:,} rows") for file in files)
    return [f"{verdict} in {len(files):,} files", *verdicts]


def _judge(files: Sequence[Path], project: Path, params: "Params") -> dict[str, "Sifted"]:
    """By the names that the files are shown under."""
    from incumbent.gate.learned_suite import is_learned
    from incumbent.gate.sift import sift, without_history
    from incumbent.gate.suites import load_suites
    from incumbent.tables.sources import read_source, sources_of

    suites, recent = load_suites(project / "expectations"), _recent(project)
    if recent and not any(map(is_learned, suites)):
        say("no limits are learned yet; 'incumbent expectations learn' makes them of the data")
    for line in _unchecked(project, [suite for suite in suites if is_learned(suite)]):
        say(line)
    # A file that is named twice, or is in a folder that is named, too, is one.
    sources = {source.path.resolve(): source for file in files for source in sources_of(file)}.values()
    judged = {}
    with TemporaryDirectory() as folder:
        for number, source in enumerate(sources):
            copy = Path(folder) / f"{number}.parquet"
            name = str(source.place)
            shown = str(source.path) if len(sources) > 1 else name
            for note in read_source(source, copy, params.dataset):
                say(f"{shown}: column '{note.column}': {note.text}")
            done = sift(name, copy, Path(folder), suites, params, without_history, recent)
            report = _as_on_arrival(done, source, shown, project)
            judged[shown] = replace(done, report=report.naming(shown))
    return judged


def _as_on_arrival(done: "Sifted", source: "Source", shown: str, project: Path) -> "GateReport":
    """The report as `ingest` would have it: what shows the same as a partition on probation is news."""
    from incumbent.gate.probation import released_too, settle
    from incumbent.storage.dataset.probation import record_here
    from incumbent.storage.dataset.versions import resolve_or_empty
    from incumbent.storage.s3.documents import now
    from incumbent.tables.partitions import digest_of

    report = done.report.naming(source.name)
    if not report.on_probation:
        return report
    digests = {**resolve_or_empty(project).digests, source.name: digest_of(done.partition)}
    excused, changes = settle(report, record_here(project), digests, now())
    if source.name in excused:
        others = released_too(changes, [source.name])
        release = f", and release {' and '.join(others)}, too" if others else ""
        say(f"{shown}: 'incumbent ingest' would accept it{release}")
    return report.excusing(excused)


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
