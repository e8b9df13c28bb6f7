"""Columns by the footer: what fits, what blocks, what is only told; and no row is read before they fit."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incumbent.errors import BadData
from incumbent.gate import Verdict
from incumbent.gate.check import gate_files
from incumbent.params import DatasetParams, GateParams
from incumbent.tables.columns import column_differences, columns_of

DATASET = DatasetParams(
    name="t", target="y", columns={"a": "number", "b": "text", "c": "boolean", "d": "time", "y": "number"}
)
GOOD = {
    "a": pa.array([1, 2]),
    "b": pa.array(["x", "y"]),
    "c": pa.array([True, False]),
    "d": pa.array([0, 1], pa.timestamp("us")),
    "y": pa.array([0.0, 1.0]),
}


def write(folder: Path, **columns: pa.Array) -> Path:
    path = folder / "t.parquet"
    pq.write_table(pa.table({**GOOD, **columns}), path)
    return path


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({}, id="as declared"),
        pytest.param({"a": pa.array([1.5, None])}, id="a fraction"),
        pytest.param({"a": pa.array([1, 2], pa.int8())}, id="small integers"),
        pytest.param({"a": pa.array([1, 2]).cast(pa.decimal128(19))}, id="decimals"),
        pytest.param({"b": pa.array(["x", "x"]).dictionary_encode()}, id="a dictionary"),
        pytest.param({"b": pa.nulls(2)}, id="no value at all"),
        pytest.param({"d": pa.array([0, 1], pa.date32())}, id="dates"),
        pytest.param({"d": pa.array([0, 1], pa.timestamp("ns", "Europe/Vienna"))}, id="a time zone"),
    ],
)
def test_a_kind_is_what_matters_and_not_how_it_is_stored(
    tmp_path: Path, columns: dict[str, pa.Array]
) -> None:
    assert column_differences(write(tmp_path, **columns), DATASET) == []


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    pq.write_table(pa.table(dict(reversed(GOOD.items()))), tmp_path / "t.parquet")
    assert column_differences(tmp_path / "t.parquet", DATASET) == []


def test_each_difference_is_one_sentence_and_blocks_before_a_row_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, a=pa.array(["1", "2"]), extra=pa.array([1, 2]))
    pq.write_table(pq.read_table(path).drop_columns(["b"]), path)
    size = path.stat().st_size
    content = bytearray(path.read_bytes())
    content[4 : size // 4] = b"\0" * (size // 4 - 4)  # no page of it could be read
    path.write_bytes(content)
    report = gate_files([("t.parquet", path)], [], DATASET, GateParams())
    assert report.verdict is Verdict.BLOCK
    assert report.reasons == (
        "critical: t.parquet: column 'a' must be as declared: declared as number, and text in the file",
        "critical: t.parquet: column 'b' must be as declared: declared as text, and missing in the file",
        "warning: t.parquet: column 'extra' should be as declared: number in the file, and not declared in "
        "params.yaml: dataset.columns",
    )


def test_a_column_more_is_a_warning(tmp_path: Path) -> None:
    report = gate_files([("t.parquet", write(tmp_path, extra=pa.array([1, 2])))], [], DATASET, GateParams())
    assert report.verdict is Verdict.WARN


def test_nothing_is_checked_that_is_not_declared(tmp_path: Path) -> None:
    bare = DatasetParams(name="t", target="y")
    assert gate_files([("t.parquet", write(tmp_path))], [], bare, GateParams()).verdict is Verdict.PASS


def test_a_type_that_no_table_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="column 'a' holds binary, which no model reads"):
        columns_of(write(tmp_path, a=pa.array([b"x", b"y"])))


def test_a_file_without_a_footer_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.parquet")
    with pytest.raises(BadData, match="not a readable Parquet file"):
        columns_of(tmp_path / "t.parquet")
