"""A folder of files as one table: what they have in common, and what a person is told where they differ."""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incumbent.errors import BadData, BadInput
from incumbent.params import DatasetParams
from incumbent.tables.agreement import Agreement, agree, columns_in_order
from incumbent.tables.columns import columns_of
from incumbent.tables.sources import Source, read_source, sources_of

DATASET = DatasetParams(name="new", target="y")


def tables(folder: Path, sources: list[Source]) -> list[Path]:
    paths = [folder / f"{source.name}.parquet" for source in sources]
    for source, path in zip(sources, paths, strict=True):
        read_source(source, path, DATASET)
    return paths


def agreement(folder: Path) -> Agreement:
    sources = sources_of(folder)
    return agree(sources, tables(folder / ".read", sources), DATASET)


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)


def test_what_not_all_files_have_is_told_and_is_not_declared(tmp_path: Path) -> None:
    pd.DataFrame({"y": [0, 1], "gone": [1.0, 2.0]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"y": [0, 1], "new": ["a", "b"]}).to_parquet(tmp_path / "2.parquet")
    common = agreement(tmp_path)
    assert common.declared == {"y": "number"}
    assert common.columns == {"y": "number", "new": "text"}
    assert common.notes == [
        ("gone", "missing in 2.parquet: not used, as the last file tells which columns there are"),
        ("new", "missing in 1.parquet: empty there, and not required of new files"),
    ]


def test_codes_that_are_digits_in_one_csv_and_words_in_another_are_text_in_both(tmp_path: Path) -> None:
    write(tmp_path, a="y,code\n0,17\n1,18\n", b="y,code\n0,A17\n1,B2\n", c="y,code\n0,\n1,\n")
    common = agreement(tmp_path)
    assert common.declared == {"y": "number", "code": "text"}
    assert common.notes == [("code", "number in a.csv and text in b.csv: read as text in all files")]
    first = pq.read_table(tmp_path / ".read" / "a.parquet")
    assert first["code"].to_pylist() == ["17", "18"]


def test_digits_that_a_number_would_lose_are_text(tmp_path: Path) -> None:
    write(tmp_path, a="y,user\n0,17\n1,18\n", b="y,user\n0,9007199254740993\n1,12\n")
    (tmp_path / "c.jsonl").write_text('{"y": 0, "user": -9007199254740993}\n{"y": 1, "user": 2}\n')
    common = agreement(tmp_path)
    assert common.declared == {"y": "number", "user": "text"}
    assert common.notes == [("user", "whole numbers with more digits than a number keeps: read as text")]
    third = pq.read_table(tmp_path / ".read" / "c.parquet")
    assert third["user"].to_pylist() == ["-9007199254740993", "2"]


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        pytest.param([0, 1], ["no", "yes"], ("number in a", "text in b"), id="Parquet"),
        pytest.param([0, 1], [False, True], ("number in a", "boolean in b"), id="0 and 1 or no and yes"),
        pytest.param(
            [0, 1], pd.to_datetime(["2025-01-01", "2025-01-02"]), ("number in a", "time in b"), id="times"
        ),
    ],
)
def test_kinds_that_can_t_be_one_are_refused_with_the_files_and_both(
    tmp_path: Path, first: list[object], second: list[object], kinds: tuple[str, str]
) -> None:
    for name, values in (("a", first), ("b", second)):
        pd.DataFrame({"y": [0, 1], "x": values}).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(BadData, match=rf"column 'x' is {kinds[0]}.parquet and {kinds[1]}.parquet; give it"):
        agreement(tmp_path)


def test_numbers_of_a_csv_and_booleans_of_another_are_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, a="y,x\n0,1\n1,0\n", b="y,x\n0,true\n1,false\n")
    with pytest.raises(BadData, match=r"column 'x' is number in a.csv and boolean in b.csv"):
        agreement(tmp_path)


def test_a_zone_in_some_files_only_is_refused(tmp_path: Path) -> None:
    times = pd.date_range("2025-01-01", periods=2)
    pd.DataFrame({"y": [0, 1], "t": times}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"y": [0, 1], "t": times.tz_localize("Europe/Berlin")}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(BadData, match=r"column 't' has a time zone in b.parquet and none in a.parquet"):
        agreement(tmp_path)


def test_offsets_in_a_csv_are_a_zone_too(tmp_path: Path) -> None:
    write(tmp_path, a="y,t\n0,2025-01-01T00:00:00+01:00\n1,2025-01-02T00:00:00+01:00\n")
    times = pd.date_range("2025-01-01", periods=2, tz="Europe/Berlin")
    pd.DataFrame({"y": [0, 1], "t": times}).to_parquet(tmp_path / "b.parquet")
    assert agreement(tmp_path).declared["t"] == "time"


