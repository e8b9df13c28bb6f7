"""Decide from all cells whether a text column holds numbers, booleans, times or text.

Every cell must fit one form. Where two forms fit and mean different things, the column stays text, and a
note says how a person can decide it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from incumbent.errors import BadData
from incumbent.params import FORMATS, DatasetParams
from incumbent.tables.counts import NEARLY, Counts, TextColumn, beside_commas, counted, sampled
from incumbent.tables.forms import MIXED, SEVERAL, ZONED, Form, Kind, forms_of

BATCH_ROWS = 65_536
# What a text is read as, where params.yaml declares the column's kind. A number is always a double: a column
# of whole numbers gets its first empty cell or fraction some day, and its type may not change by that.
TYPES: dict[Kind, str] = {"number": "DOUBLE", "text": "VARCHAR", "boolean": "BOOLEAN", "time": "TIMESTAMP"}
_PLURALS: dict[Kind, str] = {"number": "numbers", "boolean": "true or false", "time": "times", "text": "text"}


@dataclass(frozen=True)
class ColumnNote:
    """A note for the user on how a column was read.

    `form` belongs into dataset.formats: a later file, whose own cells may leave it open, is then read alike.
    """

    column: str
    text: str
    form: str | None = None


@dataclass(frozen=True)
class Values:
    """SQL for the value of each column, notes, and the columns whose times had offsets and are in UTC."""

    sql: dict[str, str]
    notes: tuple[ColumnNote, ...]
    zoned: frozenset[str]


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def values_of(texts: Any, fields: Mapping[str, str], dataset: DatasetParams, source: str) -> Values:
    """The values of these columns, with notes for the user.

    texts: a DuckDB relation, in which `fields` names the text field of each column. All rows are read once,
    and once more the columns that no common form fits. Raises BadData, naming `source`, column,
    row and cell, for what a declared kind does not allow.
    """
    columns = sampled(texts, [_column(name, field, dataset) for name, field in fields.items()])
    counts = counted(texts, columns, source)
    counts |= beside_commas(texts, columns, counts)
    values, notes = dict[str, str](), list[ColumnNote]()
    for column in columns:
        _require_readable(texts, column, counts[column.name], source)
        values[column.name] = _value(column, counts[column.name])
        notes += _notes(column, counts[column.name])
    zoned = frozenset(column.name for column in columns if counts[column.name].form is ZONED)
    return Values(values, tuple(notes), zoned)


def _column(name: str, field: str, dataset: DatasetParams) -> TextColumn:
    option = dataset.formats.get(name)
    kind = dataset.columns.get(name, cast(Kind, FORMATS[option]) if option else None)
    forms = forms_of(kind, option, key=name in dataset.key, orders=name == dataset.time)
    return TextColumn(name, quoted(field), kind, option, forms)


def _require_readable(texts: Any, column: TextColumn, counts: Counts, source: str) -> None:
    """Raise BadData for times with and without a zone, and for what a declared kind does not allow."""
    if counts.form is MIXED:
        raise BadData(
            f"{source}: column '{column.name}' has times with a zone and times without; give all of them "
            "one, or none"
        )
    if column.kind in (None, "text") or counts.form or counts.cells == counts.placeholders:
        return
    declared = f"{source}: column '{column.name}' is declared as {column.kind}"
    if counts.fitting:
        raise BadData(f"{declared}, and {_doubt(column, counts)}; {_way_out(column, counts)} in params.yaml")
    closest = max(counts.fits, key=lambda form: counts.fits[form])
    cell = counts.misfits[closest] or ""
    form = f", {column.option}" if column.option else ""
    zeros = column.kind == "number" and re.fullmatch(" *0[0-9]+ *", cell)
    hint = "a number would lose the key's zeros, so make it text in" if zeros else "correct it, or change"
    where = f"row {_row_of(texts, column, cell):,} holds '{_short(cell)}'"
    raise BadData(f"{declared}{form}, and {where}; {hint} dataset.columns.{column.name} in params.yaml")


def _row_of(texts: Any, column: TextColumn, cell: str) -> int:
    """The row, from 1, that holds the cell first."""
    before = 0
    for batch in texts.select(column.sql).to_arrow_reader(BATCH_ROWS):
        if (index := batch[0].index(cell).as_py()) >= 0:
            return before + int(index) + 1
        before += batch.num_rows
    return before


def _value(column: TextColumn, counts: Counts) -> str:
    """SQL: a column without a cell has the declared type, or that of whole numbers."""
    if counts.form is not None:
        return counts.form.value.replace("{0}", column.sql)
    if counts.cells and (column.kind in (None, "text")):
        return column.sql
    return f"CAST(NULL AS {TYPES[column.kind] if column.kind else 'BIGINT'})"


def _notes(column: TextColumn, counts: Counts) -> Iterator[ColumnNote]:
    name, form = column.name, counts.form
    words = ", ".join(f"'{word}'" for word in counts.words[:3])
    if counts.placeholders and (form or column.kind):
        yield ColumnNote(name, f"{counts.placeholders:,} cells {words} read as empty")
    if column.kind is not None:
        return
    if len(counts.options) > 1:
        yield ColumnNote(name, f"{_doubt(column, counts)}; read as text; {_way_out(column, counts)}")
    elif form in SEVERAL:
        examples = f"'{_short(next(iter(column.cells), ''))}' and '{_example(column)}'"
        yield ColumnNote(
            name, f"holds {_PLURALS[form.kind]} in several forms, such as {examples}; read as text"
        )
    elif form is not None and not form.conventional:
        option = next(iter(counts.options), None)
        yield ColumnNote(name, f"read as {_written(form, option)}, such as '{_example(column)}'", option)
    elif form is None and counts.placeholders and counts.placeholders == counts.cells:
        yield ColumnNote(name, f"holds nothing but {words}; read as text")
    elif form is None and counts.misfits:
        yield from _nearly(column, counts)


def _nearly(column: TextColumn, counts: Counts) -> Iterator[ColumnNote]:
    """A note if all but a few cells are of one form."""
    closest = max(counts.fits, key=lambda form: counts.fits[form])
    cells, fits = counts.cells - counts.placeholders, counts.fits[closest]
    if closest.kind != "text" and fits >= NEARLY * cells:
        yield ColumnNote(
            column.name,
            f"looks like {_PLURALS[closest.kind]}, but {cells - fits:,} of {cells:,} cells are not, such as "
            f"'{_short(counts.misfits[closest] or '')}'; read as text",
        )


def _doubt(column: TextColumn, counts: Counts) -> str:
    if counts.fitting[0].kind == "number":
        return f"numbers such as '{_example(column)}' may have a decimal comma or a decimal point"
    ways = " or ".join(option.replace("-", " ") for option in counts.options)
    return f"dates such as '{_example(column)}' may be {ways}"


def _way_out(column: TextColumn, counts: Counts) -> str:
    return f"set dataset.formats.{column.name} to {' or '.join(counts.options)}"


def _written(form: Form, option: str | None) -> str:
    if form.kind == "time":
        return f"dates, {str(form.option).replace('-', ' ')}"
    sign = f" with a {option.replace('-', ' ')}" if option else ""
    return f"numbers{sign}" + (f", without their {form.unit}" if form.unit else "")


def _example(column: TextColumn) -> str:
    return _short(max(column.cells, key=len, default=""))


def _short(cell: str) -> str:
    """At most 40 characters; what nobody could see, such as a control character, as Python writes it."""
    cell = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in cell[:41])
    return cell if len(cell) <= 40 else cell[:40] + "…"
