"""A model in ONNX decides as LightGBM does, row by row, and says by itself what to feed it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_wine

from incumbent.errors import Unfaithful
from incumbent.features.schema import Feature, Schema
from incumbent.learners.lightgbm import Trees
from incumbent.models.calibration import Output
from incumbent.models.model import Model
from incumbent.models.onnx_export import check_onnx, export_onnx, odd_rows, to_onnx

QUIET = {"verbosity": -1, "num_threads": 1, "seed": 0, "deterministic": True}


def schema_of(sizes: Sequence[int | None], **more: Any) -> Schema:
    """A feature per size: a vocabulary of so many, or a number."""
    features = (
        Feature(f"x{i}", None if size is None else tuple(map(str, range(size))))
        for i, size in enumerate(sizes)
    )
    return Schema(tuple(features), "y", **more)


def boosted(X: np.ndarray, y: np.ndarray, schema: Schema, rounds: int = 20, **options: Any) -> Trees:
    options = {**QUIET, "objective": schema.task, **options}
    binned = lgb.Dataset(X, y, categorical_feature=schema.categorical, params=options)
    return Trees(lgb.train(options, binned, rounds), 1)


def bytes_of(trained: Trees, schema: Schema) -> bytes:
    model = to_onnx(trained, Output(), schema.to_json())
    assert isinstance(model, bytes)
    return model


def test_real_flights_get_the_same_probability(strong: Model, thinned: Sequence[Path]) -> None:
    X = strong.schema.encode(pd.read_parquet(thinned[1]))
    rows = np.concatenate([X, odd_rows(X, strong.schema)])
    model = bytes_of(strong.trained, strong.schema)
    assert np.isnan(rows).any(axis=0).all()
    assert check_onnx(model, rows, strong.trained.predict(rows)) < 1e-6


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_get_the_same_predictions(task: Any) -> None:
    X, y = (load_wine if task == "multiclass" else load_diabetes)(return_X_y=True)
    X = X.astype(np.float32)
    names = ("a", "b", "c") if task == "multiclass" else ()
    schema = schema_of([None] * X.shape[1], task=task, classes=names)
    trained = boosted(X, y, schema, 100, **({"num_class": 3} if names else {}))
    rows = odd_rows(X, schema)
    assert trained.predict(rows).shape == ((len(rows), 3) if names else (len(rows),))
    assert check_onnx(bytes_of(trained, schema), rows, trained.predict(rows)) < 1e-6


@dataclass(frozen=True)
class Table:
    X: np.ndarray
    y: np.ndarray
    schema: Schema
    options: dict[str, Any]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Up to four columns, numbers or categories, with and without missing cells, and a target of any task."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    task = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    sizes = draw(st.lists(st.none() | st.integers(1, 70), min_size=1, max_size=4))
    rows = draw(st.integers(30, 300))
    columns = []
    for size in sizes:
        kind = draw(st.sampled_from(["real", "integer", "large"]))
        numbers = {"real": rng.normal(size=rows), "integer": rng.integers(-5, 5, rows)}.get(
            kind, 2**24 + 2 * rng.integers(0, 50, rows)
        )
        column = (numbers if size is None else rng.integers(0, size, rows)).astype(np.float32)
        missing = rng.random(rows) < draw(st.sampled_from([0, 0.3]))
        columns.append(np.where(missing, np.float32(np.nan), column))
    X = np.column_stack(columns)
    signal = np.sin(3 * np.nan_to_num(X).sum(axis=1)) + 0.2 * rng.normal(size=rows)
    targets = {"regression": signal, "binary": signal > 0.3}
    y = targets.get(task, np.digitize(signal, [0, 0.8])).astype(float)
    options = {
        "min_data_in_leaf": draw(st.integers(1, 20)),
        "min_data_per_group": draw(st.integers(1, 50)),
        "max_cat_to_onehot": draw(st.integers(1, 6)),
        "cat_smooth": 1,
    }
    classes = ("a", "b", "c") if task == "multiclass" else ()
    if classes:
        options["num_class"] = 3
    return Table(X, y, schema_of(sizes, task=task, classes=classes), options)


@given(tables())
def test_any_model_decides_every_row_alike(table: Table) -> None:
    trained = boosted(table.X, table.y, table.schema, 10, **table.options)
    rows = odd_rows(table.X, table.schema)
    assert check_onnx(bytes_of(trained, table.schema), rows, trained.predict(rows)) < 1e-5


def test_neighbouring_float32_are_told_apart() -> None:
    # A threshold lies between two neighbours; rounded to the nearest float32 it becomes one of them.
    X = np.repeat((2.0**24 + 2 * np.arange(200)).astype(np.float32), 10)[:, None]
    y = (np.arange(2000) // 10 % 7 < 3).astype(float)
    schema = schema_of([None])
    trained = boosted(X, y, schema)
    assert check_onnx(bytes_of(trained, schema), X, trained.predict(X)) < 1e-6


def test_infinities_go_where_lightgbm_sends_them() -> None:
    X = np.tile(np.array([-np.inf, -3e38, -1, 0, 1, 3e38, np.inf, np.nan], np.float32), 30)[:, None]
    y = np.tile([0.0, 1, 0, 1, 0, 1, 0, 1], 30)
    schema = schema_of([None])
    trained = boosted(X, y, schema, min_data_in_leaf=1, min_data_in_bin=1)
    assert check_onnx(bytes_of(trained, schema), X, trained.predict(X)) < 1e-6


def test_a_vocabulary_of_thousands_is_told_apart_word_by_word() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3000, 20_000).astype(np.float32)[:, None]
    schema = schema_of([3000])
    trained = boosted(
        X, X[:, 0] % 7 < 3, schema, 10, min_data_per_group=1, cat_smooth=1, max_cat_threshold=2000
    )
    rows = odd_rows(np.arange(3000, dtype=np.float32)[:, None], schema)
    assert check_onnx(bytes_of(trained, schema), rows, trained.predict(rows)) < 1e-6


def test_a_model_of_a_single_leaf_has_a_graph() -> None:
    X, schema = np.zeros((100, 1), np.float32), schema_of([None])
    trained = boosted(X, np.arange(100) % 4 == 0, schema, 3)
    assert check_onnx(bytes_of(trained, schema), X, trained.predict(X)) < 1e-6


CONVERSION = """
import hashlib, sys
from pathlib import Path
from incumbent.learners.lightgbm import LightGBM
from incumbent.models.calibration import Output
from incumbent.models.onnx_export import to_onnx
from incumbent.features.schema import Feature, Schema
schema = Schema((Feature("x0", ("0", "1", "2")), Feature("x1")), "y")
print(hashlib.sha256(to_onnx(LightGBM.load(Path(sys.argv[1]), 1), Output(), schema.to_json())).hexdigest())
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 3, 200), rng.normal(size=200)]).astype(np.float32)
    schema = schema_of([3, None])
    boosted(X, (X[:, 0] == 1) ^ (X[:, 1] > 0), schema).save(tmp_path / "model.txt")
    here = hashlib.sha256(bytes_of(_load(tmp_path), schema)).hexdigest()
    command = [sys.executable, "-c", CONVERSION, str(tmp_path / "model.txt")]
    # Sets are in another order there than here.
    environment = {**os.environ, "PYTHONHASHSEED": "20"}
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert there.split()[-1] == here


