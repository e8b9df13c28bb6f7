"""A real MLflow server: what a run sent it, once, whatever happened on the way."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from incumbent.params import Params
from incumbent.tracking.deliver import SECONDS, deliver, outbox_of
from incumbent.tracking.mlflow import open_mlflow
from incumbent.tracking.sink import Refused
from incumbent.tracking.values import RegistryState, TrackedRun
from tests.building import changed
from tests.tracking.conftest import MLflowServer, Proxy
from tests.tracking.examples import OWNER, PICTURE, RUN, VERSION, message, numbered, send, waiting_for
from tests.tracking.test_outbox import full_disk

pytestmark = pytest.mark.slow


def sent(project: Path, address: str, experiment: str, *runs: TrackedRun) -> dict[str, str]:
    """Keep runs in the outbox and deliver what waits, without a limit that a busy machine could miss."""
    outbox = waiting_for(project, *runs, model=experiment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", address)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", experiment)
        return dict(deliver(project, {"mlflow": outbox}, seconds=60))


@pytest.fixture(scope="module")
def logged(mlflow: MLflowServer, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    assert sent(tmp_path_factory.mktemp("project"), mlflow.address, "logged", RUN) == {}
    return mlflow.runs("logged")


def by_name(runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({run["run_name"] for run in runs}) == len(runs)
    return {run["run_name"]: run for run in runs}


def test_a_run_arrives_with_its_trials_nested(logged: list[dict[str, Any]], mlflow: MLflowServer) -> None:
    runs = by_name(logged)
    assert set(runs) == {"run 17", "run 17, trial 0", "run 17, trial 1"}
    parent, trial = runs["run 17"], runs["run 17, trial 0"]
    assert {run["status"] for run in runs.values()} == {"FINISHED"}
    assert (parent["start_time"], parent["end_time"]) == (RUN.began, RUN.ended)
    assert trial["tags"]["mlflow.parentRunId"] == parent["run_id"]
    assert trial["params"] == {"num_leaves": "31", "learning_rate": "0.1"}
    assert trial["metrics"]["cv/roc_auc"] == 0.71
    assert mlflow.history(trial["run_id"], "cv/curve/roc_auc") == [(10, 0.7), (20, 0.71)]


def test_parameters_figures_and_decision_arrive(logged: list[dict[str, Any]]) -> None:
    parent = by_name(logged)["run 17"]
    assert parent["params"] == RUN.params
    assert parent["metrics"]["judging/roc_auc"] == 0.7421
    assert parent["tags"]["incumbent.decision"] == "promote"
    assert parent["tags"]["mlflow.note.content"] == RUN.summary


def test_values_of_slices_become_names_that_mlflow_allows(logged: list[dict[str, Any]]) -> None:
    slices = {name: value for name, value in by_name(logged)["run 17"]["metrics"].items() if "slices" in name}
    assert slices == {
        "slices/city/München/gain": 0.01,
        "slices/city/a_b_42144f/gain": 0.02,
        "slices/city/a_b_c2a7b6/gain": 0.03,
        "slices/city/__5ec1f7/gain": 0.04,
    }


def test_the_data_version_is_the_runs_input(logged: list[dict[str, Any]]) -> None:
    [entry] = by_name(logged)["run 17"]["inputs"]
    assert (entry["dataset"]["name"], entry["dataset"]["digest"]) == ("flights", RUN.dataset.digest)
    assert "1a2b3c" in entry["dataset"]["source"]


def test_report_and_pictures_are_artifacts(logged: list[dict[str, Any]], mlflow: MLflowServer) -> None:
    run = by_name(logged)["run 17"]["run_id"]
    query = {"run_uuid": run, "path": "pictures/roc.png"}
    got = httpx.get(f"{mlflow.address}/get-artifact", params=query, timeout=30)
    assert got.content == PICTURE["pictures/roc.png"]
    query["path"] = "report.html"
    assert (
        httpx.get(f"{mlflow.address}/get-artifact", params=query, timeout=30).content
        == PICTURE["report.html"]
    )


def test_the_same_run_sent_again_changes_nothing(
    logged: list[dict[str, Any]], mlflow: MLflowServer, tmp_path: Path
) -> None:
    assert sent(tmp_path, mlflow.address, "logged", RUN) == {}
    assert mlflow.runs("logged") == logged


def test_wherever_the_line_is_cut_each_figure_arrives_once(mlflow: MLflowServer, tmp_path: Path) -> None:
    short = replace(RUN, params={"seed": "1"}, trials=RUN.trials[:1])
    left, cut = 0, True
    while cut:
        experiment, project = f"cut after {left}", tmp_path / str(left)
        with Proxy(mlflow.port, left) as proxy:
            cut = bool(sent(project, proxy.address, experiment, short))
        assert sent(project, mlflow.address, experiment) == {}
        runs = by_name(mlflow.runs(experiment))
        assert set(runs) == {"run 17", "run 17, trial 0"}
        assert {run["status"] for run in runs.values()} == {"FINISHED"}
        assert runs["run 17"]["params"] == short.params
        assert len(mlflow.history(runs["run 17"]["run_id"], "judging/roc_auc")) == 1
        assert len(mlflow.history(runs["run 17, trial 0"]["run_id"], "cv/curve/roc_auc")) == 2
        assert versions(mlflow, experiment) == ["v17"]
        assert aliases(mlflow, experiment) == {"champion": "v17"}
        left += 1
    assert left > 15


def test_what_waited_while_the_server_hung_arrives_once_in_order(
    mlflow: MLflowServer, tmp_path: Path
) -> None:
    mlflow.send(signal.SIGSTOP)
    try:
        outbox = waiting_for(tmp_path, numbered(1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
            patch.setenv("MLFLOW_EXPERIMENT_NAME", "hung")
            began = time.monotonic()
            assert set(deliver(tmp_path, {"mlflow": outbox})) == {"mlflow"}
            assert time.monotonic() - began < SECONDS + 1
    finally:
        mlflow.send(signal.SIGCONT)
    assert sent(tmp_path, mlflow.address, "hung", numbered(2)) == {}
    names = [run["run_name"] for run in mlflow.runs("hung") if "trial" not in run["run_name"]]
    assert sorted(names) == ["run 1", "run 2"]


def test_what_waited_while_the_server_was_killed_arrives_once(mlflow: MLflowServer, tmp_path: Path) -> None:
    mlflow.stop()
    assert "does not answer" in sent(tmp_path, mlflow.address, "killed", numbered(1))["mlflow"]
    mlflow.start()
    assert sent(tmp_path, mlflow.address, "killed", numbered(2)) == {}
    assert len(by_name(mlflow.runs("killed"))) == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_without_room_in_the_outbox_a_run_arrives_all_the_same(
    mlflow: MLflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flights_params: Params
) -> None:
    params = changed(flights_params, tracking={"sinks": ["mlflow"]})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "full disk")
    with full_disk(tmp_path / ".incumbent"):
        assert "No space left on device" in send(tmp_path, params, message(RUN, None), PICTURE)[0]
    deadline = time.monotonic() + 60
    while len(runs := mlflow.runs("full disk")) < 3 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert set(by_name(runs)) == {"run 17", "run 17, trial 0", "run 17, trial 1"}


# --- the mirror of the registry


def mirrored(mlflow: MLflowServer, registry: RegistryState) -> list[str]:
    return open_mlflow({"MLFLOW_TRACKING_URI": mlflow.address}).mirror(registry)


def aliases(mlflow: MLflowServer, model: str) -> dict[str, str]:
    """Alias -> our version."""
    api = f"{mlflow.address}/api/2.0/mlflow"
    named = {}
    for alias in ("champion", "challenger"):
        answer = httpx.get(
            f"{api}/registered-models/alias", params={"name": model, "alias": alias}, timeout=30
        )
        if answer.is_success:
            tags = answer.json()["model_version"]["tags"]
            named[alias] = next(tag["value"] for tag in tags if tag["key"] == "incumbent.version")
    return named


def versions(mlflow: MLflowServer, model: str) -> list[str]:
    """Our versions that the model has there."""
    query: dict[str, Any] = {"filter": f"name='{model}'", "max_results": 100}
    answer = httpx.get(f"{mlflow.address}/api/2.0/mlflow/model-versions/search", params=query, timeout=30)
    tags = [tag for each in answer.json()["model_versions"] for tag in each["tags"]]
    return sorted(tag["value"] for tag in tags if tag["key"] == "incumbent.version")


def state(
    model: str, seq: int, champion: str | None, challenger: str | None, *versions: str
) -> RegistryState:
    address = f"s3://incumbent/registry/{model}/versions/"
    all_of = tuple(replace(VERSION, version=name, source=address + name) for name in versions)
    return RegistryState(model, address, seq, champion, challenger, all_of, owner=OWNER)


def test_a_version_is_mirrored_with_its_run_and_alias(mlflow: MLflowServer, tmp_path: Path) -> None:
    assert sent(tmp_path, mlflow.address, "mirrored", RUN) == {}
    answer = httpx.get(
        f"{mlflow.address}/api/2.0/mlflow/registered-models/alias",
        params={"name": "mirrored", "alias": "champion"},
        timeout=30,
    ).json()["model_version"]
    assert answer["source"] == VERSION.source
    assert {"key": "incumbent.owner", "value": OWNER} in answer["tags"]
    assert answer["run_id"] == by_name(mlflow.runs("mirrored"))["run 17"]["run_id"]
    assert {"key": "incumbent.kind", "value": "full"} in answer["tags"]


def test_aliases_follow_and_a_sound_mirror_stays(mlflow: MLflowServer) -> None:
    mirrored(mlflow, state("follow", 1, "v1", None, "v1"))
    mirrored(mlflow, state("follow", 1, "v1", "v2", "v1", "v2"))
    assert aliases(mlflow, "follow") == {"champion": "v1", "challenger": "v2"}
    mirrored(mlflow, state("follow", 2, "v2", None, "v2"))
    assert aliases(mlflow, "follow") == {"champion": "v2"}
    assert mirrored(mlflow, state("follow", 2, "v2", None, "v1", "v2")) == []


def test_what_waited_for_long_moves_no_alias_back(mlflow: MLflowServer) -> None:
    mirrored(mlflow, state("late", 2, "v2", None, "v1", "v2"))
    mirrored(mlflow, state("late", 1, "v1", None, "v1"))
    assert aliases(mlflow, "late") == {"champion": "v2"}


def test_a_drifted_mirror_is_mended(mlflow: MLflowServer) -> None:
    ours = replace(state("drifted", 1, "v1", None, "v1", "v2"), complete=True)
    mirrored(mlflow, ours)
    api = f"{mlflow.address}/api/2.0/mlflow"
    for method, path, body in (
        ("POST", "registered-models/alias", {"name": "drifted", "alias": "champion", "version": "2"}),
        (
            "POST",
            "model-versions/set-tag",
            {"name": "drifted", "version": "1", "key": "incumbent.kind", "value": "?"},
        ),
        (
            "DELETE",
            "model-versions/delete-tag",
            {"name": "drifted", "version": "1", "key": "incumbent.version"},
        ),
        ("PATCH", "model-versions/update", {"name": "drifted", "version": "2", "description": "?"}),
        ("POST", "model-versions/create", {"name": "drifted", "source": "s3://somebody/else"}),
        ("POST", "model-versions/create", {"name": "drifted", "source": ours.versions[0].source}),
    ):
        httpx.request(method, f"{api}/{path}", json=body, timeout=30).raise_for_status()
    assert mirrored(mlflow, ours) == [
        "'v1' had other tags: incumbent.kind, incumbent.version",
        "'v2' had another description",
        "'champion' is v1 now",
    ]
    assert aliases(mlflow, "drifted") == {"champion": "v1"}
    gone = replace(state("drifted", 1, "v1", None, "v1"), complete=True)
    assert mirrored(mlflow, gone) == ["'v2' is not in the registry any more; deleted"]
    assert mirrored(mlflow, gone) == []
    for version, source in (("3", "s3://somebody/else"), ("4", ours.versions[0].source)):
        query = {"name": "drifted", "version": version}
        theirs = httpx.get(f"{api}/model-versions/get", params=query, timeout=30)
        assert theirs.json()["model_version"]["source"] == source


# --- whose it is


ANOTHER = "bob:/home/bob/flights (repository 5f6e7d8c9b), 44556677"


def test_another_projects_model_of_the_same_name_is_refused_and_stays(mlflow: MLflowServer) -> None:
    theirs = replace(state("shared", 1, "v1", "v2", "v1", "v2"), owner=ANOTHER, complete=True)
    mirrored(mlflow, theirs)
    with pytest.raises(
        Refused, match=r"the model 'shared' at .* belongs to the project at bob:.*dataset.name"
    ):
        mirrored(mlflow, replace(state("shared", 9, "v3", None, "v3"), complete=True))
    assert mirrored(mlflow, theirs) == []


def test_another_projects_experiment_of_the_same_name_is_refused_and_the_run_stays(
    mlflow: MLflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
    theirs, ours = (
        message(replace(RUN, id=digit * 32, model="named alike", owner=owner), None)
        for digit, owner in (("a", ANOTHER), ("b", OWNER))
    )
    for project in (tmp_path / "theirs", tmp_path / "ours"):
        outbox_of(project, "mlflow").put(theirs if project.name == "theirs" else ours, PICTURE)
    assert deliver(tmp_path, {"mlflow": outbox_of(tmp_path / "theirs", "mlflow")}, seconds=60) == {}
    before, outbox = mlflow.runs("named alike"), outbox_of(tmp_path / "ours", "mlflow")
    reason = deliver(tmp_path, {"mlflow": outbox}, seconds=60)["mlflow"]
    assert "stays in the outbox: the experiment 'named alike' at " in reason
    assert f"belongs to the project at {ANOTHER}, and this is {OWNER}; choose another dataset.name" in reason
    assert len(outbox.waiting()) == 1
    assert mlflow.runs("named alike") == before


def test_a_mirror_of_an_earlier_release_becomes_ours(mlflow: MLflowServer) -> None:
    whole = replace(state("earlier", 1, "v1", None, "v1", "v2"), complete=True)
    mirrored(mlflow, replace(whole, owner=""))
    assert mirrored(mlflow, whole) == [
        "'v1' had other tags: incumbent.owner",
        "'v2' had other tags: incumbent.owner",
    ]
    assert mirrored(mlflow, whole) == []


def test_a_model_that_was_deleted_there_comes_back_with_the_oldest_version_first(
    mlflow: MLflowServer,
) -> None:
    whole = replace(state("again", 1, "v2", None, "v1", "v2"), complete=True)
    mirrored(mlflow, whole)
    deleted = f"{mlflow.address}/api/2.0/mlflow/registered-models/delete"
    httpx.request("DELETE", deleted, json={"name": "again"}, timeout=30).raise_for_status()
    assert mirrored(mlflow, whole) == ["'v1' was not there", "'v2' was not there", "'champion' is v2 now"]
