"""A version made again from its manifest has the same bytes, and making it leaves the project alone."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect import flow
from prefect.logging import disable_run_logger

from incumbent.params import load_params
from incumbent.storage.registry.registry import open_registry
from tasks.record import record
from tests.flows.conftest import Project
from tests.flows.preparing import prepared, recorded

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_version_is_made_again_byte_for_byte(
    project: Project, first: dict[str, Any], arrival: dict[str, Any], kind: str
) -> None:
    version = {"full": first, "incremental": arrival}[kind]["challenger"]
    before = project.trace()
    done = project.run("models", "reproduce", version, "--json")
    assert done.code == 0, done.err
    assert {"model.txt", "replay.parquet", "golden.parquet", "model.onnx"} <= set(done.json["files"])
    assert all(published == rebuilt for published, rebuilt in done.json["files"].values())
    assert (done.json["same"], done.json["environment"]) == (True, {})
    assert project.trace() == before
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_a_version_of_every_way_to_treat_rows_is_published_scored_and_made_again(
    inside: Project, first: dict[str, Any], tmp_path: Path
) -> None:
    with disable_run_logger():
        run = prepared(
            inside,
            features={
                "dates": {"time_hour": ["day"]},
                "target": ["dest"],
                "lags": {"columns": ["visib"], "by": ["origin", "carrier", "date"]},
            },
            imbalance={"method": "weights", "calibrate": "sigmoid"},
            bias={"reweigh": "origin"},
            decision={"false_negative": 5.0},
        )
    done = inside.run("models", "reproduce", run.version, "--json")
    assert done.code == 0, done.err
    assert done.json["same"]
    done = inside.run("score", inside.months[4], tmp_path / "scores.parquet", "--version", run.version)
    assert done.code == 0, done.err
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    threshold = run.registry.manifest(run.version)["schema"]["output"]["threshold"]
    assert ((scores["score"] >= threshold) == scores["predicted"]).all()
    assert 0.01 < scores["predicted"].mean() < 0.99

    @flow
    def close() -> None:
        record(run, "hold", ("a test",))

    close()
    report = (run.folder / "report.html").read_text()
    assert "by origin, out of fold" in report
    assert "a row costs" in report


def test_a_version_of_more_rows_than_choose_is_made_again_and_says_what_its_estimate_rests_on(
    inside: Project, first: dict[str, Any]
) -> None:
    with disable_run_logger():
        run = prepared(inside, search={"rows": 100})
    done = inside.run("models", "reproduce", run.version, "--json")
    assert done.code == 0, done.err
    assert done.json["same"]
    outcome = recorded(run, "hold", "a test")
    manifest = run.registry.manifest(run.version)
    left_out = manifest["metrics"]["cv"]["left_out"]
    assert 0 < left_out["rows"] < 0.25 * manifest["training_rows"]
    assert outcome["metric"]["challenger"] is not None
    report = (run.folder / "report.html").read_text()
    assert f"on {left_out['rows']:,} rows that a training without their groups predicted" in report


def test_code_that_was_never_committed_cannot_be_checked_out(
    inside: Project, first: dict[str, Any], tmp_path: Path
) -> None:
    registry = open_registry(load_params(inside.path), inside.path)
    manifest = registry.pull(first["challenger"], tmp_path)
    files = {name: tmp_path / name for name in manifest["files"]}
    registry.publish("v9000", files, {**manifest, "code": f"{manifest['code']}+changes"})
    done = inside.run("models", "reproduce", "v9000")
    assert done.code == 1
    assert "v9000" in done.err
    assert "commit before training" in done.err
    assert "Traceback" not in done.err


def test_other_bytes_are_told_with_what_changed_since(
    inside: Project, first: dict[str, Any], tmp_path: Path
) -> None:
    registry = open_registry(load_params(inside.path), inside.path)
    manifest = registry.pull(first["challenger"], tmp_path)
    (tmp_path / "model.txt").write_text("another model")
    files = {name: tmp_path / name for name in manifest["files"]}
    environment = {**manifest["environment"], "python": "3.0.1"}
    registry.publish("v9001", files, {**manifest, "environment": environment})
    done = inside.run("models", "reproduce", "v9001")
    assert done.code == 1
    assert "NOT reproduced" in done.out
    assert re.search(r"^model\.txt +DIFFERS", done.out, re.MULTILINE)
    assert "environment: python  3.0.1 then" in done.out
