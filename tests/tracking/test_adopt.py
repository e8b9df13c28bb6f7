"""A champion of MLflow's registry becomes ours: by `init --from-mlflow`, or by `models adopt` later."""

from collections.abc import Iterator
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from incumbent.params import load_params
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.serving.model_cache import load_model
from incumbent.tracking.state import whole_state
from tests.commands import Done, called
from tests.conftest import S3
from tests.tracking.conftest import MLflowServer

pytestmark = pytest.mark.slow
CHAMPION = "models:/theirs@champion"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    frame: pd.DataFrame = load_breast_cancer(as_frame=True).frame
    return frame.rename(columns=lambda name: name.replace(" ", "_"))


@pytest.fixture(scope="module")
def booster(table: pd.DataFrame) -> lgb.Booster:
    X, y = table.drop(columns="target").iloc[:, ::-1], table["target"]
    return lgb.train({"objective": "binary", "verbosity": -1}, lgb.Dataset(X, y), 20)


@pytest.fixture(scope="module")
def server(mlflow: MLflowServer, booster: lgb.Booster) -> Iterator[MLflowServer]:
    """With their champion, logged by MLflow's own client."""
    import mlflow as client
    from mlflow.lightgbm import log_model

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", mlflow.address)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        with client.start_run():
            log_model(booster, name="model", registered_model_name="theirs")
        client.MlflowClient().set_registered_model_alias("theirs", "champion", "1")
        yield mlflow


def init(project: Path, table: pd.DataFrame, s3: S3, address: str, *more: str) -> Done:
    data = project.with_suffix(".csv")
    table.to_csv(data, index=False)
    given = ("--data", data, "--target", "target", "--from-mlflow", *more)
    return called("init", *given, project=project, MLFLOW_TRACKING_URI=address, **s3.environment)


def test_their_champion_is_the_incumbent_and_predicts_the_same(
    server: MLflowServer, booster: lgb.Booster, table: pd.DataFrame, s3: S3, tmp_path: Path
) -> None:
    done = init(tmp_path / "cells", table, s3, server.address, CHAMPION)
    assert done.code == 0, done.err
    assert f"champion is v1, taken over from {CHAMPION}" in done.out
    project = tmp_path / "cells"
    registry = open_registry(load_params(project), project)
    champion = registry.champion()
    assert champion is not None
    assert champion.reason == f"taken over from MLflow: {CHAMPION}, version 1 there"
    ours = load_model(project, registry, champion.version).predict(table)
    theirs = booster.predict(table[booster.feature_name()].astype(np.float32))
    assert np.abs(ours - theirs).max() < 1e-9
    assert registry.problems() == []
    shown = called("models", "list", project=project, **s3.environment)
    [line] = [line for line in shown.out.splitlines() if line.startswith(f"{champion.version} *")]
    assert "taken over" in line
    assert "forced" not in line
    described = whole_state(registry).versions[0]
    assert described.description == f"v1: taken over from {CHAMPION}, version 1 there"
    assert described.tags["incumbent.kind"] == "adopted"
    rebuilt = called("models", "reproduce", "v1", project=project, **s3.environment)
    assert rebuilt.code == 1
    assert f"'v1' was taken over from {CHAMPION}, version 1 there; what it was trained on" in rebuilt.err
    again = called(
        "models", "adopt", CHAMPION, project=project, MLFLOW_TRACKING_URI=server.address, **s3.environment
    )
    assert again.code == 1
    assert "model 'cells' has a champion" in again.err


def test_without_s3_init_says_how_to_take_it_over_later(
    server: MLflowServer, table: pd.DataFrame, s3: S3, tmp_path: Path
) -> None:
    project = tmp_path / "tissue"
    down = {**s3.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    data = tmp_path / "tissue.csv"
    table.to_csv(data, index=False)
    given = ("--data", data, "--target", "target", "--from-mlflow", CHAMPION)
    done = called("init", *given, project=project, MLFLOW_TRACKING_URI=server.address, **down)
    assert done.code == 0, done.err
    assert f"incumbent models adopt {CHAMPION} --project {project}" in done.out
    later = called(
        "models", "adopt", CHAMPION, project=project, MLFLOW_TRACKING_URI=server.address, **s3.environment
    )
    assert (later.code, later.out.strip()) == (0, f"champion is v1, taken over from {CHAMPION}")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        pytest.param(
            "theirs", "names no model: give models:/NAME@ALIAS or models:/NAME/VERSION", id="no address"
        ),
        pytest.param("models:/nobody@champion", "no model at models:/nobody@champion", id="no such model"),
        pytest.param("models:/theirs@nope", "no model at models:/theirs@nope", id="no such alias"),
        pytest.param("models:/theirs/7", "no model at models:/theirs/7", id="no such version"),
    ],
)
def test_what_is_no_model_is_refused(
    address: str, said: str, server: MLflowServer, table: pd.DataFrame, s3: S3, tmp_path: Path
) -> None:
    done = init(tmp_path / "refused", table, s3, server.address, address)
    assert done.code == 1
    assert said in done.err
    assert not (tmp_path / "refused").exists()


def test_where_the_model_is_another_projects_init_says_what_is_made_and_what_is_not(
    server: MLflowServer, table: pd.DataFrame, s3: S3, tmp_path: Path
) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        done = init(tmp_path / folder / "twice", table, s3, server.address, CHAMPION)
    assert done.code == 1
    assert f"the project {tmp_path}/second/twice is made, without its champion: s3://" in done.err
    assert f"incumbent models adopt {CHAMPION} --project {tmp_path}/second/twice" in done.err


@pytest.mark.parametrize("down", [False, True], ids=["with S3", "without S3"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"target": "word"}, "the model's objective is 'binary', and the task is", id="other task"
        ),
        pytest.param(
            {"mean_area": "area"}, "the model reads ['mean_area'], which are no", id="no such column"
        ),
    ],
)
def test_a_model_that_does_not_fit_leaves_no_project_behind(
    change: dict[str, str],
    said: str,
    down: bool,
    server: MLflowServer,
    table: pd.DataFrame,
    s3: S3,
    tmp_path: Path,
) -> None:
    data, project = tmp_path / "cells.csv", tmp_path / "cells"
    other = table.rename(columns=change)
    if "target" in change:
        other["target"] = np.resize(["a", "b", "c"], len(other))
        other = other.drop(columns="word")
    other.to_csv(data, index=False)
    reached = {**s3.environment, **({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"} if down else {})}
    given = ("--data", data, "--target", "target", "--from-mlflow", CHAMPION)
    done = called("init", *given, project=project, MLFLOW_TRACKING_URI=server.address, **reached)
    assert done.code == 1
    assert said in done.err
    assert not project.exists()
