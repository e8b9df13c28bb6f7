"""What the cells of a text column are taken for, and what a person is told of it."""

import datetime as dt
import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.convert import to_parquet
from incumbent.tables.text_kinds import ColumnNote

NUMBER, WHOLE, TEXT, BOOLEAN, TIME = pa.float64(), pa.int64(), pa.string(), pa.bool_(), pa.timestamp("us")


def csv_of(cells: Sequence[str], delimiter: str = ",") -> str:
    return "".join(f'"{cell}"{delimiter}0\n' if cell else f"{delimiter}0\n" for cell in cells)


def read(content: str, name: str = "t.csv", **declared: Any) -> tuple[pa.Table, tuple[ColumnNote, ...]]:
    """The table and the notes of a file with this content."""
    with tempfile.TemporaryDirectory() as place:
        source, target = Path(place) / name, Path(place) / "out.parquet"
        source.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
        notes = to_parquet(source, target, DatasetParams(name="t", target="y", **declared))
        return pq.read_table(target), notes


def column(
    *cells: str, name: str = "t.csv", delimiter: str = ",", **declared: Any
) -> tuple[Any, list[Any], str]:
    """A column x of these cells: its type, its values, and its notes in one text."""
    if name.startswith("t.csv"):
        content = f"x{delimiter}y\n" + csv_of(cells, delimiter)
    else:
        content = "".join(json.dumps({"x": cell, "y": 0}) + "\n" for cell in cells)
    table, notes = read(content, name, **declared)
    return table["x"].type, table["x"].to_pylist(), " | ".join(note.text for note in notes)


def day(*parts: int) -> dt.datetime:
    return dt.datetime(*parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl"])
@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        pytest.param(["1.5", "", "2"], NUMBER, [1.5, None, 2.0], id="floats"),
        pytest.param(["1", "", "2"], WHOLE, [1, None, 2], id="integers"),
        pytest.param(["true", "", "FALSE"], BOOLEAN, [True, None, False], id="booleans"),
        pytest.param(
            ["2025-01-16", "", "2025-01-17"], TIME, [day(2025, 1, 16), None, day(2025, 1, 17)], id="days"
        ),
        pytest.param(
            ["2025-01-16T10:00:00Z", "", "2025-01-16 10:00+0200"],
            TIME,
            [day(2025, 1, 16, 10), None, day(2025, 1, 16, 8)],
            id="instants",
        ),
        pytest.param(["yes", "", "no"], TEXT, ["yes", None, "no"], id="words"),
        pytest.param(["007", "", "7"], TEXT, ["007", None, "7"], id="codes"),
    ],
)
def test_an_empty_cell_changes_no_kind(name: str, cells: list[str], kind: Any, values: list[Any]) -> None:
    assert column(*cells, name=name) == (kind, values, "")


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        pytest.param(["2025-01-16"], day(2025, 1, 16), id="ISO"),
        pytest.param(["2025-1-6"], day(2025, 1, 6), id="ISO without zeros"),
        pytest.param(["2025-01-16 10:30"], day(2025, 1, 16, 10, 30), id="minutes"),
        pytest.param(["2025-01-16T10:30:15.5"], day(2025, 1, 16, 10, 30, 15, 500_000), id="fractions"),
        pytest.param(["2025-01-16 10:30:00 UTC"], day(2025, 1, 16, 10, 30), id="UTC"),
        pytest.param(["2025-01-16T10:30:00-05:30"], day(2025, 1, 16, 16), id="an offset"),
        pytest.param(["2025/01/16"], day(2025, 1, 16), id="slashes"),
        pytest.param(["2025-01"], day(2025, 1, 1), id="a month"),
        pytest.param(["9999-12-31"], day(9999, 12, 31), id="the end of time"),
        pytest.param(["03.04.2025"], day(2025, 4, 3), id="dots"),
        pytest.param(["16.01.2025 10:30"], day(2025, 1, 16, 10, 30), id="dots and a clock"),
        pytest.param(["16 Jan 2025"], day(2025, 1, 16), id="a name"),
        pytest.param(["16-JAN-25"], day(2025, 1, 16), id="a name and two digits"),
        pytest.param(["1977-Jan"], day(1977, 1, 1), id="a year and a month's name"),
        pytest.param(["Jan 16, 2025"], day(2025, 1, 16), id="the month's name first"),
        pytest.param(["January 16, 2025 3:45 PM"], day(2025, 1, 16, 15, 45), id="a long name, afternoon"),
        pytest.param(["Thu, 16 Jan 2025 10:30:00 GMT"], day(2025, 1, 16, 10, 30), id="as in mails"),
        pytest.param(["01/02/2025", "01/16/2025"], day(2025, 1, 2), id="month first, settled by another"),
        pytest.param(["01/02/2025", "16/01/2025"], day(2025, 2, 1), id="day first, settled by another"),
        pytest.param(["1/8/90 0:00", "1/16/90 0:00"], day(1990, 1, 8), id="two digits that are no day"),
        pytest.param(["25/11/63", "12/2/64"], day(1963, 11, 25), id="two digits of the last century"),
        pytest.param(["16-JAN-30", "17-JAN-30"], day(1930, 1, 16), id="two digits and a name, in 1930"),
        pytest.param(["25/2/29", "26/2/29"], day(2029, 2, 25), id="two digits of this century"),
        pytest.param(["1/2/2025 12:05 am", "1/16/2025 1:00 PM"], day(2025, 1, 2, 0, 5), id="midnight"),
    ],
)
def test_a_date_that_can_be_read_in_one_way_is_a_time(cells: list[str], value: dt.datetime) -> None:
    for name in ("t.csv", "t.jsonl"):
        kind, values, _ = column(*cells, "", name=name)
        assert (kind, values[0], values[-1]) == (TIME, value, None)


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(["12-34", "10-12"], id="ranges"),
        pytest.param(["1.2.3", "1.10.12"], id="versions"),
        pytest.param(["192.168.1.1", "10.0.0.1"], id="addresses"),
        pytest.param(["+4930123456", "+4930123457"], id="telephone numbers"),
        pytest.param(["030-123456", "(415) 555-0100"], id="more telephone numbers"),
        pytest.param(["10:15", "11:00"], id="clocks"),
        pytest.param(["2025-Q1", "2025-Q2"], id="quarters"),
        pytest.param(["AB-2025-01", "AB-2025-02"], id="codes with a year"),
        pytest.param(["01000", "01039"], id="ZIP codes"),
        pytest.param(["(415)", "(212)"], id="area codes"),
        pytest.param(["1_000", "0x1F"], id="a programmer's numbers"),
        pytest.param(["yes", "no"], id="yes and no"),
        pytest.param(["123456789012345678901234", "1"], id="long digits"),
    ],
)
def test_what_only_resembles_a_number_or_a_time_stays_as_it_is(cells: list[str]) -> None:
    for name in ("t.csv", "t.jsonl"):
        assert column(*cells, name=name) == (TEXT, cells, "")


