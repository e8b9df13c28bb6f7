"""A table never seen before: `init`, `up`, `retrain`, and there is a champion."""

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
from incumbent.storage.dataset.params_file import drop_columns
from tests.commands import Done, called, typed

pytestmark = pytest.mark.slow


def table(name: str) -> pd.DataFrame:
    """One of the tables that scikit-learn ships, as its frame."""
    return getattr(datasets, f"load_{name}")(as_frame=True).frame


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A project on one CSV file with its stack up; what `init` printed."""
    home = tmp_path_factory.mktemp("init")
    table("breast_cancer").to_csv(home / "cells.csv", index=False)
    project = home / "Cell Samples"
    done = typed("init", "--data", home / "cells.csv", "--target", "target", "--project", project, "--json")
    assert done.code == 0, done.err
    try:
        up = called("up", project=project)
        assert up.code == 0, up.err
        yield project, done.json
    finally:
        stack.down(project, print)


def test_three_commands_give_a_first_champion(running: tuple[Path, dict[str, Any]]) -> None:
    project, told = running
    assert (told["name"], told["task"], told["rows"]) == ("cell-samples", "binary", 569)
    done = called("retrain", "--json", project=project)
    assert done.code == 0, done.err
    outcome = done.json
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
    done = called("init", "--data", tmp_path / "parts", "--target", "target", "--json", project=project)
    assert done.code == 0, done.err
    told = done.json
    assert (told["task"], told["metric"]) == (task, metric)
    assert list(told["data"]["partitions"]) == ["part-0.parquet", "part-1.parquet", "part-2.parquet"]
    outcome = called("retrain", "--json", project=project, **environment(running[0])).json
    assert (outcome["decision"]["kind"], outcome["metric"]["name"]) == ("promote", metric)


def accounts(folder: Path, name: str = "accounts") -> tuple[Path, Done]:
    """A project of `init` whose column 'closed amount' gives the target away, and what `init` printed."""
    rng = np.random.default_rng(0)
    size, amount = rng.normal(size=1500), rng.lognormal(size=1500)
    closes = rng.random(1500) < 1 / (1 + np.exp(-size))
    columns = {"size": size, "closed amount": np.where(closes, amount, np.nan), "closes": closes.astype(int)}
    table = folder / f"{name}.parquet"
    pd.DataFrame(columns).to_parquet(table, index=False)
    return folder / name, called("init", "--data", table, "--target", "closes", project=folder / name)


def test_a_leak_is_reported_and_left_with_one_command(
    running: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    around = environment(running[0])
    project, made = accounts(tmp_path)
    assert "closed amount: perhaps a leak: " in made.out

    first = called("retrain", project=project, **around)
    assert first.code == 0, first.err
    assert "roc_auc 1.0000" in first.out
    assert "is too good to be true" in first.out
    assert "incumbent drop-column 'closed amount' --reason TEXT" in first.out
    report = called("models", "history", "--json", project=project, **around).json
    assert "is too good to be true" in report[-1]["reason"]

    refused = called("models", "promote", "v1", project=project, **around)
    assert refused.code == 2
    assert "--force and --reason" in refused.err

    before = (project / "params.yaml").read_text()
    unknown = called("drop-column", "amount", "--reason", "no", project=project, **around)
    assert (unknown.code, (project / "params.yaml").read_text()) == (1, before)
    assert "no column 'amount'" in unknown.err

    why = "filled in once the account is closed"
    done = called("drop-column", "closed amount", "--reason", why, "--json", project=project, **around)
    assert done.code == 0, done.err
    outcome = done.json
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

    back = called("models", "rollback", "--json", project=project, **around)
    assert back.json["champion"] == "v1"
    again = called("retrain", "--json", project=project, **around).json["decision"]
    assert again["kind"] == "skip"
    assert "'v1' is champion by a rollback, and 'incumbent retrain --strategy full'" in again["reasons"][0]


def test_who_leaves_a_leak_is_the_person_whom_its_replacement_waits_for(
    running: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    around = environment(running[0])
    project, _ = accounts(tmp_path, "careful")
    # The first model knows nothing but the leak, so its replacement is shown to be better and waits.
    drop_columns(project, ["size"], "learn from the leak alone")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("  holdout: 0 ", "  holdout: 0.2 "))  # rows new to both
    git(project, "commit", "--quiet", "--all", "--message", "Keep a vault")
    assert called("retrain", project=project, **around).code == 0
    text = params.read_text().replace("drop: [size]", "drop: []").replace("approve: never", "approve: always")
    params.write_text(text)
    git(project, "commit", "--quiet", "--all", "--message", "Ask a person")
    done = called("drop-column", "closed amount", "--reason", "too late", "--json", project=project, **around)
    assert done.code == 0, done.err
    assert (done.json["champion"], done.json["decision"]["kind"]) == ("v2", "promote")
    told = called("models", "history", "--json", project=project, **around).json[-1]
    assert (told["op"], told["version"]) == ("promote", "v2")
    assert told["reason"].startswith("approved: drop-column closed amount: too late; ")


def test_a_project_in_a_folder_of_a_repository_trains_takes_files_and_reproduces_in_a_clone(
    running: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    repository, clone = tmp_path / "everything", tmp_path / "clone"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch", "main")
    table("breast_cancer").iloc[:400].to_csv(tmp_path / "cells.csv", index=False)
    project = repository / "models" / "cells"
    made = called("init", "--data", tmp_path / "cells.csv", "--target", "target", project=project)
    assert made.code == 0, made.err
    assert f"a folder of the git repository {repository}" in made.err
    servers = environment(running[0])
    table("breast_cancer").iloc[400:].to_csv(tmp_path / "more.csv", index=False)
    arrived = called("ingest", tmp_path / "more.csv", "--json", project=project, **servers)
    assert arrived.json["data"]["added"] == ["more.parquet"], arrived.err
    trained = called("retrain", "--json", project=project, **servers)
    assert trained.json["decision"]["kind"] == "promote", trained.err
    git(repository, "clone", "--quiet", str(repository), str(clone))
    there = clone / "models" / "cells"
    again = called("models", "reproduce", "--json", project=there, **servers)
    assert again.code == 0, again.err
    assert again.json["same"]
    told = called("notify", "--json", project=there, **servers)
    assert told.json["data"]["added"] == ["cells.parquet", "more.parquet"], told.err
    assert git(repository, "status", "--porcelain") == ""