def _load(folder: Path) -> Trees:
    return Trees(lgb.Booster(model_file=folder / "model.txt"), 1)


def test_a_server_that_knows_only_the_file_can_build_the_input(
    strong: Model, thinned: Sequence[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_parquet(thinned[1]).head(500)
    session = onnxruntime.InferenceSession(bytes_of(strong.trained, strong.schema))
    schema = json.loads(session.get_modelmeta().custom_metadata_map["schema"])
    X = np.empty((len(frame), len(schema["features"])), dtype=np.float32)
    for i, feature in enumerate(schema["features"]):
        column = frame[feature["name"]]
        if feature["categories"] is not None:
            codes = {text: code for code, text in enumerate(feature["categories"])}
            column = column.map(codes)
        X[:, i] = column.astype("float32")
    label, probabilities = session.run(None, {"features": X})
    assert np.allclose(probabilities[:, 1], strong.predict(frame), rtol=0, atol=1e-6)
    assert np.array_equal(label, probabilities[:, 1] > 0.5)
    assert capfd.readouterr().err == "", "onnxruntime complains about the graph"
    assert (schema["target"], schema["positive"]) == ("late", True)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"linear_tree": True}, id="linear leaves"),
        pytest.param({"zero_as_missing": True}, id="zero as missing"),
        pytest.param({"sigmoid": 2.0}, id="another sigmoid"),
        pytest.param({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, id="random forest"),
    ],
)
def test_what_the_export_does_not_know_is_not_written(options: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = np.where(rng.random((500, 3)) < 0.2, 0, rng.normal(size=(500, 3))).astype(np.float32)
    schema = schema_of([None] * 3)
    model = Model("v1", schema, boosted(X, X.sum(axis=1) > 0, schema, **options))
    done = export_onnx(model, schema.to_json(), X, tmp_path / "model.onnx")
    assert done.difference is None
    assert done.reason is not None
    assert "differs from the model by up to" in done.reason
    assert list(tmp_path.iterdir()) == []


def test_an_objective_that_onnx_does_not_know_has_a_reason(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    schema = schema_of([None] * 2)
    trained = boosted(X, X[:, 0] > 0, schema, objective="cross_entropy")
    done = export_onnx(Model("v1", schema, trained), schema.to_json(), X, tmp_path / "model.onnx")
    assert done.reason is not None
    assert "cross_entropy" in done.reason
    assert list(tmp_path.iterdir()) == []


def test_a_difference_is_told_in_figures() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    schema = schema_of([None] * 2)
    trained = boosted(X, X[:, 0] > 0, schema)
    native = trained.predict(X)
    native[:3] += 0.25
    with pytest.raises(Unfaithful, match=r"by up to 0\.25 in 3 of 300 rows; 1e-05 is allowed"):
        check_onnx(bytes_of(trained, schema), X, native)
    native[0] = np.nan
    with pytest.raises(Unfaithful, match="in 3 of 300 rows"):
        check_onnx(bytes_of(trained, schema), X, native)
