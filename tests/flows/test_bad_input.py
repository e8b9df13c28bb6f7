"""Everyday mistakes: one clear message, the documented exit code, no traceback, nothing half-written.

All in this process but two, which show that a process of its own ends the same.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.commands import Done
from tests.flows.conftest import Project

Make = Callable[[Project, Path], Path]


def empty(_project: Project, folder: Path) -> Path:
    file = folder / "2013-03.parquet"
    file.touch()
    return file


def page(_project: Project, folder: Path) -> Path:
    file = folder / "2013-03.parquet"
    file.write_text("<html><body>404 Not Found</body></html>")
    return file


def truncated(project: Project, folder: Path) -> Path:
    file = folder / "2013-03.parquet"
    file.write_bytes(project.months[3].read_bytes()[:50_000])
    return file


def no_rows(project: Project, folder: Path) -> Path:
    return write(pd.read_parquet(project.months[3]).head(0), folder)


def no_target(project: Project, folder: Path) -> Path:
    return write(pd.read_parquet(project.months[3]).drop(columns="late"), folder)


def doubled_keys(project: Project, folder: Path) -> Path:
    frame = pd.read_parquet(project.months[3])
    return write(pd.concat([frame, frame.head(7)]), folder)


def absent(_project: Project, folder: Path) -> Path:
    return folder / "2013-03.parquet"


def write(frame: pd.DataFrame, folder: Path) -> Path:
    file = folder / "2013-03.parquet"
    frame.to_parquet(file)
    return file


@pytest.mark.parametrize(
    ("make", "code", "seen"),
    [
        pytest.param(empty, 1, "is empty (0 bytes)", id="empty file"),
        pytest.param(page, 1, "is not a readable Parquet file", id="a web page named .parquet"),
        pytest.param(truncated, 1, "is not a readable Parquet file", id="truncated"),
        pytest.param(no_rows, 1, "has columns but no rows", id="no rows"),
        pytest.param(absent, 1, "no such file", id="no such file"),
        pytest.param(no_target, 3, "no column ['late']", id="missing target"),
        pytest.param(doubled_keys, 3, "14 of ", id="duplicate keys"),
    ],
)
def test_a_bad_file_changes_nothing(
    project: Project, first: dict[str, Any], tmp_path: Path, make: Make, code: int, seen: str
) -> None:
    before = project.trace()
    done = project.run("ingest", make(project, tmp_path))
    assert_refused(done, code, seen, "2013-03.parquet")
    assert project.trace() == before


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        pytest.param(("seed: 2013", "seed: 2013\nsede: 1"), ["unknown key 'sede'", "seed"], id="unknown key"),
        pytest.param(
            ("probability: 0.8", "probability: 1.5"),
            ["promotion.probability", "1.5", "less than 1"],
            id="out of range",
        ),
        pytest.param(("trials: 2", "trials: many"), ["search.trials", "'many'", "integer"], id="wrong type"),
        pytest.param(("target: late", "target: lateness"), ["lateness", "late"], id="no such target"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(
    project: Project, first: dict[str, Any], change: tuple[str, str], seen: list[str]
) -> None:
    params = project.path / "params.yaml"
    good = params.read_text()
    before = project.trace()
    assert change[0] in good
    try:
        params.write_text(good.replace(*change))
        done = project.run("retrain", "--data-rev", first["data"]["rev"])  # nothing in it is new to the gate
    finally:
        params.write_text(good)
    assert_refused(done, 1, "params.yaml", *seen)
    assert project.trace() == before


@pytest.fixture
def unlearned(project: Project) -> Iterator[None]:
    """What is tested is what comes after the gate's history, whatever other tests taught it."""
    kept = {path: path.read_bytes() for path in (project.path / "expectations").glob("*.learned.json")}
    for path in kept:
        path.unlink()
    yield
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.mark.usefixtures("unlearned")
def test_a_target_of_one_class_trains_nothing(
    project: Project, first: dict[str, Any], tmp_path: Path
) -> None:
    file = write(pd.read_parquet(project.months[3]).assign(late=False), tmp_path)
    branch = project.branch_with("one-class", file)
    before = project.trace()
    done = project.run("retrain", "--data-rev", branch, "--strategy", "full")
    assert_refused(done, 1, "single class", "late", "dataset.positive")
    assert project.trace() == before


@pytest.mark.usefixtures("unlearned")
def test_one_bad_month_does_not_hold_up_the_good_ones(
    project: Project, first: dict[str, Any], tmp_path: Path
) -> None:
    frame = pd.read_parquet(project.months[3])
    words = frame.assign(late=frame["late"].map({True: "late", False: "on time"}))
    bad, good = write(words, tmp_path), project.months[4]
    branch = project.branch_with("one-bad-month", project.months[1], bad, good)
    done = project.run("retrain", "--data-rev", branch, "--dry-run", "--json")
    assert done.code == 0, done.err
    assert (done.json["verdict"], done.json["data"]["added"]) == ("quarantine", [good.name])
    assert done.json["plan"]["kind"] != "skip"
    left_out = [reason for reason in done.json["decision"]["reasons"] if reason.startswith("left out: ")]
    assert any(bad.name in reason and "late" in reason for reason in left_out)


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        pytest.param(["retrain", "--data-rev", "v99"], ["no revision 'v99'", "git log"], id="revision"),
        pytest.param(["models", "show", "v99"], ["no version 'v99'", "incumbent models list"], id="version"),
        pytest.param(["models", "rollback", "--to", "v99"], ["v99", "incumbent models"], id="rollback"),
    ],
)
def test_what_does_not_exist_is_named(
    project: Project, first: dict[str, Any], command: list[str], seen: list[str]
) -> None:
    before = project.trace()
    assert_refused(project.run(*command), 1, *seen)
    assert project.trace() == before


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        pytest.param({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, ["127.0.0.1:9", "incumbent up"], id="no S3"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": "wrong"}, ["AWS_"], id="wrong credentials"),
    ],
)
@pytest.mark.parametrize("command", ["retrain", "ingest", "models"])
def test_s3_out_of_reach_leaves_nothing_behind(
    project: Project, first: dict[str, Any], command: str, variables: dict[str, str], seen: list[str]
) -> None:
    before = project.trace()
    args = {"retrain": [], "ingest": [project.months[4]], "models": ["list"]}[command]
    done = project.run(command, *args, **{**project.environment, **variables})
    assert_refused(done, 1, *seen)
    assert project.environment["AWS_SECRET_ACCESS_KEY"] not in done.err + done.out
    assert project.trace() == before
    assert not (project.path / "data" / "2013-04.parquet").exists()


def test_a_prefect_server_out_of_reach_is_said_before_anything_starts(
    project: Project, first: dict[str, Any]
) -> None:
    before = project.trace()
    done = project.typed("retrain", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert_refused(done, 1, "http://127.0.0.1:9/api", "incumbent up")
    assert project.trace() == before


def test_ray_is_refused_what_needs_all_rows_in_one_process(project: Project, first: dict[str, Any]) -> None:
    before = project.trace()
    done = project.typed("retrain", "--engine", "ray")
    assert_refused(done, 1, "retrain.window = 'auto'", "--engine local")
    assert project.trace() == before


def assert_refused(done: Done, code: int, *seen: str) -> None:
    assert done.code == code, done.err
    text = done.err + done.out
    assert "Traceback" not in text
    for part in seen:
        assert part in text
    if code == 1:
        assert done.out == ""
        assert "error: " in done.err
