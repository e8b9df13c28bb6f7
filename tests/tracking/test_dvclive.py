"""DVC's own commands read what the sink `dvclive` writes of a run."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incumbent.tracking.deliver import deliver, outbox_of
from incumbent.tracking.values import TrackedRun
from tests.commands import IDENTITY
from tests.tracking.examples import RUN, message

pytestmark = pytest.mark.slow


def typed(folder: Path, *command: str) -> str:
    """What a command prints in the folder."""
    environment = {**os.environ, **IDENTITY}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def dvc(folder: Path, *args: str) -> Any:
    return json.loads(typed(folder, sys.executable, "-m", "dvc", *args, "--json"))


def sent(project: Path, run: TrackedRun) -> None:
    outbox = outbox_of(project, "dvclive")
    outbox.put(message(run, None), {})
    assert deliver(project, {"dvclive": outbox}, seconds=60) == {}


def committed(folder: Path, message: str) -> None:
    typed(folder, "git", "add", "--all")
    typed(folder, "git", "commit", "--quiet", "--message", message)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a run that is committed, and a later one that is not."""
    folder = tmp_path_factory.mktemp("project")
    typed(folder, "git", "init", "--quiet")
    typed(folder, sys.executable, "-m", "dvc", "init", "--quiet")
    (folder / ".gitignore").write_text(".incumbent/\n")
    committed(folder, "Start")
    sent(folder, RUN)
    committed(folder, "Run 17")
    sent(folder, replace(RUN, id="18" * 16, seq=18, metrics={"judging/roc_auc": 0.75}))
    return folder


def test_metrics_diff_compares_the_last_run_with_the_committed_one(project: Path) -> None:
    changed = dvc(project, "metrics", "diff")["dvclive/metrics.json"]["judging.roc_auc"]
    assert (changed["old"], changed["new"]) == (0.7421, 0.75)


def test_exp_show_has_both_runs(project: Path) -> None:
    shown = {
        each["rev"]: each["data"]["metrics"]["dvclive/metrics.json"] for each in dvc(project, "exp", "show")
    }
    values = [each["data"]["judging"]["roc_auc"] for each in shown.values()]
    assert values == [0.75, 0.7421]


def test_plots_show_draws_the_trials(project: Path) -> None:
    typed(project, sys.executable, "-m", "dvc", "plots", "show")
    page = (project / "dvc_plots" / "index.html").read_text()
    assert "0.71" in page
    assert "trials/score" in page or "score.tsv" in page
