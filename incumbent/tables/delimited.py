"""Tables as text: their delimiter and column names."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from incumbent.errors import BadData

DELIMITERS = ",;\t|"
BLANKS = ""
"""The delimiter of cells separated by any number of blanks and tabs."""
LOOKED_AT = 100  # lines


@dataclass(frozen=True)
class Layout:
    """The column names and the delimiter: one of DELIMITERS, or BLANKS."""

    names: list[str]
    delimiter: str


def layout_of(source: Path) -> Layout:
    """The delimiter that gives the first rows as many cells as the header; of several, the one with most.

    A column without a name, such as an index, is named by its number; with BLANKS the header may lack it.
    Raises BadData for a file that is no text in UTF-8 or has no header.
    """
    with _text(source) as stream:
        lines = list(islice(stream, LOOKED_AT))
    headers = {each: next(_sane_rows(lines, each), []) for each in (*DELIMITERS, BLANKS)}
    if not any(map(any, headers.values())):
        raise BadData(f"{source} has no line with column names")
    fitting = [each for each in DELIMITERS if 1 < len(headers[each]) == _width(lines, each)]
    if not fitting and not any(mark in lines[0] for mark in ",;|"):
        width = _width(lines, BLANKS)
        if width - 1 == len(headers[BLANKS]):
            headers[BLANKS].insert(0, "")
        fitting = [BLANKS] if width == len(headers[BLANKS]) else []
    # Where nothing fits, the reader of all rows says which row has a cell too few or too many.
    delimiter = max(fitting or DELIMITERS, key=lambda each: len(headers[each]))
    names = [name.strip() or f"column{number}" for number, name in enumerate(headers[delimiter])]
    return Layout(names, delimiter)


def with_commas(source: Path, names: Sequence[str], target: Path) -> None:
    """Write a table whose cells stand between BLANKS as CSV, row by row. Raises BadData as layout_of does."""
    with _text(source) as stream, target.open("w", encoding="utf-8", newline="") as csv_file:
        rows, writer = _rows(stream, BLANKS), csv.writer(csv_file)
        next(rows)
        writer.writerow(names)
        writer.writerows(rows)


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    if delimiter != BLANKS:
        return csv.reader(lines, delimiter=delimiter)
    trimmed = (line.replace("\t", " ").strip(" \r\n") + "\n" for line in lines)
    return csv.reader(trimmed, delimiter=" ", skipinitialspace=True)


def _width(lines: Sequence[str], delimiter: str) -> int:
    """How many cells each row below the header has; 0 where they differ or have one."""
    # The last of many lines may end within a row, so that one is left out.
    widths = [len(row) for row in _sane_rows(lines, delimiter) if row][1 : LOOKED_AT - 1]
    return widths[0] if len(set(widths)) == 1 and widths[0] > 1 else 0


def _sane_rows(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    """The rows up to the first that can't be parsed, because a cell would be too long."""
    with suppress(csv.Error):
        yield from _rows(lines, delimiter)


@contextmanager
def _text(source: Path) -> Iterator[TextIO]:
    opened = gzip.open if source.name.lower().endswith(".gz") else open
    try:
        with opened(source, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, csv.Error) as error:
        raise BadData(f"{source} can't be read as CSV in UTF-8: {error}") from error
