"""What the tables of a folder have in common: columns that all of them have, each of one kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.columns import Kind, columns_of
from incumbent.tables.declared import too_long_for_a_number
from incumbent.tables.periods import zone_of
from incumbent.tables.sources import Source, read_source

EXAMPLES = 3
TOO_LONG = "whole numbers with more digits than a number keeps: read as text"
ByKind = Mapping[Kind, Sequence[str]]


@dataclass(frozen=True)
class Agreement:
    """`columns`: all that the last file has, and their kind; None if no file has a value.

    `absent`: the files that lack a column, for columns that not all have. `notes`: column and sentence, for
    a person to read. `as_text`: columns that were read again as text, as their kinds differ between files.
    """

    columns: dict[str, Kind | None]
    absent: dict[str, list[str]]
    notes: list[tuple[str, str]]
    as_text: tuple[str, ...] = ()

    @property
    def declared(self) -> dict[str, Kind]:
        """What every file holds."""
        return {name: kind for name, kind in self.columns.items() if kind and name not in self.absent}


def agree(sources: Sequence[Source], paths: Sequence[Path], dataset: DatasetParams) -> Agreement:
    """What the files, the newest last, have in common; `paths` are their tables as Parquet.

    A column that is text in some files and another kind in others is read again as text, where all those
    others are CSV or JSON; so is one of whole numbers beyond what a double holds exactly. Raises BadData,
    with the files and both kinds, where that can't be, and for times that have a zone in some files only.
    """
    tables = {str(source.place): path for source, path in zip(sources, paths, strict=True)}
    kinds = kinds_by_column(tables)
    differing = [name for name, each in kinds.items() if len(each) > 1 and _may_be_text(name, each, sources)]
    read = [(source, tables[str(source.place)]) for source in sources]
    lengthy = {name for source, table in read for name in too_long_for_a_number(source, table)}
    texts = [name for name in kinds if name in differing or name in lengthy]
    for source in sources:
        own = columns_of(tables[str(source.place)])
        if any(own.get(name) not in (None, "text") for name in texts):
            columns = {name: "text" if name in texts else kind for name, kind in own.items() if kind}
            declared = dataset.model_copy(update={"columns": columns})
            read_source(source, tables[str(source.place)], declared)
    agreement = _settled(tables)
    notes = [(name, f"{_kinds_and_files(kinds[name])}: read as text in all files") for name in differing]
    notes += [(name, TOO_LONG) for name in texts if name not in differing]
    return Agreement(agreement.columns, agreement.absent, [*notes, *agreement.notes], tuple(texts))


def columns_in_order(sources: Sequence[Source], spans: Sequence[tuple[Any, Any]]) -> list[str]:
    """The folders' columns that only repeat the time: the time spans of their values do not overlap.

    spans: the first and the last time of each source.
    """
    return [name for name in sources[0].columns if _one_after_the_other(name, sources, spans)]


def _one_after_the_other(column: str, sources: Sequence[Source], spans: Sequence[tuple[Any, Any]]) -> bool:
    by_value: dict[str | None, list[tuple[Any, Any]]] = {}
    for source, span in zip(sources, spans, strict=True):
        by_value.setdefault(source.columns.get(column), []).append(span)
    whole = sorted((min(low for low, _ in each), max(high for _, high in each)) for each in by_value.values())
    return len(whole) > 1 and all(one[1] < other[0] for one, other in pairwise(whole))


def kinds_by_column(tables: Mapping[str, Path]) -> dict[str, dict[Kind, list[str]]]:
    """Column -> kind -> names of the files where it is of that kind; a column without a value is of none."""
    kinds: dict[str, dict[Kind, list[str]]] = {}
    for file, path in tables.items():
        for column, kind in columns_of(path).items():
            of_column = kinds.setdefault(column, {})
            if kind is not None:
                of_column.setdefault(kind, []).append(file)
    return kinds


def _may_be_text(column: str, kinds: ByKind, sources: Sequence[Source]) -> bool:
    """Numbers and words are words. No other mix is read as one kind: 0 and 1 may not mean false and true."""
    differing = {file for kind, files in kinds.items() if kind != "text" for file in files}
    return "text" in kinds and all(
        column in source.columns or not source.is_parquet
        for source in sources
        if str(source.place) in differing
    )


def _settled(tables: Mapping[str, Path]) -> Agreement:
    kinds = kinds_by_column(tables)
    for column, each in kinds.items():
        if len(each) > 1:
            raise BadData(f"column '{column}' is {_kinds_and_files(each)}; give it one kind in all files")
        _require_one_clock(column, {file: tables[file] for file in each.get("time", ())})
    held = {file: columns_of(path) for file, path in tables.items()}
    absent = {
        name: files
        for name in kinds
        if (files := [file for file, columns in held.items() if name not in columns])
    }
    last = {name: next(iter(kinds[name]), None) for name in [*held.values()][-1]}
    return Agreement(last, absent, [(name, _absence(files, name in last)) for name, files in absent.items()])


def _absence(files: Sequence[str], in_last: bool) -> str:
    if in_last:
        return f"missing in {listed(files)}: empty there, and not required of new files"
    return f"missing in {listed(files)}: not used, as the last file tells which columns there are"


def _require_one_clock(column: str, tables: Mapping[str, Path]) -> None:
    zoned = {file: zone_of(path, column) is not None for file, path in tables.items()}
    if len(set(zoned.values())) > 1:
        with_zone, without = ([file for file in zoned if zoned[file] is each] for each in (True, False))
        raise BadData(
            f"column '{column}' has a time zone in {listed(with_zone)} and none in {listed(without)}; "
            "write all of them with a zone, or none"
        )


def _kinds_and_files(kinds: ByKind) -> str:
    return " and ".join(f"{kind} in {listed(files)}" for kind, files in kinds.items())


def listed(files: Sequence[str]) -> str:
    """The first few file names, and how many more there are."""
    more = f" and {len(files) - EXAMPLES:,} more" if len(files) > EXAMPLES else ""
    return ", ".join(files[:EXAMPLES]) + more
