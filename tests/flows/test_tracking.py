"""A real run of the flow beside a real MLflow server: what it shows, and what its registry loads."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.params import load_params
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.serving.model_cache import load_model
from incumbent.tracking.deliver import outbox_of
from tests.commands import variables
from tests.flows.conftest import Project, edited, within
from tests.tracking.conftest import MLflowServer, mlflow

__all__ = ["mlflow"]
pytestmark = pytest.mark.slow
MODEL = "flights-tracked"


@pytest.fixture(scope="module")
def place(project: Project, first: dict[str, Any]) -> Iterator[Project]:
    """The project as another model, so that its first run makes a champion."""
    with edited(project, dataset={"name": MODEL}), within(project.environment):
        yield project


def retrain(place: Project, address: str, *args: str) -> dict[str, Any]:
    done = place.run("retrain", *args, "--json", MLFLOW_TRACKING_URI=address)
    assert done.code == 0, done.err
    return dict(done.json)


def all_sent(place: Project) -> None:
    """Wait for what the run left to a process of its own: on a busy machine 5 s are short."""
    deadline = time.monotonic() + 60
    while outbox_of(place.path, "mlflow").waiting() and time.monotonic() < deadline:
        time.sleep(0.5)


@pytest.fixture(scope="module")
def tracked(place: Project, mlflow: MLflowServer) -> dict[str, Any]:
    outcome = retrain(place, mlflow.address)
    all_sent(place)
    return outcome


def run_in(server: MLflowServer, outcome: dict[str, Any]) -> dict[str, Any]:
    [run] = [each for each in server.runs(MODEL) if each["run_name"] == f"run {outcome['run']}"]
    return run


def test_the_run_shows_its_decision_and_figures(tracked: dict[str, Any], mlflow: MLflowServer) -> None:
    run = run_in(mlflow, tracked)
    assert run["status"] == "FINISHED"
    assert run["tags"]["incumbent.decision"] == "promote"
    assert run["tags"]["mlflow.source.git.commit"]
    assert "/runs/flow-run/" in run["tags"]["incumbent.prefect_run"]
    assert run["params"]["learner.rounds"] == "40"
    metric = tracked["metric"]
    assert run["metrics"]["judging/roc_auc"] == metric["challenger"]["value"]
    assert (run["metrics"]["judging/gain_low"], run["metrics"]["judging/gain_high"]) == tuple(metric["ci"])
    assert run["metrics"]["slices/origin/JFK/judging_rows"] > 0
    assert run["metrics"]["cv/roc_auc"] > 0.5
    [entry] = run["inputs"]
    assert entry["dataset"]["digest"] == tracked["data"]["md5"]


def test_each_trial_is_nested_with_its_curve(tracked: dict[str, Any], mlflow: MLflowServer) -> None:
    parent = run_in(mlflow, tracked)["run_id"]
    trials = [each for each in mlflow.runs(MODEL) if each["tags"].get("mlflow.parentRunId") == parent]
    assert len(trials) == 2
    for trial in trials:
        curve = mlflow.history(trial["run_id"], "cv/curve/roc_auc")
        assert len(curve) > 1
        assert trial["metrics"]["rounds"] in {step for step, _ in curve}
        assert trial["params"]["num_leaves"]


def test_mlflow_loads_the_champion_and_predicts_what_we_predict(
    tracked: dict[str, Any],
    place: Project,
    mlflow: MLflowServer,
    year: dict[int, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import mlflow as client

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", os.environ["AWS_ENDPOINT_URL"])
    frame = pd.read_parquet(year[2]).head(5000)
    theirs = client.pyfunc.load_model(f"models:/{MODEL}@champion").predict(frame)
    registry = open_registry(load_params(place.path), place.path)
    ours = load_model(place.path, registry, tracked["champion"]).score(frame)
    assert list(theirs) == list(ours)
    assert float(np.abs(theirs["score"] - ours["score"]).max()) <= 1e-9


def test_a_rollback_moves_the_alias_and_mirror_finds_nothing_to_mend(
    tracked: dict[str, Any], place: Project, mlflow: MLflowServer
) -> None:
    from tests.tracking.test_mlflow import aliases

    with edited(place, seed=1, promotion={"margin": 0.4}):
        other = retrain(place, mlflow.address, "--strategy", "full")
        all_sent(place)
    assert other["decision"]["kind"] == "hold"
    assert aliases(mlflow, MODEL) == {"champion": tracked["champion"], "challenger": other["challenger"]}
    named = {"MLFLOW_TRACKING_URI": mlflow.address}
    forced = place.run("models", "promote", other["challenger"], "--force", "--reason", "a test", **named)
    assert forced.code == 0, forced.err
    all_sent(place)
    assert aliases(mlflow, MODEL)["champion"] == other["challenger"]
    assert place.run("models", "rollback", **named).code == 0
    all_sent(place)
    assert aliases(mlflow, MODEL)["champion"] == tracked["champion"]
    mended = place.run("models", "mirror", "--json", **named)
    assert (mended.code, mended.json["changes"]) == (0, []), mended.err
    assert place.run("models", "verify").out.strip() == "the registry is sound"


def test_a_tracker_that_hangs_changes_no_decision_and_hears_of_it_later(
    tracked: dict[str, Any],
    place: Project,
    mlflow: MLflowServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        hung = retrain(place, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert hung["decision"]["kind"] == "skip"
    assert "mlflow did not get everything" in caplog.text
    after = retrain(place, mlflow.address)
    all_sent(place)
    names = [run["run_name"] for run in mlflow.runs(MODEL)]
    assert [names.count(f"run {each['run']}") for each in (hung, after)] == [1, 1]


def test_a_run_that_is_interrupted_after_its_decision_waits_in_the_outbox(
    tracked: dict[str, Any], place: Project
) -> None:
    registry = open_registry(load_params(place.path), place.path)
    outbox = outbox_of(place.path, "mlflow")
    run = max(registry.decisions(range(tracked["run"], tracked["run"] + 20))) + 1
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "incumbent", "retrain", "--project", str(place.path)]
        process = subprocess.Popen(command, env=variables(MLFLOW_TRACKING_URI=address))
        deadline = time.monotonic() + 120
        while not registry.decisions([run]) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [entry.name[:16] for entry in outbox.waiting()] == [f"run-{run:012d}"]
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert [entry.name[:16] for entry in outbox.waiting()] == [f"run-{run:012d}"]


def test_mirror_without_a_registry_to_show_it_in_says_what_to_set(place: Project) -> None:
    done = place.run("models", "mirror")
    assert done.code == 1
    assert "no tracker with a model registry is chosen: set MLFLOW_TRACKING_URI" in done.err
