"""Labels that no model can learn from stop at the gate; rows that have none yet go through."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import GateReport, Verdict
from incumbent.gate.labels import judge_labels
from incumbent.gate.sift import sift, without_history
from incumbent.gate.version import gate_version
from incumbent.params import Params
from incumbent.tables.convert import to_parquet
from tests.building import changed, toy_params

ROWS = 400


def params_for(task: str, classes: Sequence[Any] = (), **dataset: Any) -> Params:
    metric = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[task]
    return toy_params(task=task, promotion={"metric": metric}, dataset={"classes": list(classes), **dataset})


BINARY = params_for("binary", ["no", "yes"], positive="yes")
REGRESSION = params_for("regression")


def table(labels: Sequence[Any]) -> pd.DataFrame:
    """A table of ROWS rows whose targets are these, over and over."""
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=ROWS), "y": np.resize(labels, ROWS)})


def as_parquet(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "2025-04.parquet"
    frame.to_parquet(path, index=False)
    return path


def as_csv(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "2025-04.csv.gz"
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    return path


def as_lines(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "2025-04.jsonl"
    path.write_text(frame.to_json(orient="records", lines=True, force_ascii=False))
    return path


def arrived(file: Path, params: Params) -> GateReport:
    """What the gate says of a file as it comes."""
    made = file.with_name("made") / "2025-04.parquet"
    to_parquet(file, made, params.dataset)
    return sift(made.name, made, file.parent, [], params, without_history).report


@pytest.mark.parametrize("write", [as_parquet, as_csv, as_lines])
@pytest.mark.parametrize(
    ("params", "labels", "told"),
    [
        pytest.param(
            BINARY, ["no", "YES"], "y holds 'YES' in 200 rows; known: 'no', 'yes'; correct the file",
            id="another case",
        ),
        pytest.param(BINARY, ["no", "yes", "yes", "maybe"], "'maybe' in 100 rows", id="a third value"),
        pytest.param(BINARY, ["YES"], "y holds 'YES' in 400 rows", id="none of the classes"),
        pytest.param(
            params_for("binary", positive="yes"), ["no", "YES"],
            "y holds 'no' in 200 rows, 'YES' in 200 rows; a binary target has two classes, one of them "
            "dataset.positive = 'yes'",
            id="classes of an older project, which declares none",
        ),
        pytest.param(params_for("binary", [0, 1]), [0, 1, 1, 2], "y holds 2 in 100 rows", id="integers"),
        pytest.param(
            params_for("multiclass", ["grün", "rot"]), ["grün", "rot", "rot", "gruen"],
            "y holds 'gruen' in 100 rows; known: 'grün', 'rot'; correct the file, or add a class that is new "
            "to dataset.classes in params.yaml",
            id="a new class",
        ),
        pytest.param(params_for("multiclass", [1, 2, 3]), [1, 2, 3, 4], "holds 4 in 100", id="a new number"),
    ],
)  # fmt: skip
def test_a_label_of_no_known_class_blocks_with_the_value_and_the_way_out(
    tmp_path: Path,
    write: Callable[[pd.DataFrame, Path], Path],
    params: Params,
    labels: Sequence[Any],
    told: str,
) -> None:
    report = arrived(write(table(labels), tmp_path), params)
    assert report.verdict is Verdict.BLOCK
    [reason] = [reason for reason in report.reasons if reason.startswith("critical")]
    assert reason.startswith("critical: 2025-04.parquet: ")
    assert told in reason


@pytest.mark.parametrize("write", [as_parquet, as_csv, as_lines])
@pytest.mark.parametrize(
    ("params", "labels"),
    [
        pytest.param(BINARY, ["no", "yes"], id="texts"),
        pytest.param(BINARY, ["no"], id="one of the two"),
        pytest.param(params_for("binary", [0, 1]), [0, 1], id="integers"),
        pytest.param(params_for("binary", [False, True], positive=True), [False, True], id="booleans"),
        pytest.param(params_for("multiclass", [1, 2, 3]), [1, 2, 3], id="numbers as classes"),
        pytest.param(params_for("multiclass"), ["a", "b", "c"], id="classes that nobody declared"),
        pytest.param(REGRESSION, [1.5, -3e38, 2.0], id="numbers"),
    ],
)
@pytest.mark.parametrize("missing", [0, 40])
def test_known_labels_pass_whether_or_not_others_are_missing(
    tmp_path: Path,
    write: Callable[[pd.DataFrame, Path], Path],
    params: Params,
    labels: Sequence[Any],
    missing: int,
) -> None:
    frame = table(labels).astype({"y": object})
    frame.loc[: missing - 1, "y"] = None
    if params.task == "regression" or (isinstance(labels[0], int) and not isinstance(labels[0], bool)):
        frame["y"] = frame["y"].astype(float)  # as pandas has whole numbers with an empty cell
    # Declared, as `init` does: the type of a column must not follow from its empty cells.
    kind = {str: "text", bool: "boolean"}.get(type(labels[0]), "number")
    declared = changed(params, dataset={"columns": {"x": "number", "y": kind}})
    report = arrived(write(frame, tmp_path), declared)
    assert [finding for finding in report.failed if finding.severity == "critical"] == []
    assert (report.unlabelled, report.waiting) == (missing, ())


@pytest.mark.parametrize("write", [as_parquet, as_csv])
@pytest.mark.parametrize(
    ("number", "shown"), [(1e40, "1e40"), (-1e200, "-1e200"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_a_number_that_no_learner_holds_blocks(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], Path], number: float, shown: str
) -> None:
    frame = table([1.0, 2.5])
    frame.loc[7, "y"] = number
    report = arrived(write(frame, tmp_path), REGRESSION)
    assert report.verdict is Verdict.BLOCK
    assert f"target 'y' has 1 value beyond 3.4e38 ({shown})" in report.reasons[0]


def test_a_regression_needs_numbers(tmp_path: Path) -> None:
    report = arrived(as_parquet(table(["a", "b"]), tmp_path), REGRESSION)
    assert (
        "target 'y' holds string" in report.reasons[0] or "target 'y' holds large_string" in report.reasons[0]
    )


@pytest.mark.parametrize(
    ("missing", "verdict"), [(0, Verdict.PASS), (200, Verdict.PASS), (201, Verdict.WARN), (400, Verdict.WARN)]
)
def test_more_rows_without_a_label_than_with_one_warn(tmp_path: Path, missing: int, verdict: Verdict) -> None:
    frame = table(["no", "yes"])
    frame.loc[: missing - 1, "y"] = None
    report = judge_labels("april", as_parquet(frame, tmp_path), BINARY)
    assert (report.verdict, report.unlabelled) == (verdict, missing)
    assert report.waiting == (("april",) if missing == ROWS else ())
    if verdict is Verdict.WARN:
        assert f"{missing} of 400 rows" in report.reasons[0]


def test_one_bad_partition_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    files = []
    for name, labels in {"april": ["no", "YES"], "may": ["no", "yes"]}.items():
        (tmp_path / name).mkdir()
        files.append((name, as_parquet(table(labels), tmp_path / name)))
    report = gate_version(files, [], BINARY)
    assert (report.verdict, report.blocked) == (Verdict.BLOCK, ("april",))
    rest = report.leaving_out(report.blocked)
    assert (rest.verdict, rest.blocked, rest.left_out) == (Verdict.QUARANTINE, (), ("april",))
    assert rest.reasons[0].startswith("quarantine: april: ")
    assert "'YES'" in rest.reasons[0]
    assert GateReport.from_json(rest.to_json()).to_json() == rest.to_json()


def test_nobody_lets_pass_what_no_model_can_learn(tmp_path: Path) -> None:
    new_class = judge_labels(
        "april", as_parquet(table(["a", "b", "c"]), tmp_path), params_for("multiclass", ["a", "b"])
    )
    assert new_class.excusing({"april": "let pass"}).verdict is Verdict.WARN
    third = judge_labels("april", as_parquet(table(["no", "yes", "c"]), tmp_path), BINARY)
    assert third.excusing({"april": "let pass"}).verdict is Verdict.BLOCK


@pytest.mark.parametrize(
    ("task", "classes", "told"),
    [
        pytest.param("binary", ["no", "yes", "maybe"], "a binary target has two", id="three of two"),
        pytest.param("binary", ["no", "YES"], "dataset.positive = 1", id="without the event"),
        pytest.param("regression", [1, 2], "the task is regression", id="regression"),
    ],
)
def test_classes_that_do_not_fit_the_task_are_refused(task: str, classes: list[Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        params_for(task, classes)


def test_classes_shape_no_model(flights_params: Params) -> None:
    before = changed(flights_params).model_dump(mode="json")
    del before["dataset"]["classes"]  # as a manifest of an older version has it
    declared = changed(flights_params, dataset={"classes": [False, True]})
    assert declared.shaping_changes(before) == ()
