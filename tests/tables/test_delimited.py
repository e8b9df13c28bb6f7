"""Tables as text, whatever stands between their cells."""

import gzip
import json
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.convert import to_parquet


def read(folder: Path, name: str, content: str) -> list[dict[str, Any]]:
    source = folder / name
    source.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    to_parquet(source, folder / "out.parquet", DatasetParams(name="t", target="y"))
    rows: list[dict[str, Any]] = pq.read_table(folder / "out.parquet").to_pylist()
    return rows


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "T.TSV", "t.tsv.gz", "t.txt.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_delimiter_is_told_in_every_kind_of_file(tmp_path: Path, name: str, delimiter: str) -> None:
    content = "née,word,y\n1,a b,0\n2,c,1\n".replace(",", delimiter)
    assert read(tmp_path, name, content) == [
        {"née": 1, "word": "a b", "y": 0},
        {"née": 2, "word": "c", "y": 1},
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("a b y\n1 x 0\n2 z 1\n", id="one blank"),
        pytest.param("   a      b  y  \n   1      x  0\n  20   z  1\n\n".replace("20", " 2"), id="aligned"),
        pytest.param("a \t b\ty\n1\t\tx 0\n2 z  1\n", id="blanks and tabs"),
        pytest.param('"a" "b" "y"\n1 "x" 0\n2 "z" 1\n', id="quotes, as R writes them"),
    ],
)
def test_blanks_separate_where_nothing_else_does(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, "t.txt", content) == [{"a": 1, "b": "x", "y": 0}, {"a": 2, "b": "z", "y": 1}]


def test_row_names_without_a_header_are_a_column(tmp_path: Path) -> None:
    rows = read(tmp_path, "t.txt", '"size" "y"\n"New York" 1.5 0\n"Bonn" 2 1\n')
    assert rows[0] == {"column0": "New York", "size": 1.5, "y": 0}


def test_the_rows_tell_the_delimiter_where_a_header_has_several(tmp_path: Path) -> None:
    rows = read(tmp_path, "t.csv", "name, given;name, last;y\nAda;Lovelace;1,5\nAlan;Turing;2,5\n")
    assert rows[0] == {"name, given": "Ada", "name, last": "Lovelace", "y": 1.5}


def test_blanks_within_cells_separate_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "t.csv", "first name,y\nAda May,1\nAlan,0\n")[0] == {
        "first name": "Ada May",
        "y": 1,
    }


def test_a_row_too_short_is_named_whatever_separates(tmp_path: Path) -> None:
    for delimiter in " ;\t":
        with pytest.raises(BadData, match="Line: 150 "):
            read(
                tmp_path,
                "t.txt",
                "a,b,y\n".replace(",", delimiter) + f"1{delimiter}2{delimiter}3\n" * 148 + "1\n",
            )


def test_a_long_cell_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    assert read(tmp_path, "t.csv", f"a,y\n{'x' * 200_000},1\nz,0\n")[1] == {"a": "z", "y": 0}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl"])
def test_a_wide_table_keeps_the_order_of_its_rows_and_columns(tmp_path: Path, name: str) -> None:
    names = [f"c{column}" for column in range(250)]
    texts = {"12,5": 12.5, "2025-01-31": datetime(2025, 1, 31), "word": "word", "": None, "0.5": 0.5}
    rows = [{"row": str(row), **dict(zip(names, cycle(texts), strict=False))} for row in range(300)]
    if name == "t.jsonl":
        content = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        content = (
            "\n".join(";".join(row) for row in [dict.fromkeys(rows[0]), *(r.values() for r in rows)]) + "\n"
        )
    done = read(tmp_path, name, content)
    assert list(done[0]) == ["row", *names]
    assert [row["row"] for row in done] == list(range(300))
    assert list(done[-1].values()) == [299, *islice(cycle(texts.values()), 250)]
