"""Warnings to check before trusting the first guess at a table. Nothing here changes the guess."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from incumbent.tables.overview import ColumnOverview, example_of
from incumbent.tables.recognise import Recognised

QUANTITY = r"(\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?|\d+([.,]\d+)?)"
NUMBER = re.compile(rf"[(+-]?\s*[$€£¥]?\s*{QUANTITY}\s*(%|[$€£¥]|[A-Z]{{3}})?\)?")
CODE = re.compile(r"0\d")  # a leading zero: a postcode or an article number, rightly text
ID = re.compile(r"(^|[\W_])(?i:ids?|uuid|guid)$|[a-z](Ids?|ID|UUID|GUID)$")  # not "paid"
MOSTLY = 0.9  # of the different texts look like numbers
MAX_TEXTS = 1000  # different texts
NAMED = 3  # columns of those that are alike


@dataclass(frozen=True)
class ColumnWarning:
    """One thing to look at; `column` is None where it is about the table."""

    column: str | None
    text: str


@dataclass(frozen=True)
class AlikeWarnings:
    """One thing to look at in several columns; `text` is what was said of the first of them."""

    columns: list[str | None]
    text: str

    def __str__(self) -> str:
        named = [name for name in self.columns[:NAMED] if name]
        more = f" and {len(self.columns) - NAMED:,} more columns" if len(self.columns) > NAMED else ""
        return f"{', '.join(named)}{more}: {self.text}" if named else self.text


def summed_up(warnings: Iterable[ColumnWarning]) -> list[AlikeWarnings]:
    """Group like warnings, in order of the first; up to NAMED stay apart, so that their figures show."""
    alike: dict[str, list[ColumnWarning]] = {}
    for each in warnings:
        named = rf"(?<=[.\s]){re.escape(each.column)}(?!\w)|" if each.column else ""  # as of an option
        alike.setdefault(re.sub(rf"{named}'[^']*'|\d[\d.,]*", "", each.text), []).append(each)
    return [
        AlikeWarnings([each.column for each in part], part[0].text)
        for group in alike.values()
        for part in ([group] if len(group) > NAMED else [[each] for each in group])
    ]


def things_to_check(
    columns: Sequence[ColumnOverview], sample: pd.DataFrame, recognised: Recognised
) -> list[ColumnWarning]:
    """Text that looks like numbers, IDs that are no key, empty columns, rows without target, unused times."""
    texts = [
        (each.column, text) for each in columns for text in _of_column(each, sample[each.column], recognised)
    ]
    return [ColumnWarning(name, text) for name, text in texts] + list(_of_times(columns, recognised))


def _of_column(column: ColumnOverview, values: pd.Series, recognised: Recognised) -> Iterator[str]:
    if column.becomes == "target" and column.empty:
        yield (
            f"{column.empty:,} of {column.rows:,} rows ({column.share_empty:.1%}) have no label yet: kept, "
            "and not trained on"
        )
    if column.empty == column.rows:
        yield "empty so far; drop it (dataset.drop) if no file will ever fill it"
    if column.kind == "text" and column.becomes != "key":
        yield from _of_text(values)
    yield from _of_an_id(column, values, recognised)


def _of_text(values: pd.Series) -> Iterator[str]:
    texts = values.dropna().drop_duplicates().head(MAX_TEXTS).astype(str).str.strip()
    numbers = texts[texts.map(lambda text: NUMBER.fullmatch(text) is not None)]
    if len(numbers) == 0 or len(numbers) < MOSTLY * len(texts) or numbers.str.match(CODE).any():
        return
    rest = texts.drop(numbers.index)
    but = f", but not {example_of(rest)!r}" if len(rest) else ""
    yield (
        f"text that looks like numbers, such as {example_of(numbers)!r}{but}; if it is a quantity, write "
        "plain numbers into the file"
    )


def _of_an_id(column: ColumnOverview, values: pd.Series, recognised: Recognised) -> Iterator[str]:
    """IDs; a unique column only where no key is named."""
    filled = values.dropna()
    if column.becomes == "dropped" and not recognised.key and len(filled) == len(values) == filled.nunique():
        yield f"every row has another value; if it identifies a row, name it: --key {column.column}"
    if column.becomes in ("feature", "category") and ID.search(column.column) and filled.nunique() > 2:
        yield (
            f"an ID by its name, and it becomes a {column.becomes}; add it to dataset.drop, and to split.by "
            "if rows with the same ID resemble each other"
        )


def _of_times(columns: Sequence[ColumnOverview], recognised: Recognised) -> Iterator[ColumnWarning]:
    times = [each.column for each in columns if each.kind == "time" and each.column != recognised.target]
    if times and recognised.time is None:
        yield ColumnWarning(
            times[0], f"a time, and nothing orders the rows; to order them by it: --time {times[0]}"
        )
