"""Files as they come, good and hostile, on their way to Parquet."""

import datetime as dt
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incumbent.errors import BadData
from incumbent.params import DatasetParams
from incumbent.tables.convert import stem_of, to_parquet

DATASET = DatasetParams(name="t", target="y")
DECLARED = DatasetParams(
    name="t", target="y", columns={"a": "number", "b": "text", "c": "boolean", "d": "time", "y": "number"}
)


def read(folder: Path, name: str, content: str | bytes, dataset: DatasetParams = DATASET) -> pa.Table:
    source, target = folder / name, folder / "out" / "table.parquet"
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        to_parquet(source, target, dataset)
    except BadData:
        assert not list(target.parent.glob("*"))  # not even a part
        raise
    assert [path.name for path in target.parent.iterdir()] == ["table.parquet"]
    return pq.read_table(target)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("t.csv", b"a,b,y\n1,x,0\n2.5,,1\n", id="csv"),
        pytest.param("t.csv", b"\xef\xbb\xbfa,b,y\n1,x,0\n2.5,,1\n", id="csv with a byte order mark"),
        pytest.param("t.csv", b"a;b;y\r\n1;x;0\r\n2.5;NA;1\r\n", id="semicolons, CRLF and NA"),
        pytest.param("t.CSV.gz", gzip.compress(b"a,b,y\n1,x,0\n2.5,,1\n"), id="gzip"),
        pytest.param("t.jsonl", b'{"a":1,"b":"x","y":0}\n{"a":2.5,"y":1}\n', id="JSON Lines"),
    ],
)
def test_every_format_gives_the_same_table(tmp_path: Path, name: str, content: bytes) -> None:
    table = read(tmp_path, name, content)
    assert table.to_pylist() == [{"a": 1.0, "b": "x", "y": 0}, {"a": 2.5, "b": None, "y": 1}]
    assert stem_of(tmp_path / name) == "t"


def test_types_fit_the_whole_file_and_not_its_first_rows(tmp_path: Path) -> None:
    table = read(tmp_path, "t.csv", "a,b\n" + "1,1\n" * 200_000 + "2.5,word\n")
    assert table.schema.types == [pa.float64(), pa.string()]
    assert table.num_rows == 200_001


def test_declared_kinds_hold_in_every_file(tmp_path: Path) -> None:
    first = read(tmp_path, "t.csv", "a,b,c,d,y\n1,07,true,2026-01-01,0\n", DECLARED)
    second = read(tmp_path, "t.csv", "a,b,c,d,y\n,x,,2026-01-01 10:30,1\n", DECLARED)
    assert first.schema.equals(second.schema)
    assert first["b"].to_pylist() == ["07"]


def test_times_are_in_utc_with_and_without_a_zone(tmp_path: Path) -> None:
    zoned = read(tmp_path, "t.csv", "d,y\n2026-01-01T10:00:00+02:00,0\n2026-01-01T10:00:00Z,1\n")
    plain = read(tmp_path, "t.csv", "d,y\n2026-01-01 08:00,0\n2026-01-01T10:00:00,1\n")
    assert zoned.equals(plain)
    assert zoned["d"].to_pylist() == [dt.datetime(2026, 1, 1, hour) for hour in (8, 10)]
    (tmp_path / "mixed").mkdir()
    with pytest.raises(BadData, match="zone"):
        read(tmp_path / "mixed", "t.csv", "d,y\n2026-01-01T10:00:00+02:00,0\n2026-01-01 10:00,1\n")


def test_digits_that_no_number_keeps_stay_text(tmp_path: Path) -> None:
    table = read(tmp_path, "t.csv", "card,y\n123456789012345678901234,0\n1,1\n")
    assert table["card"].to_pylist() == ["123456789012345678901234", "1"]


def test_an_index_without_a_name_gets_one(tmp_path: Path) -> None:
    assert read(tmp_path, "t.csv", ",y\n0,1\n1,0\n").column_names == ["column0", "y"]


def parquet(frame: pd.DataFrame) -> bytes:
    return bytes(frame.to_parquet(index=False))


GOOD = parquet(pd.DataFrame({"a": np.arange(1000.0), "y": 1}))