def test_years_and_compact_days_are_numbers_but_for_the_time_column() -> None:
    assert column("2024", "2025")[:2] == (WHOLE, [2024, 2025])
    assert column("20250116", "20250117")[:2] == (WHOLE, [20250116, 20250117])
    for declared in ({"time": "x"}, {"columns": {"x": "time"}}):
        assert column("20250116", "20250117", **declared)[:2] == (TIME, [day(2025, 1, 16), day(2025, 1, 17)])


@pytest.mark.parametrize(
    ("cells", "values", "note"),
    [
        pytest.param(["-0,52", "1,5", "3"], [-0.52, 1.5, 3], "with a decimal comma, such as", id="comma"),
        pytest.param(["1.234,5", "1,25"], [1234.5, 1.25], "a decimal comma, such as '1.234,5'", id="points"),
        pytest.param(["1,234,567.89", "999"], [1234567.89, 999], "with a decimal point", id="thousands"),
        pytest.param(["1 234,5", "12,25"], [1234.5, 12.25], "with a decimal comma", id="blanks"),
        pytest.param(["1\u202f234", "12"], [1234, 12], "read as numbers, such as", id="narrow blanks"),
        pytest.param(["1'234.50", "12"], [1234.5, 12], "with a decimal point", id="apostrophes"),
        pytest.param(["12.5%", "-3 %"], [12.5, -3], "without their %, such as '12.5%'", id="percent"),
        pytest.param(["$1,200.50", "($3.00)"], [1200.5, -3], "without their $", id="dollars"),
        pytest.param(
            ["1.200,50 €", "-3 €"], [1200.5, -3], "with a decimal comma, without their €", id="euros"
        ),
        pytest.param(["EUR 5", "EUR -6"], [5, -6], "read as numbers, without their EUR", id="a code"),
        pytest.param(["12,5-", "3,25"], [-12.5, 3.25], "with a decimal comma", id="a minus behind"),
        pytest.param(["1,5e-07", "2e3"], [1.5e-7, 2000], "with a decimal comma", id="exponents"),
        pytest.param(["+0.5", " -1.5 "], [0.5, -1.5], "", id="signs and blanks"),
        pytest.param(["0", "0.5", "-0.5", ".5"], [0, 0.5, -0.5, 0.5], "", id="a zero in front of a point"),
    ],
)
@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ","), ("t.csv", ";"), ("t.jsonl", "")])
def test_numbers_in_one_form_are_numbers(
    name: str, delimiter: str, cells: list[str], values: list[float], note: str
) -> None:
    kind, read_as, notes = column(*cells, "", name=name, delimiter=delimiter)
    assert (kind, read_as) == (NUMBER, [*values, None])
    assert note in notes
    assert bool(note) == bool(notes)


