"""A table never seen before: `init`, `up`, `retrain`, and there is a champion."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from incumbent.local import stack
from incumbent.local.environment import environment
from incumbent.params import load_params
from incumbent.storage.dataset.git import git

IDENTITY = {
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@incumbent.invalid",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@incumbent.invalid",
}


def incumbent(*args: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PREFECT_"))}
    command = [sys.executable, "-m", "incumbent", *map(str, args)]
    return subprocess.run(
        command, env={**own, **IDENTITY, **changes}, capture_output=True, text=True, timeout=280, check=False
    )


def table(name: str) -> pd.DataFrame:
    """One of the tables that scikit-learn ships, as its frame."""
    return getattr(datasets, f"load_{name}")(as_frame=True).frame


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A project on one CSV file with its stack up; what `init` printed."""
    home = tmp_path_factory.mktemp("init")
    table("breast_cancer").to_csv(home / "cells.csv", index=False)
    project = home / "Cell Samples"
    done = incumbent(
        "init", "--data", home / "cells.csv", "--target", "target", "--project", project, "--json"
    )
    assert done.returncode == 0, done.stderr
    try:
        up = incumbent("up", "--project", project)
        assert up.returncode == 0, up.stderr
        yield project, json.loads(done.stdout)
    finally:
        stack.down(project, print)


