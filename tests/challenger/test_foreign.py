"""A LightGBM model that was trained elsewhere predicts the same as a version of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import make_update, open_challenger
from incumbent.challenger.foreign import adopt
from incumbent.errors import BadData
from incumbent.params import Params
from tests.building import changed, parent

NUMBERS, CATEGORIES = ["distance", "temp", "sched_dep_time"], ["origin", "carrier"]


def features(frame: pd.DataFrame) -> pd.DataFrame:
    """As somebody else prepared them: the categories in an order of their own."""
    X = frame[["distance", "carrier", "temp", "origin", "sched_dep_time"]].copy()
    for name in CATEGORIES:
        X[name] = pd.Categorical(X[name], categories=sorted(X[name].unique(), reverse=True))
    return X


def trained(frame: pd.DataFrame, **options: Any) -> lgb.Booster:
    data = lgb.Dataset(features(frame), frame["late"].astype(int))
    return lgb.train({"objective": "binary", "num_leaves": 7, "verbosity": -1, **options}, data, 10)


@pytest.fixture(scope="module")
def foreign(thinned: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[lgb.Booster, Path]:
    booster = trained(pd.read_parquet(thinned[0]).dropna(subset=["late"]))
    file = tmp_path_factory.mktemp("foreign") / "model.lgb"
    booster.save_model(file)
    return booster, file


def test_it_predicts_what_it_predicted_there(
    foreign: tuple[lgb.Booster, Path], thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    booster, file = foreign
    made = adopt(file, thinned[:1], quick_params, tmp_path)
    model = open_challenger(made, quick_params, tmp_path, "v1")
    rows = pd.read_parquet(thinned[1])
    known = pd.read_parquet(thinned[0]).dropna(subset=["late"])
    X = features(known).iloc[:0]
    theirs = booster.predict(rows[X.columns].astype(X.dtypes))
    assert np.abs(model.predict(rows) - theirs).max() < 1e-6  # our features are float32
    assert made.onnx.reason is None
    assert (made.rounds, made.options["num_leaves"]) == (10, 7)


def test_an_update_continues_it(
    foreign: tuple[lgb.Booster, Path], thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    (tmp_path / "update").mkdir()
    made = adopt(foreign[1], thinned[:1], quick_params, tmp_path)
    updated = make_update(
        parent(made, quick_params, tmp_path), thinned[1:], quick_params, tmp_path / "update"
    )
    assert updated.rounds == made.rounds + quick_params.learner.update_rounds


@pytest.mark.parametrize(
    ("options", "changes", "said"),
    [
        pytest.param(
            {"objective": "regression"},
            {},
            "the model's objective is 'regression', and the task is binary",
            id="another task",
        ),
        pytest.param(
            {},
            {"dataset": {"drop": ["date", "temp"]}},
            r"the model reads \['temp'\], which are no features",
            id="a column",
        ),
        pytest.param(
            {},
            {"dataset": {"categorical": ["distance"]}},
            "knows the categories of 2 columns, and of those that it reads 3 are categories",
            id="a category more",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    options: dict[str, Any],
    changes: dict[str, Any],
    said: str,
    thinned: Sequence[Path],
    quick_params: Params,
    tmp_path: Path,
) -> None:
    file = tmp_path / "model.lgb"
    trained(pd.read_parquet(thinned[0]).dropna(subset=["late"]), **options).save_model(file)
    with pytest.raises(BadData, match=said):
        adopt(file, thinned[:1], changed(quick_params, **changes), tmp_path)
