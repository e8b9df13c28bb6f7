"""`incumbent init` without a server: what it drafts, asks, refuses, and leaves as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from incumbent.gate.learned_suite import is_learned
from incumbent.gate.suites import load_suites
from incumbent.params import load_params
from incumbent.storage.dataset.git import git
from incumbent.tables.sources import read_source, sources_of
from tests.commands import called


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A project on one CSV file; what `init` printed."""
    home = tmp_path_factory.mktemp("init")
    load_breast_cancer(as_frame=True).frame.to_csv(home / "cells.csv", index=False)
    init = ("init", "--data", home / "cells.csv", "--target", "target")
    done = called(*init, "--json", project=home / "Cell Samples")
    assert done.code == 0, done.err
    return home / "Cell Samples", done.json


def test_what_it_drafts_and_learns_can_be_read_and_is_committed(made: tuple[Path, dict[str, Any]]) -> None:
    project, told = made
    assert load_params(project).promotion.metric == told["metric"]
    own, learned = load_suites(project / "expectations")
    assert (own["name"], len(own["expectations"])) == ("cell-samples", told["expectations"])
    assert {each["severity"] for each in own["expectations"]} == {"critical"}
    assert (learned["name"], is_learned(learned)) == ("cell-samples.learned", True)
    assert told["limits"] > 100
    assert git(project, "status", "--porcelain") == ""
    tracked = {"cell-samples.json", "cell-samples.learned.json", "profiles/cells.json"}
    assert {f"expectations/{name}" for name in tracked} <= set(git(project, "ls-files").splitlines())
    assert told["data"]["rev"] == git(project, "rev-parse", "HEAD")