def test_three_commands_give_a_first_champion(running: tuple[Path, dict[str, Any]]) -> None:
    project, told = running
    assert (told["name"], told["task"], told["rows"]) == ("cell-samples", "binary", 569)
    done = incumbent("retrain", "--project", project, "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["decision"]["kind"] == "promote"
    assert outcome["champion"] == outcome["challenger"]
    assert outcome["metric"]["challenger"]["value"] > 0.95


@pytest.mark.parametrize(
    ("name", "task", "metric"), [("wine", "multiclass", "log_loss"), ("diabetes", "regression", "rmse")]
)
def test_classes_and_numbers_too(
    running: tuple[Path, dict[str, Any]], tmp_path: Path, name: str, task: str, metric: str
) -> None:
    frame, project = table(name), tmp_path / name
    (tmp_path / "parts").mkdir()
    for number in range(3):  # a folder: one partition a file
        frame.iloc[number::3].to_parquet(tmp_path / "parts" / f"part-{number}.parquet", index=False)
    done = incumbent(
        "init", "--data", tmp_path / "parts", "--target", "target", "--project", project, "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["task"], told["metric"]) == (task, metric)
    assert list(told["data"]["partitions"]) == ["part-0.parquet", "part-1.parquet", "part-2.parquet"]
    outcome = json.loads(
        incumbent("retrain", "--project", project, "--json", **environment(running[0])).stdout
    )
    assert (outcome["decision"]["kind"], outcome["metric"]["name"]) == ("promote", metric)


def test_a_leak_is_reported_and_left_with_one_command(
    running: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    project, around = tmp_path / "accounts", environment(running[0])
    rng = np.random.default_rng(0)
    size, amount = rng.normal(size=1500), rng.lognormal(size=1500)
    closes = rng.random(1500) < 1 / (1 + np.exp(-size))
    columns = {"size": size, "closed amount": np.where(closes, amount, np.nan), "closes": closes.astype(int)}
    pd.DataFrame(columns).to_parquet(tmp_path / "accounts.parquet", index=False)
    made = incumbent(
        "init", "--data", tmp_path / "accounts.parquet", "--target", "closes", "--project", project
    )
    assert "closed amount: perhaps a leak: " in made.stdout

    first = incumbent("retrain", "--project", project, **around)
    assert first.returncode == 0, first.stderr
    assert "roc_auc 1.0000" in first.stdout
    assert "is too good to be true" in first.stdout
    assert "incumbent drop-column 'closed amount' --reason TEXT" in first.stdout
    report = json.loads(incumbent("models", "history", "--project", project, "--json", **around).stdout)
    assert "is too good to be true" in report[-1]["reason"]

    refused = incumbent("models", "promote", "v1", "--project", project, **around)
    assert refused.returncode == 2
    assert "--force and --reason" in refused.stderr

    before = (project / "params.yaml").read_text()
    unknown = incumbent("drop-column", "amount", "--reason", "no", "--project", project, **around)
    assert (unknown.returncode, (project / "params.yaml").read_text()) == (1, before)
    assert "no column 'amount'" in unknown.stderr

    why = "filled in once the account is closed"
    done = incumbent(
        "drop-column", "closed amount", "--reason", why, "--project", project, "--json", **around
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["champion"] == outcome["challenger"] == "v2"
    reasons = " ".join(outcome["decision"]["reasons"])
    assert "v1 was judged without 'closed amount', which it reads and dataset.drop names" in reasons
    assert why in outcome["started_by"]
    assert load_params(project).dataset.drop == ["closed amount"]
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "-1", "--format=%s %b") == f"Drop closed amount {why}"
    kept = [line for line in before.splitlines() if "drop:" not in line]
    after = (project / "params.yaml").read_text().splitlines()
    assert [line for line in after if "drop:" not in line] == kept

    back = incumbent("models", "rollback", "--project", project, "--json", **around)
    assert json.loads(back.stdout)["champion"] == "v1"


def test_what_it_drafts_can_be_read_and_is_committed(running: tuple[Path, dict[str, Any]]) -> None:
    project, told = running
    assert load_params(project).promotion.metric == told["metric"]
    suite = json.loads((project / "expectations" / "cell-samples.json").read_text())
    assert len(suite["expectations"]) == told["expectations"] > 30
    assert all(each["severity"] for each in suite["expectations"])
    assert git(project, "status", "--porcelain") == ""
    assert "expectations/cell-samples.json" in git(project, "ls-files").splitlines()
    assert told["data"]["rev"] == git(project, "rev-parse", "HEAD")


def test_expectations_can_be_drafted_again_from_the_data_or_from_files(
    running: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    project, told = running
    path = project / "expectations" / "cell-samples.json"
    before = json.loads(path.read_text())
    refused = incumbent("expectations", "draft", "--project", project)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert json.loads(path.read_text()) == before
    path.write_text("{}")
    again = incumbent("expectations", "draft", "--force", "--project", project, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["expectations"] == told["expectations"]
    assert json.loads(path.read_text()) == before
    path.unlink()
    table("breast_cancer").assign(worse=1).to_csv(tmp_path / "more.csv", index=False)
    of_file = incumbent("expectations", "draft", tmp_path / "more.csv", "--project", project)
    assert of_file.returncode == 0, of_file.stderr
    assert '"worse"' in path.read_text()
    path.write_text(json.dumps(before, indent=2, ensure_ascii=False) + "\n")


def test_a_table_with_a_time_column_is_split_by_month(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=300, freq="D")
    frame = pd.DataFrame({"day": days, "x": range(300), "rain": [n % 3 == 0 for n in range(300)]})
    frame.to_csv(tmp_path / "weather.csv", index=False)
    done = incumbent(
        *("init", "--data", tmp_path / "weather.csv", "--target", "rain", "--time", "day"),
        *("--project", tmp_path / "weather", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["data"]["partitions"])[:2] == ["2026-01.parquet", "2026-02.parquet"]
    assert load_params(tmp_path / "weather").landing.partition == "month"


def test_what_can_be_read_in_two_ways_is_told_and_settled(tmp_path: Path) -> None:
    rows = [f"0{1 + n % 9}/0{1 + n % 7}/2025;{n / 8:.3f}".replace(".", ",") + f";{n % 2}" for n in range(200)]
    (tmp_path / "shop.csv").write_text("day;price;sold\n" + "\n".join(rows) + "\n")
    command = ("init", "--data", tmp_path / "shop.csv", "--target", "sold", "--project")
    told = incumbent(*command, tmp_path / "open")
    assert told.returncode == 0, told.stderr
    assert "day: dates such as '01/01/2025' may be day first or month first; read as text" in told.stdout
    assert load_params(tmp_path / "open").dataset.columns["day"] == "text"
    refused = incumbent(*command, tmp_path / "wrong", "--format", "day=american")
    assert (refused.returncode, (tmp_path / "wrong").exists()) == (1, False)
    assert "--format day=american: give COL=FORM, with one of decimal-comma," in refused.stderr
    done = incumbent(*command, tmp_path / "settled", "--format", "day=day-first")
    assert done.returncode == 0, done.stderr
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
    done = incumbent(
        "init", "--data", tmp_path / "table.csv", "--target", target, "--project", tmp_path / "new"
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_project_is_not_made_twice(running: tuple[Path, dict[str, Any]]) -> None:
    project, _ = running
    before = git(project, "rev-parse", "HEAD")
    done = incumbent("init", "--data", project / "data", "--target", "target", "--project", project)
    assert done.returncode == 1
    assert "params.yaml" in done.stderr
    assert (git(project, "rev-parse", "HEAD"), git(project, "status", "--porcelain")) == (before, "")


def test_an_own_repository_keeps_what_it_had(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    git(project, "init", "--quiet")
    (project / ".gitignore").write_text("secrets.env\n")
    (project / "notes.md").write_text("mine\n")
    table("iris").to_csv(tmp_path / "iris.csv", index=False)
    done = incumbent("init", "--data", tmp_path / "iris.csv", "--target", "target", "--project", project)
    assert done.returncode == 0, done.stderr
    assert (project / ".gitignore").read_text().startswith("secrets.env\n")
    assert git(project, "status", "--porcelain") == "?? notes.md"


def test_a_project_in_a_folder_of_a_repository_trains_takes_files_and_reproduces_in_a_clone(
    running: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    repository, clone = tmp_path / "everything", tmp_path / "clone"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch", "main")
    table("breast_cancer").iloc[:400].to_csv(tmp_path / "cells.csv", index=False)
    project = repository / "models" / "cells"
    made = incumbent("init", "--data", tmp_path / "cells.csv", "--target", "target", "--project", project)
    assert made.returncode == 0, made.stderr
    assert f"a folder of the git repository {repository}" in made.stderr
    servers = environment(running[0])
    table("breast_cancer").iloc[400:].to_csv(tmp_path / "more.csv", index=False)
    arrived = incumbent("ingest", tmp_path / "more.csv", "--project", project, "--json", **servers)
    assert json.loads(arrived.stdout)["data"]["added"] == ["more.parquet"], arrived.stderr
    trained = incumbent("retrain", "--project", project, "--json", **servers)
    assert json.loads(trained.stdout)["decision"]["kind"] == "promote", trained.stderr
    git(repository, "clone", "--quiet", str(repository), str(clone))
    there = clone / "models" / "cells"
    again = incumbent("models", "reproduce", "--project", there, "--json", **servers)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["same"]
    told = incumbent("notify", "--project", there, "--json", **servers)
    assert json.loads(told.stdout)["data"]["added"] == ["cells.parquet", "more.parquet"], told.stderr
    assert git(repository, "status", "--porcelain") == ""
