"""MLflow's own client opens a version of an earlier release by the file that we put beside it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import Tampered
from incumbent.models.golden import GOLDEN
from incumbent.models.model import Model, open_model
from incumbent.tracking.mlmodel import FILE, mlmodel

VERSIONS = Path(__file__).parents[1] / "kept" / "8cde439" / "bucket" / "registry" / "flights" / "versions"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version as MLflow downloads it."""
    source = min(path.parent for path in VERSIONS.glob("*/manifest.json"))
    folder = Path(shutil.copytree(source, tmp_path / "version"))
    (folder / FILE).write_bytes(mlmodel(json.loads((folder / "manifest.json").read_text())))
    return folder


@pytest.fixture
def ours(folder: Path) -> Model:
    return open_model(folder, json.loads((folder / "manifest.json").read_text()))


def loaded(folder: Path) -> Any:
    from mlflow import pyfunc

    return pyfunc.load_model(str(folder))


def rows(folder: Path, model: Model) -> pd.DataFrame:
    return pd.read_parquet(folder / GOLDEN)[model.schema.inputs]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda frame: frame, id="as they are"),
        pytest.param(lambda frame: frame.assign(temp=1), id="whole numbers where there were fractions"),
        pytest.param(lambda frame: frame.assign(temp=None), id="an empty column"),
        pytest.param(lambda frame: frame.astype({"carrier": "category"}), id="categories"),
        pytest.param(
            lambda frame: frame.assign(carrier="new", unread=1), id="a new category, another column"
        ),
    ],
)
def test_raw_rows_get_our_scores(change: Any, folder: Path, ours: Model) -> None:
    frame = change(rows(folder, ours))
    theirs, scores = loaded(folder).predict(frame), ours.score(frame)
    assert list(theirs) == list(scores)
    assert np.abs(theirs["score"] - scores["score"]).max() <= 1e-9


def test_a_missing_column_is_named(folder: Path, ours: Model) -> None:
    with pytest.raises(Exception, match="temp"):
        loaded(folder).predict(rows(folder, ours).drop(columns="temp"))


def test_bytes_that_are_not_the_versions_are_refused(folder: Path) -> None:
    model = folder / "model.txt"
    model.write_bytes(model.read_bytes().replace(b"num_leaves", b"num_leafs", 1))
    with pytest.raises(Tampered, match=r"model\.txt is missing, or not what was published"):
        loaded(folder)


def test_the_onnx_model_is_loaded_too(folder: Path) -> None:
    from mlflow import onnx

    assert onnx.load_model(str(folder)).SerializeToString() == (folder / "model.onnx").read_bytes()


def test_nothing_beside_a_version_is_a_pickle(folder: Path) -> None:
    assert {path.suffix for path in folder.iterdir()} <= {"", ".txt", ".json", ".onnx", ".parquet"}