def with_a_flipped_bit() -> bytes:
    """In a page that has a checksum."""
    sink = pa.BufferOutputStream()
    table = pa.table({"a": np.random.default_rng(0).normal(size=5000)})
    pq.write_table(table, sink, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(sink.getvalue().to_pybytes())
    content[20_000] ^= 8
    return bytes(content)


def row_bomb() -> bytes:
    sink = pa.BufferOutputStream()
    column = pa.array(np.zeros(1_000_000, dtype=np.int8))
    with pq.ParquetWriter(sink, pa.schema([("a", pa.int8())])) as writer:
        for _ in range(101):
            writer.write_table(pa.table({"a": column}))
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("t.csv", b"", r"t\.csv is empty \(0 bytes\)", id="empty"),
        pytest.param("t.csv", b"a,b,y\n", "has columns but no rows", id="no rows"),
        pytest.param("t.csv", b"\n\n", "no line with column names", id="blank lines"),
        pytest.param(
            "t.csv", b"a,b,y\n1,x,0\n2,y\n", "Line: 3 .*Expected Number of Columns: 3 Found: 2", id="ragged"
        ),
        pytest.param("t.csv", b"a,b,y\n1,x,0\n2,y,1,4\n", "Line: 3 .*Found: 4", id="a cell too many"),
        pytest.param("t.csv", b'a,b,y\n1,"x,0\n2,y,1\n', "Line: 2", id="a quote that is never closed"),
        pytest.param("t.csv", "a,y\né,0\n".encode("latin-1"), "UTF-8.*byte 0xe9 in position 4", id="latin-1"),
        pytest.param("t.csv", b"a,y\nx\0z,0\n", "column 'a' holds NUL characters", id="NUL"),
        pytest.param("t.csv", b"a,a,y\n1,2,3\n", "column name 'a' twice", id="a name twice"),
        pytest.param("t.csv", "é,e\u0301,y\n1,2,3\n".encode(), "look alike", id="names that look alike"),
        pytest.param("t.csv", b"a" * 300 + b",y\n1,2\n", "has 300 characters of 255", id="a very long name"),
        pytest.param(
            "t.csv", b",".join([b"c"] * 10**5) + b"\n", "100,000 columns; 10,000 are", id="10^5 columns"
        ),
        pytest.param("t.csv.gz", b"nonsense", "Not a gzipped file", id="no gzip"),
        pytest.param(
            "t.csv.gz", gzip.compress(b"a,y\n" + b"1,2\n" * 9999)[:60], "end of GZIP", id="gzip cut short"
        ),
        pytest.param("t.jsonl", b'{"a":1}\n{"a":\n', "Malformed JSON .* in line 3", id="broken JSON"),
        pytest.param("t.jsonl", b'{"a":{"q":1}}\n', "column 'a' holds struct<q: int64>", id="a nested value"),
        pytest.param("t.parquet", b"<html></html>", "not a readable Parquet file", id="HTML"),
        pytest.param("t.parquet", b"PAR1PAR1", "not a readable Parquet file", id="magic bytes only"),
        pytest.param("t.parquet", GOOD[: len(GOOD) // 2], "not a readable Parquet file", id="cut short"),
        pytest.param(
            "t.parquet",
            GOOD[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1",
            r"2147483647",
            id="a footer of 2 GiB",
        ),
        pytest.param(
            "t.parquet", with_a_flipped_bit(), "not a readable Parquet file.*CRC", id="a flipped bit"
        ),
        pytest.param("t.parquet", row_bomb(), "promises 101,000,000 rows", id="a bomb of rows"),
        pytest.param(
            "t.parquet", parquet(pd.DataFrame({"a": []})), "has columns but no rows", id="no Parquet rows"
        ),
        pytest.param("t.xlsx", b"PK", r"of no known format; .*\.csv\.gz", id="another format"),
    ],
)
def test_what_is_no_table_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(BadData, match=f"(?s){message}"):
        read(tmp_path, name, content)


def test_a_value_that_is_not_of_the_declared_kind_is_named_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"t\.csv: column 'a' is declared as number, and row 2 holds 'many'"):
        read(tmp_path, "t.csv", "a,b,c,d,y\n1,x,,,0\nmany,x,,,0\n", DECLARED)


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            st.one_of(st.none(), st.text(st.characters(exclude_categories=["C"]), min_size=1)),
        ),
        min_size=1,
    )
)
def test_a_frame_survives_csv_and_the_same_bytes_give_the_same_bytes(rows: list[tuple[Any, Any]]) -> None:
    dataset = DatasetParams(name="t", target="y", columns={"a": "number", "b": "text"})
    frame = pd.DataFrame(rows, columns=["a", "b"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame.to_csv(folder / "t.csv", index=False, na_rep="")
        for number in (1, 2):
            to_parquet(folder / "t.csv", folder / f"{number}.parquet", dataset)
        assert (folder / "1.parquet").read_bytes() == (folder / "2.parquet").read_bytes()
        table = pq.read_table(folder / "1.parquet")
    missing = {"NA", "N/A", "NaN", "nan", "NULL", "null", "None"}
    assert table["a"].to_pylist() == [value for value, _ in rows]
    assert table["b"].to_pylist() == [None if text in missing else text for _, text in rows]


def test_parquet_keeps_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(GOOD)
    to_parquet(tmp_path / "t.parquet", tmp_path / "out.parquet", DATASET)
    assert (tmp_path / "out.parquet").read_bytes() == GOOD


@pytest.mark.parametrize("name", ["big.csv", "big.parquet"])
def test_memory_does_not_follow_the_file(tmp_path: Path, name: str) -> None:
    """A file of 100 MB, read in less."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100_000, 12)).round(6)).rename(columns=str)
    if name.endswith(".csv"):
        text = frame.to_csv(index=False)
        header, _, body = text.partition("\n")
        with (tmp_path / name).open("w") as stream:
            stream.write(header + "\n")
            for _ in range(10**8 // len(body)):
                stream.write(body)
    else:
        table = pa.Table.from_pandas(frame)
        with pq.ParquetWriter(
            tmp_path / name, table.schema, compression="none", use_dictionary=False
        ) as writer:
            for _ in range(11):
                writer.write_table(table)
    code = (
        "import resource, sys; from pathlib import Path; from incumbent.params import DatasetParams;"
        "from incumbent.tables.convert import to_parquet; from duckdb import connect;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "to_parquet(Path(sys.argv[1]), Path(sys.argv[2]), DatasetParams(name='t', target='0'));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / name, tmp_path / "out.parquet"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (tmp_path / name).stat().st_size > 9e7
    assert int(done.stdout) * 1024 < 8e7
