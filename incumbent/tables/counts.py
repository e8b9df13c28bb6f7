"""How many cells of each text column are written in each form."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from incumbent.errors import BadData
from incumbent.tables.forms import COMMON, DECIMAL, PLACEHOLDERS, WRITTEN, Form, Kind

SAMPLE_ROWS = 1_000
SAMPLE_CELLS = 1_000_000
COLUMNS_AT_ONCE = 100  # each pattern that a query holds may take a megabyte
NEARLY = 0.9  # if this share of the cells has one form, a person should check the others


@dataclass(frozen=True)
class TextColumn:
    """A column, its SQL identifier, what is declared, the forms that are possible, and a few of its cells."""

    name: str
    sql: str
    kind: Kind | None
    option: str | None
    forms: tuple[Form, ...]
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """Counts of a column's cells that are not empty: all, those that fit each form, placeholders, and those
    with a comma or a point."""

    cells: int
    fits: Mapping[Form, int]
    misfits: Mapping[Form, str | None]
    placeholders: int = 0
    words: tuple[str, ...] = ()
    marked: int = 0

    @property
    def fitting(self) -> list[Form]:
        """The forms of all cells that are no placeholders."""
        return [
            form for form, count in self.fits.items() if count and count + self.placeholders == self.cells
        ]

    @property
    def options(self) -> list[str]:
        """The values of dataset.formats that fit; empty where the cells follow a convention."""
        fitting = self.fitting
        if not fitting or fitting[0].conventional or (fitting[0].kind == "number" and not self.marked):
            return []
        return list(dict.fromkeys(form.option for form in fitting if form.option is not None))

    @property
    def form(self) -> Form | None:
        """The form of the column; None if several fit and mean different things."""
        return None if len(self.options) > 1 else next(iter(self.fitting), None)


def sampled(texts: Any, columns: Sequence[TextColumn]) -> list[TextColumn]:
    """Each column with some cells, without the forms that these rule out."""
    rows = max(100, min(SAMPLE_ROWS, SAMPLE_CELLS // len(columns)))
    table = texts.select(", ".join(column.sql for column in columns)).limit(rows).to_arrow_table()
    cells = {
        column.name: [cell for cell in array.to_pylist() if cell is not None and not _is_placeholder(cell)]
        for column, array in zip(columns, table.columns, strict=True)
    }
    later = [column for column in columns if column.forms and not cells[column.name]]
    for column, answers in _answers(texts, later, _some_cells):
        cells[column.name] = [cell for cell in answers if cell is not None]
    return [_with_cells(column, Counter(cells[column.name])) for column in columns]


def _is_placeholder(cell: str) -> bool:
    return cell.strip(" ").lower() in PLACEHOLDERS


def _some_cells(column: TextColumn) -> list[str]:
    filled = f"{column.sql} IS NOT NULL AND NOT lower(trim({column.sql})) IN {PLACEHOLDERS}"
    return [f"{which}({column.sql}) FILTER ({filled})" for which in ("first", "min", "max")]


def _with_cells(column: TextColumn, cells: Counter[str]) -> TextColumn:
    forms = tuple(form for form in column.forms if _possible(form, cells))
    # An error needs a form to name the cell that does not fit; placeholders alone need one to be counted.
    if not cells or (column.kind is not None and not forms):
        forms = column.forms[:1]
    return replace(column, forms=forms, cells=tuple(cells))


def _answers(
    texts: Any, columns: Sequence[TextColumn], checks: Callable[[TextColumn], list[str]]
) -> Iterator[tuple[TextColumn, list[Any]]]:
    """Each column with the values of its aggregates."""
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        requested = [(column, checks(column)) for column in columns[start : start + COLUMNS_AT_ONCE]]
        [values] = texts.aggregate(", ".join(check for _, each in requested for check in each)).fetchall()
        rest = iter(values)
        for column, each in requested:
            yield column, list(islice(rest, len(each)))


def _possible(form: Form, cells: Counter[str]) -> bool:
    """Does the form fit nearly all of these cells? Its unit, if any, must be in the first."""
    if form.unit not in next(iter(cells), form.unit):
        return False
    pattern, misfits, most = _compiled(form.pattern), 0, (1 - NEARLY) * cells.total()
    for cell, times in cells.items():
        if pattern.fullmatch(cell) is None and (misfits := misfits + times) > most:
            return False
    return True


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def counted(texts: Any, columns: Sequence[TextColumn], source: str) -> dict[str, Counts]:
    """Count the common forms in one pass, and all forms of the remaining columns in another."""
    common = [replace(c, forms=tuple(form for form in c.forms if form in COMMON)) for c in columns]
    counts = dict[str, Counts]()
    for column, (damaged, cells, *fits) in _answers(texts, common, _common_checks):
        if damaged:
            raise BadData(
                f"{source}: column '{column.name}' holds NUL characters; the file is damaged or no text"
            )
        counts[column.name] = Counts(cells, dict(zip(column.forms, fits, strict=True)), {})
    undecided = [c for c in columns if c.forms and counts[c.name].cells and not counts[c.name].fitting]
    return counts | _counts_of_all_forms(texts, undecided)


def _common_checks(column: TextColumn) -> list[str]:
    fits = [f"count(*) FILTER ({form.fits(column.sql)})" for form in column.forms]
    return [f"count(*) FILTER (contains({column.sql}, chr(0)))", f"count({column.sql})", *fits]


def _counts_of_all_forms(texts: Any, columns: Sequence[TextColumn]) -> dict[str, Counts]:
    """Every possible form, a cell that does not fit it, and the placeholders: one pass for all columns that
    have the same forms, below each other."""
    alike = dict[tuple[Form, ...], list[TextColumn]]()
    for column in columns:
        alike.setdefault(column.forms, []).append(column)
    counts = dict[str, Counts]()
    for forms, each in alike.items():
        for name, answers in _stacked(texts, each, _close_checks("cell", forms)):
            counts[name] = _counts_of(forms, *answers)
    return counts


def _stacked(
    texts: Any, columns: Sequence[TextColumn], checks: Sequence[str]
) -> Iterator[tuple[str, list[Any]]]:
    """The values of the same aggregates over the `cell`s of each column. With many columns side by side
    DuckDB would prepare the same patterns for each of them, which takes longer than to match them."""
    side_by_side = texts.select(", ".join(f'{column.sql} AS "{n}"' for n, column in enumerate(columns)))
    cells = "UNPIVOT side_by_side ON COLUMNS(*) INTO NAME number VALUE cell"
    query = f"SELECT number, {', '.join(checks)} FROM ({cells}) GROUP BY number ORDER BY number"  # noqa: S608
    for number, *answers in side_by_side.query("side_by_side", query).fetchall():
        yield columns[int(number)].name, answers


def _counts_of(forms: Sequence[Form], cells: int, empty: int, words: Any, marked: int, *rest: Any) -> Counts:
    fits, misfits = rest[: len(forms)], rest[len(forms) :]
    return Counts(
        cells,
        dict(zip(forms, fits, strict=True)),
        dict(zip(forms, misfits, strict=True)),
        empty,
        tuple(words or ()),
        marked,
    )


def _close_checks(sql: str, forms: Sequence[Form]) -> list[str]:
    empty = f"lower(trim({sql})) IN {PLACEHOLDERS}"
    others = [f"NOT {empty} AND ({form.fits(sql)}) IS NOT TRUE" for form in forms]
    return [
        f"count({sql})",
        f"count(*) FILTER ({empty})",
        f"list_sort(list(DISTINCT trim({sql})) FILTER ({empty}))",
        f"count(*) FILTER (regexp_matches({sql}, '[.,]'))",
        *(f"count(*) FILTER ({form.fits(sql)})" for form in forms),
        *(f"first({sql}) FILTER ({other})" for other in others),
    ]


def beside_commas(
    texts: Any, columns: Sequence[TextColumn], counts: Mapping[str, Counts]
) -> dict[str, Counts]:
    """In a file with decimal commas 1.234 may be a thousand: count such columns without the convention."""
    point, comma = replace(DECIMAL, conventional=False), WRITTEN[1]
    forms = {column.name: counts[column.name].form for column in columns}
    commas = [n for n, form in forms.items() if form and form.option == comma.option and counts[n].marked]
    if not commas:
        return {}
    pointed = [column for column in columns if forms[column.name] is DECIMAL and column.option is None]
    return _counts_of_all_forms(texts, [replace(column, forms=(point, comma)) for column in pointed])
