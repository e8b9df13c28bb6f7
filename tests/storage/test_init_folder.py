"""`init` on folders as people have them: it says what differs, and its own gate passes each file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.cli.new_project import create
from incumbent.errors import BadData
from incumbent.gate import Verdict
from incumbent.gate.check import gate_files
from incumbent.gate.suites import load_suites
from incumbent.params import DatasetParams, load_params
from incumbent.tables.sources import read_source, sources_of


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tests@incumbent.invalid")


def month(name: str, seed: int, rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"k": np.arange(rows) + seed * 10_000, "x1": rng.normal(size=rows)})
    times = pd.Timestamp(f"{name}-01") + pd.to_timedelta(np.arange(rows), unit="h")
    return frame.assign(t=times, x2=rng.integers(0, 50, rows), c=rng.choice(["a", "b"], rows)).assign(
        y=(frame["x1"] + rng.normal(size=rows) > 0).astype(int)
    )


TABLE = DatasetParams(name="new", target="y", key=["k"], time="t")


def made(folder: Path, project: Path) -> dict[str, Any]:
    return create(folder, TABLE, project)


def warned(document: dict[str, Any]) -> str:
    """What init asks a person to look at."""
    return "\n".join(f"{each['column']}: {each['text']}" for each in document["warnings"])


def own_verdict(folder: Path, project: Path) -> Verdict:
    """What the project's gate says of the files that it was made of."""
    params, suites = load_params(project), load_suites(project / "expectations")
    copies = []
    for source in sources_of(folder):
        copies.append((source.name, project.parent / "copies" / f"{source.name}.parquet"))
        read_source(source, copies[-1][1], params.dataset)
    return gate_files(copies, suites, params.dataset, params.gate).verdict


def test_columns_that_come_and_go_are_told_and_never_block_what_is_there(tmp_path: Path) -> None:
    folder, project = tmp_path / "cols", tmp_path / "shop"
    folder.mkdir()
    month("2025-01", 1).to_parquet(folder / "2025-01.parquet", index=False)
    later = month("2025-02", 2).assign(extra=1.0).drop(columns="x2")
    later.to_parquet(folder / "2025-02.parquet", index=False)
    warnings = warned(made(folder, project))
    assert "x2: missing in 2025-02.parquet: not used, as the last file tells" in warnings
    assert "extra: missing in 2025-01.parquet: empty there" in warnings
    assert load_params(project).dataset.columns.keys() == {"k", "t", "x1", "c", "y"}
    assert own_verdict(folder, project) is Verdict.WARN  # of columns that are not declared


def test_csv_files_of_digits_and_of_words_make_a_column_of_text(tmp_path: Path) -> None:
    folder, project = tmp_path / "csv", tmp_path / "shop"
    folder.mkdir()
    first, second = month("2025-01", 1), month("2025-02", 2)
    first["c"] = first["k"] % 7
    second["c"] = "A" + (second["k"] % 7).astype(str)
    first.to_csv(folder / "2025-01.csv.gz", index=False)
    second.to_csv(folder / "2025-02.csv", index=False)
    warnings = warned(made(folder, project))
    assert "c: number in 2025-01.csv.gz and text in 2025-02.csv: read as text in all files" in warnings
    assert load_params(project).dataset.columns["c"] == "text"
    assert own_verdict(folder, project) is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"y": None}, r"column 'y' is missing in 2025-02.parquet; every file needs it", id="target"
        ),
        pytest.param({"k": 5}, r"own gate would block this data(?s:.*)column='k'.*300 of 300 rows", id="key"),
        pytest.param(
            {"x1": "?"}, r"'x1' is number in 2025-01.parquet and text in 2025-02.parquet", id="kind"
        ),
    ],
)
def test_what_its_own_gate_would_block_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    month("2025-01", 1).to_parquet(folder / "2025-01.parquet", index=False)
    second = month("2025-02", 2).assign(**change)
    second.dropna(axis="columns", how="all").to_parquet(folder / "2025-02.parquet", index=False)
    with pytest.raises(BadData, match=message):
        made(folder, tmp_path / "shop")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_hive_folders_are_columns_and_those_that_say_when_are_no_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, project = tmp_path / "hive", tmp_path / "shop"
    for seed, (name, area) in enumerate(
        [("2025-01", "n"), ("2025-01", "s"), ("2025-02", "n"), ("2025-02", "s")]
    ):
        place = folder / f"month={name}" / f"area={area}"
        place.mkdir(parents=True)
        month(name, seed).to_parquet(place / "data_0.parquet", index=False)
    document = made(folder, project)
    assert "column 'month': the folders follow 't', so it is no feature" in capsys.readouterr().err
    assert "month=2025-01-area=n-data_0.parquet" in document["data"]["partitions"]
    params = load_params(project).dataset
    assert {"month", "area"} <= params.columns.keys()
    assert params.drop == ["k", "month"]
    assert own_verdict(folder, project) is Verdict.PASS


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_months_are_cut_on_the_clock_of_the_column(tmp_path: Path, zone: str) -> None:
    times = pd.date_range("2025-01-01 00:30", "2025-04-01", freq="3h", tz=zone)
    frame = month("2025-01", 1, len(times)).assign(t=times)
    frame.to_parquet(tmp_path / "first.parquet", index=False)
    document = made(tmp_path / "first.parquet", tmp_path / "shop")
    assert list(document["data"]["partitions"]) == [f"2025-0{number}.parquet" for number in (1, 2, 3)]
    assert load_params(tmp_path / "shop").landing.zone == zone


def test_offsets_of_a_csv_are_cut_in_utc_or_where_the_user_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = pd.date_range("2025-01-01 00:30", "2025-04-01", freq="3h", tz="Europe/Berlin")
    frame = month("2025-01", 1, len(times)).assign(t=[time.isoformat() for time in times])
    frame.to_csv(tmp_path / "first.csv", index=False)
    in_utc = made(tmp_path / "first.csv", tmp_path / "utc")
    assert "a month of 't' begins at midnight in UTC; --zone names another" in capsys.readouterr().err
    assert "2024-12.parquet" in in_utc["data"]["partitions"]
    here = create(tmp_path / "first.csv", TABLE, tmp_path / "berlin", "Europe/Berlin")
    assert next(iter(here["data"]["partitions"])) == "2025-01.parquet"
