"""The user's own table as the partitions of a new project: read, made to agree, cut by time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from incumbent.cli.options import say
from incumbent.errors import BadData
from incumbent.params import FORMATS, DatasetParams, LandingParams
from incumbent.tables.agreement import Agreement, agree, columns_in_order, listed
from incumbent.tables.columns import columns_of
from incumbent.tables.declared import as_declared
from incumbent.tables.periods import Period, partition_by, span_of, zone_of
from incumbent.tables.sources import Source, read_source, sources_of
from incumbent.tables.text_kinds import ColumnNote

DAYS_FOR_MONTHS = 62  # a table that spans less is split by day

Notes = dict[str, Sequence[ColumnNote]]


@dataclass(frozen=True)
class NewTable:
    """`partitions`, newest last, what they have in common, and how they were cut.

    calendar: the folders' columns that only say when. formats: as dataset.formats. notes: column and
    sentence, for a person to read.
    """

    partitions: list[Path]
    agreement: Agreement
    landing: LandingParams
    calendar: list[str]
    formats: Mapping[str, str]
    notes: list[tuple[str, str]]


def read_table(data: Path, folder: Path, dataset: DatasetParams, zone: str | None) -> NewTable:
    """Read a file or a folder of them; the partitions are made in `folder`.

    dataset: what the user said of the columns. Raises BadData for what is no table, or no single one.
    """
    sources = sources_of(data)
    tables = [folder / f"{source.name}.parquet" for source in sources]
    notes: Notes = {}
    for source, table in zip(sources, tables, strict=True):
        say(f"reading {source.path}")
        notes[str(source.place)] = read_source(source, table, dataset)
    dataset = dataset.model_copy(update={"formats": {**_common_forms(notes), **dataset.formats}})
    _read_alike(sources, tables, dataset, notes)
    agreement = agree(sources, tables, dataset)
    _require_present(agreement, dataset)
    formats = {
        column: form
        for column, form in dataset.formats.items()
        if agreement.columns.get(column) == FORMATS[form]
    }
    for source, table in zip(sources, tables, strict=True):
        as_declared(source, table, agreement.declared)
    partitions, landing = _partitions(tables, folder, dataset.time, zone)
    calendar = _calendar(sources, tables, dataset.time)
    read = [note for note in _summary(notes) if note[0] not in agreement.as_text]
    return NewTable(partitions, agreement, landing, calendar, formats, [*read, *agreement.notes])


def _common_forms(notes: Notes) -> dict[str, str]:
    """How the files write a column. Raises BadData where two of them write it in two ways."""
    forms: dict[str, tuple[str, str]] = {}
    for file, each in notes.items():
        for note in each:
            if note.form is None:
                continue
            other, form = forms.setdefault(note.column, (file, note.form))
            if form != note.form:
                raise BadData(
                    f"column '{note.column}' is written {form} in {other} and {note.form} in {file}; "
                    "write it in one way in all files"
                )
    return {column: form for column, (_, form) in forms.items()}


def _read_alike(sources: list[Source], tables: list[Path], dataset: DatasetParams, notes: Notes) -> None:
    """Read again what left open how it is written, in the way in which the other files write it."""
    for source, table in zip(sources, tables, strict=True):
        kinds = columns_of(table)
        if not any(kinds.get(column) == "text" for column in dataset.formats):
            continue
        try:
            notes[str(source.place)] = read_source(source, table, dataset)
        except BadData:
            continue  # it is text there


def _require_present(agreement: Agreement, dataset: DatasetParams) -> None:
    for name in dataset.formats:
        if name not in agreement.columns:
            raise BadData(f"--format names no column '{name}'; the data has {sorted(agreement.columns)}")
    for name in (dataset.target, *dataset.key, *([dataset.time] if dataset.time else [])):
        if name in agreement.absent:
            raise BadData(
                f"column '{name}' is missing in {listed(agreement.absent[name])}; every file needs it"
            )


def _summary(notes: Notes) -> list[tuple[str, str]]:
    """Each column's notes once, with how many other files have such a one, whatever its figures."""
    alike: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for file, each in notes.items():
        for note in each:
            words = "".join(letter for letter in note.text.split("such as")[0] if not letter.isdigit())
            alike.setdefault((note.column, words), []).append((file, note.text))
    several = len(notes) > 1
    return [
        (column, f"{text} ({file}{f' and {len(more):,} more files' if more else ''})" if several else text)
        for (column, _), [(file, text), *more] in alike.items()
    ]


def _partitions(
    tables: list[Path], folder: Path, time: str | None, zone: str | None
) -> tuple[list[Path], LandingParams]:
    """One partition a file; a single table with a time column is split by month, or by day if it is short."""
    if time is None:
        return tables, LandingParams(zone=zone)
    spans = [span_of(path, time) for path in tables]
    if len(tables) > 1:
        if spans != sorted(spans):
            say("the files' names do not sort by time; the last partitions by name are taken for the latest")
        return tables, LandingParams(zone=zone)
    period: Period = "month" if (spans[0][1] - spans[0][0]).days > DAYS_FOR_MONTHS else "day"
    if zone is None and (zone := zone_of(tables[0], time)):
        say(f"a {period} of '{time}' begins at midnight in {zone}; --zone names another zone")
    parts = partition_by(tables[0], folder / "parts", time, period, zone)
    return parts, LandingParams(partition=period, zone=zone)


def _calendar(sources: list[Source], tables: list[Path], time: str | None) -> list[str]:
    """Folders' columns that only say when: every new file would come with a value never seen."""
    if time is None:
        return []
    names = columns_in_order(sources, [span_of(path, time) for path in tables])
    for name in names:
        say(f"column '{name}': the folders follow '{time}', so it is no feature")
    return names