@pytest.mark.parametrize(
    ("cells", "note", "settled"),
    [
        pytest.param(
            ["1,234", "5,678"],
            "numbers such as '1,234' may have a decimal comma or a decimal point; read as text; "
            "set dataset.formats.x to decimal-point or decimal-comma",
            {"decimal-comma": [1.234, 5.678], "decimal-point": [1234, 5678]},
            id="thousands or fractions",
        ),
        pytest.param(
            ["€1.234", "€5.678"],
            "numbers such as '€1.234' may have a decimal comma or a decimal point",
            {"decimal-comma": [1234, 5678], "decimal-point": [1.234, 5.678]},
            id="thousands or fractions of a euro",
        ),
        pytest.param(
            ["03/04/2025", "12/11/2025"],
            "dates such as '03/04/2025' may be day first or month first; read as text; "
            "set dataset.formats.x to day-first or month-first",
            {
                "day-first": [day(2025, 4, 3), day(2025, 11, 12)],
                "month-first": [day(2025, 3, 4), day(2025, 12, 11)],
            },
            id="days or months",
        ),
        pytest.param(
            ["03/04/05", "12/11/10"],
            "dates such as '03/04/05' may be day first or month first or year first",
            {
                "month-first": [day(2005, 3, 4), day(2010, 12, 11)],
                "year-first": [day(2003, 4, 5), day(2012, 11, 10)],
            },
            id="days, months or years",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_stays_text_until_a_person_settles_it(
    cells: list[str], note: str, settled: dict[str, list[Any]]
) -> None:
    for name in ("t.csv", "t.jsonl"):
        kind, values, notes = column(*cells, name=name)
        assert (kind, values) == (TEXT, cells)
        assert note in notes
        for form, meant in settled.items():
            assert column(*cells, name=name, formats={"x": form})[1] == meant
    kind = "time" if "dates" in note else "number"
    with pytest.raises(
        BadData, match=f"t.csv: column 'x' is declared as {kind}, and .* set dataset.formats.x to"
    ):
        column(*cells, columns={"x": kind})


def test_beside_decimal_commas_a_point_may_stand_between_thousands() -> None:
    table, notes = read("x;z;y\n1.234;0,5;1\n5.678;1,5;2\n")
    assert table["x"].to_pylist() == ["1.234", "5.678"]
    assert [note.column for note in notes] == ["x", "z"]
    assert "set dataset.formats.x to" in notes[0].text
    table, notes = read("x;z;y\n1.23;0,5;1\n5.678;1,5;2\n")
    assert table["x"].to_pylist() == [1.23, 5.678]
    assert {note.column: note.form for note in notes} == {"x": "decimal-point", "z": "decimal-comma"}


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        pytest.param(
            ["12"] * 20 + ["abc"], "looks like numbers, but 1 of 21 cells are not, such as 'abc'", id="a word"
        ),
        pytest.param(["2025-01-16"] * 20 + ["soon"], "looks like times, but 1 of 21 cells", id="no time"),
        pytest.param(
            ["0.5", "1,5"], "holds numbers in several forms, such as '0.5' and", id="two decimal signs"
        ),
        pytest.param(["$5", "€6"], "holds numbers in several forms", id="two currencies"),
        pytest.param(["5", "6%"], "holds numbers in several forms", id="some in percent"),
        pytest.param(["16/01/2025", "01/16/2025"], "holds times in several forms", id="two orders"),
        pytest.param(["?", "?"], "holds nothing but '?'; read as text", id="nothing known"),
    ],
)
def test_text_that_nearly_is_something_else_is_told(cells: list[str], note: str) -> None:
    for name in ("t.csv", "t.jsonl"):
        kind, values, notes = column(*cells, name=name)
        assert (kind, values) == (TEXT, cells)
        assert note in notes


@pytest.mark.parametrize(
    "word", ["?", "-", "--", ".", "n/a", "#N/A", "nil", "missing", "Unknown", "<NA>", " "]
)
def test_a_placeholder_is_an_empty_cell_among_numbers_and_a_word_among_words(word: str) -> None:
    for name in ("t.csv", "t.jsonl"):
        for cells, values in (
            (["1", "2"], [1, 2]),
            (["1,5", "2,75"], [1.5, 2.75]),
            (["2025-01-16", "2025-01-17"], [day(2025, 1, 16), day(2025, 1, 17)]),
            (["true", "false"], [True, False]),
        ):
            _, read_as, notes = column(*cells, word, name=name)
            assert read_as == [*values, None]
            assert f"1 cells '{word.strip()}' read as empty" in notes
        assert column("a", word, "b", name=name) == (TEXT, ["a", word, "b"], "")
        kind, values_, notes = column(word, word, name=name, columns={"x": "number"})
        assert (kind, values_) == (NUMBER, [None, None])
        assert "2 cells" in notes


def test_a_late_placeholder_or_word_counts_like_an_early_one() -> None:
    many = [str(number) for number in range(5_000)]
    assert column(*many, "?")[0] == WHOLE
    kind, _, notes = column(*many, "none of these")
    assert kind == TEXT
    assert "but 1 of 5,001 cells are not, such as 'none of these'" in notes


def test_the_key_0005_is_not_the_key_5() -> None:
    assert column("0005", "5")[:2] == (TEXT, ["0005", "5"])
    assert column("05", "5", columns={"x": "number"})[1] == [5, 5]
    with pytest.raises(BadData, match="row 2 holds '0005'; a number would lose the key's zeros"):
        column("5", "0005", columns={"x": "number"}, key=["x"])


@pytest.mark.parametrize(
    ("declared", "cells", "message"),
    [
        pytest.param(
            {"columns": {"x": "number"}},
            ["1", "many"],
            "as number, and row 2 holds 'many'",
            id="word",
        ),
        pytest.param(
            {"columns": {"x": "time"}}, ["2025-01-16", "7"], "as time, and row 2 holds '7'", id="number"
        ),
        pytest.param(
            {"columns": {"x": "boolean"}},
            ["true", "maybe"],
            "as boolean, and row 2 holds 'maybe'",
            id="maybe",
        ),
        pytest.param(
            {"columns": {"x": "number"}, "formats": {"x": "decimal-comma"}},
            ["1,5", "2.5"],
            "as number, decimal-comma, and row 2 holds '2.5'",
            id="another decimal sign",
        ),
    ],
)
def test_what_a_declared_kind_does_not_allow_is_named(
    declared: dict[str, Any], cells: list[str], message: str
) -> None:
    for name in ("t.csv", "t.jsonl"):
        with pytest.raises(
            BadData, match=f"{name}: column 'x' is declared .*{message}; correct it, or change"
        ):
            column(*cells, name=name, **declared)


def test_a_form_for_another_kind_than_declared_is_refused() -> None:
    with pytest.raises(ValueError, match=r"formats\.x = day-first is for a time, and columns\.x is text"):
        DatasetParams(name="t", target="y", columns={"x": "text"}, formats={"x": "day-first"})


def test_a_declared_number_is_a_double_in_every_format() -> None:
    assert read('{"x": 1, "y": 0}\n', "t.jsonl", columns={"x": "number"})[0]["x"].type == NUMBER
    assert read('{"x": 1, "y": 0}\n', "t.jsonl", columns={"x": "text"})[0]["x"].to_pylist() == ["1"]
    assert column("1", columns={"x": "number"})[0] == NUMBER


WRITERS = {
    "point": repr,
    "comma": lambda value: repr(value).replace(".", ","),
    "thousands": lambda value: f"{value:,.3f}",
    "percent": lambda value: f"{value:.2f}%",
    "blanks": lambda value: f"{value:,.2f}".replace(",", " ").replace(".", ","),
    "dollars": lambda value: f"${value:,.2f}",
}


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e12, 1e12)), min_size=1, max_size=20),
    st.sampled_from(sorted(WRITERS)),
)
def test_floats_survive_the_form_they_are_written_in(values: list[float | None], form: str) -> None:
    cells = ["" if value is None else WRITERS[form](value) for value in values]
    settled = (
        {} if form == "point" else {"x": "decimal-comma" if form in ("comma", "blanks") else "decimal-point"}
    )
    plain = [cell.replace(" ", "").rstrip("%").replace("$", "") for cell in cells]
    if form in ("comma", "blanks"):
        plain = [cell.replace(",", ".") for cell in plain]
    meant = [float(cell.replace(",", "")) if cell else None for cell in plain]
    assert column(*cells, formats=settled, columns={"x": "number"})[1] == meant


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_whole_numbers_survive(values: list[int | None]) -> None:
    assert column(*("" if value is None else str(value) for value in values))[1] == values


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.datetimes(dt.datetime(1000, 1, 1))), min_size=1),
    st.sampled_from(
        ["%Y-%m-%dT%H:%M:%S.%f", "%Y/%m/%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S.%f"]
    ),
)
def test_times_survive_the_form_they_are_written_in(values: list[dt.datetime | None], form: str) -> None:
    cells = ["" if value is None else value.strftime(form) for value in values]
    assert (
        column(*cells, columns={"x": "time"}, formats={"x": "month-first"} if "/%d/" in form else {})[1]
        == values
    )