def test_a_long_name_makes_no_other_line_of_the_table_long(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x" * 200: range(300), "y": [n % 2 for n in range(300)]})
    frame.to_csv(tmp_path / "wide.csv", index=False)
    done = called("init", "--data", tmp_path / "wide.csv", "--target", "y", project=tmp_path / "wide")
    assert done.code == 0, done.err
    [line] = [line for line in done.out.splitlines() if line.startswith("y ")]
    assert len(line) < 160


def test_a_table_with_a_time_column_is_split_by_month(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=300, freq="D")
    frame = pd.DataFrame({"day": days, "x": range(300), "rain": [n % 3 == 0 for n in range(300)]})
    frame.to_csv(tmp_path / "weather.csv", index=False)
    init = ("init", "--data", tmp_path / "weather.csv", "--target", "rain", "--time", "day")
    done = called(*init, "--json", project=tmp_path / "weather")
    assert done.code == 0, done.err
    assert list(done.json["data"]["partitions"])[:2] == ["2026-01.parquet", "2026-02.parquet"]
    assert load_params(tmp_path / "weather").landing.partition == "month"


@pytest.mark.parametrize("form", ["csv", "csv.gz", "tsv", "jsonl", "jsonl.gz"])
def test_a_file_that_init_read_is_the_same_partition_when_it_arrives_again(tmp_path: Path, form: str) -> None:
    """Whole numbers, with empty cells and without, and a column that only the second file fills."""
    data, rows = tmp_path / "region=7", range(400)
    data.mkdir()
    for number, later in enumerate(([None] * 400, [n % 5 for n in rows])):
        frame = pd.DataFrame(
            {
                "id": [1000 * number + n for n in rows],
                "Größe": [n % 9 if n % 4 else None for n in rows],
                "price": [n / 8 for n in rows],
                "flag": [n % 3 == 0 for n in rows],
                "note": ["a", "b"] * 200,
                "later": later,
                "y": [n % 2 for n in rows],
            }
        ).astype({"Größe": "Int64", "later": "Int64"})
        if "json" in form:
            frame.to_json(data / f"{number}.{form}", orient="records", lines=True)
        else:
            frame.to_csv(data / f"{number}.{form}", index=False, sep="\t" if form == "tsv" else ",")
    project = tmp_path / "shop"
    done = called("init", "--data", data, "--target", "y", "--key", "id", project=project)
    assert done.code == 0, done.err
    dataset = load_params(project).dataset
    assert (dataset.positive, dataset.classes) == (1, [0, 1])
    for source in sources_of(data):
        again = tmp_path / "again.parquet"
        read_source(source, again, dataset)
        assert again.read_bytes() == (project / "data" / f"{source.name}.parquet").read_bytes()


def test_a_parquet_file_is_the_partition_as_it_is(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": range(300), "small": np.arange(300, dtype="int8"), "y": [0, 1] * 150})
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    init = ("init", "--data", tmp_path / "rows.parquet", "--target", "y", "--key", "id")
    assert called(*init, project=tmp_path / "own").code == 0
    made = tmp_path / "own" / "data" / "rows.parquet"
    assert made.read_bytes() == (tmp_path / "rows.parquet").read_bytes()


def test_what_can_be_read_in_two_ways_is_told_and_settled(tmp_path: Path) -> None:
    rows = [f"0{1 + n % 9}/0{1 + n % 7}/2025;{n / 8:.3f}".replace(".", ",") + f";{n % 2}" for n in range(200)]
    (tmp_path / "shop.csv").write_text("day;price;sold\n" + "\n".join(rows) + "\n")
    init = ("init", "--data", tmp_path / "shop.csv", "--target", "sold")
    told = called(*init, project=tmp_path / "open")
    assert told.code == 0, told.err
    assert "day: dates such as '01/01/2025' may be day first or month first; read as text" in told.out
    assert load_params(tmp_path / "open").dataset.columns["day"] == "text"
    refused = called(*init, "--format", "day=american", project=tmp_path / "wrong")
    assert (refused.code, (tmp_path / "wrong").exists()) == (1, False)
    assert "--format day=american: give COL=FORM, with one of decimal-comma," in refused.err
    done = called(*init, "--format", "day=day-first", project=tmp_path / "settled")
    assert done.code == 0, done.err
    dataset = load_params(tmp_path / "settled").dataset
    assert dataset.columns == {"day": "time", "price": "number", "sold": "number"}
    assert dataset.formats == {"day": "day-first", "price": "decimal-comma"}


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        pytest.param("x,y\n1,2\n2,3\n", "z", "no column 'z'; the data has ['x', 'y']", id="no such target"),
        pytest.param("x,y\n1,2\n2,2\n", "y", "has a single value", id="nothing to learn"),
        pytest.param("x,y\n1,2\n2\n", "y", "table.csv", id="ragged"),
        pytest.param("", "y", "empty", id="empty"),
    ],
)
def test_a_table_that_can_t_be_used_leaves_nothing_behind(
    tmp_path: Path, text: str, target: str, message: str
) -> None:
    (tmp_path / "table.csv").write_text(text)
    init = ("init", "--data", tmp_path / "table.csv", "--target", target)
    done = called(*init, project=tmp_path / "new")
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_project_is_not_made_twice(made: tuple[Path, dict[str, Any]]) -> None:
    project, _ = made
    before = git(project, "rev-parse", "HEAD")
    done = called("init", "--data", project / "data", "--target", "target", project=project)
    assert done.code == 1
    assert "params.yaml" in done.err
    assert (git(project, "rev-parse", "HEAD"), git(project, "status", "--porcelain")) == (before, "")


def test_an_own_repository_keeps_what_it_had(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    git(project, "init", "--quiet")
    (project / ".gitignore").write_text("secrets.env\n")
    (project / "notes.md").write_text("mine\n")
    load_iris(as_frame=True).frame.to_csv(tmp_path / "iris.csv", index=False)
    done = called("init", "--data", tmp_path / "iris.csv", "--target", "target", project=project)
    assert done.code == 0, done.err
    assert (project / ".gitignore").read_text().startswith("secrets.env\n")
    assert git(project, "status", "--porcelain") == "?? notes.md"