@pytest.mark.parametrize("empty", [[None, None], [np.nan, np.nan]], ids=["without a type", "a float"])
def test_a_column_without_a_value_is_of_any_kind(tmp_path: Path, empty: list[object]) -> None:
    pd.DataFrame({"y": [0, 1], "word": empty}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"y": [0, 1], "word": ["a", "b"]}).to_parquet(tmp_path / "b.parquet")
    assert columns_of(tmp_path / "a.parquet")["word"] is None
    assert agreement(tmp_path).declared == {"y": "number", "word": "text"}


# --- Hive's folders


def hive(root: Path, *folders: str) -> Path:
    for number, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        frame = pd.DataFrame({"y": [0, 1], "x": [number, 2]})
        frame.to_parquet(root / folder / "data_0.parquet", index=False)
    return root


def test_folders_of_hive_are_columns_and_name_the_partition(tmp_path: Path) -> None:
    root = hive(tmp_path / "sales", "year=2025/region=n%C3%B6rd", "year=2026/region=south")
    (root / "year=2025" / "_SUCCESS").touch()
    (root / "_temporary").mkdir()
    (root / "_temporary" / "half.parquet").touch()
    sources = sources_of(root)
    names = ["year=2025-region=n%C3%B6rd-data_0", "year=2026-region=south-data_0"]
    assert [source.name for source in sources] == names
    first, second = (pq.read_table(path) for path in tables(tmp_path / "read", sources))
    assert first.to_pylist() == [
        {"y": 0, "x": 0, "year": 2025, "region": "nörd"},
        {"y": 1, "x": 2, "year": 2025, "region": "nörd"},
    ]
    assert second["year"].to_pylist() == [2026, 2026]


def test_months_without_a_leading_zero_are_in_the_order_of_time(tmp_path: Path) -> None:
    sources = sources_of(hive(tmp_path, "month=10", "month=9"))
    assert [source.name for source in sources] == ["month=09-data_0", "month=10-data_0"]
    assert sources[0].columns == {"month": "9"}


def test_a_single_file_or_folder_of_hive_s_is_the_same_partition(tmp_path: Path) -> None:
    root = hive(tmp_path, "month=2025-01")
    file = root / "month=2025-01" / "data_0.parquet"
    [of_root], [of_folder], [of_file] = (sources_of(path) for path in (root, file.parent, file))
    assert of_root.place == of_folder.place == of_file.place == PurePosixPath("month=2025-01/data_0.parquet")


def test_declared_kinds_and_names_hold_for_folders_too(tmp_path: Path) -> None:
    [source] = sources_of(hive(tmp_path / "h", "store=0017/year=2025"))
    declared = DatasetParams(name="d", target="y", columns={"y": "number", "x": "number", "store": "text"})
    read_source(source, tmp_path / "read.parquet", declared)
    assert pq.read_table(tmp_path / "read.parquet")["store"].to_pylist() == ["0017", "0017"]
    assert columns_of(tmp_path / "read.parquet").keys() == {"y", "x", "store"}


def test_a_column_of_the_file_outranks_its_folder_and_hive_s_null_is_empty(tmp_path: Path) -> None:
    [source] = sources_of(hive(tmp_path / "h", "x=7/area=__HIVE_DEFAULT_PARTITION__"))
    read_source(source, tmp_path / "read.parquet", DATASET)
    table = pq.read_table(tmp_path / "read.parquet")
    assert table["x"].to_pylist() == [0, 2]
    assert table["area"].to_pylist() == [None, None]
    assert table.schema.field("area").type == pa.null()


def test_values_of_folders_get_one_kind_over_all_files(tmp_path: Path) -> None:
    common = agreement(hive(tmp_path, "code=17", "code=A4"))
    assert common.declared["code"] == "text"
    assert common.notes == [
        (
            "code",
            "number in code=17/data_0.parquet and text in code=A4/data_0.parquet: read as text in all files",
        )
    ]


def test_a_folder_that_says_when_is_told_from_one_that_says_where() -> None:
    places = ["year=2025/area=a/x.csv", "year=2025/area=b/x.csv", "year=2026/area=a/x.csv"]
    sources = [Source(Path(place), PurePosixPath(place)) for place in places]
    assert columns_in_order(sources, [(0, 9), (1, 8), (10, 20)]) == ["year"]


def test_a_folder_without_a_table_and_a_path_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadInput, match=r"holds no table; files may end with .parquet"):
        sources_of(tmp_path)
    with pytest.raises(BadInput, match=r"no such file or folder: .*nowhere"):
        sources_of(tmp_path / "nowhere")


def test_two_files_that_would_be_one_partition_are_both_named(tmp_path: Path) -> None:
    write(tmp_path, a="y\n1\n")
    pd.DataFrame({"y": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"a.csv and .*a.parquet would both be the partition a; rename"):
        sources_of(tmp_path)
