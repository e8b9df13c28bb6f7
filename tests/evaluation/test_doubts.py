"""A score that is too good to be true says so, and names the columns that it comes from."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import REPLAY, Challenger, make_full, open_challenger
from incumbent.evaluation.doubts import explain_withheld, too_good
from incumbent.evaluation.judging_rows import JudgingRows
from incumbent.models.model import Model
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from tests.building import changed, toy_params
from tests.judging import judged as judged_on

ROWS = 1500
RNG = np.random.default_rng(3)
SIZE = RNG.normal(size=ROWS)
EVENT = RNG.random(ROWS) < 1 / (1 + np.exp(-SIZE))


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """`closed` is filled exactly where the target is 1; `size` is a fair predictor."""
    closed = np.where(EVENT, RNG.lognormal(size=ROWS), np.nan)
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"size": SIZE, "closed": closed, "y": EVENT.astype(int)}).to_parquet(path, index=False)
    return path


def trained(path: Path, params: Params, folder: Path) -> tuple[Challenger, Model]:
    folder.mkdir()
    made = make_full([path], params, StudyResult({"num_leaves": 7}, 20, ()), folder, estimate=False)
    return made, open_challenger(made, params, folder, folder.name)


def doubt(made: Challenger, model: Model, path: Path, params: Params, folder: Path) -> str | None:
    holdout = judged_on(None, model, [path], params, prior=made.prior)
    sample = pd.read_parquet(folder / REPLAY)
    return too_good(holdout.y, holdout.challenger, made.importances, sample, params)


def test_a_champion_by_a_leak_is_doubted_with_its_column_and_the_way_out(leaky: Path, tmp_path: Path) -> None:
    params = toy_params()
    text = doubt(*trained(leaky, params, tmp_path / "v1"), leaky, params, tmp_path / "v1")
    assert text is not None
    assert text.startswith("roc_auc 1.0000 on ")
    assert "too good to be true (above 0.98): 'closed' has " in text
    assert "whether it is filled tells y, with an AUC of 1.000" in text
    assert text.endswith("incumbent drop-column closed --reason TEXT")


def test_an_honest_champion_is_not_doubted(leaky: Path, tmp_path: Path) -> None:
    params = toy_params(dataset={"drop": ["closed"]})
    assert doubt(*trained(leaky, params, tmp_path / "v1"), leaky, params, tmp_path / "v1") is None


@pytest.mark.parametrize(
    ("task", "metric", "y", "predicted"),
    [
        ("multiclass", "log_loss", np.arange(300) % 3, np.eye(3)[np.arange(300) % 3] * 0.9 + 0.05),
        ("regression", "rmse", np.arange(300.0), np.arange(300.0) + 0.1),
    ],
)
def test_classes_and_numbers_are_doubted_too_whatever_the_metric(
    task: Any, metric: str, y: np.ndarray, predicted: np.ndarray
) -> None:
    params = changed(toy_params(), task=task, promotion={"metric": metric})
    gains = {"price, net": 0.7, "size": 0.3}
    text = too_good(y, predicted, gains, pd.DataFrame(), params)
    assert text is not None
    assert "'price, net' has 70% of the gain; 'size' has 30% of the gain" in text
    assert text.endswith("incumbent drop-column COLUMN --reason TEXT")
    assert too_good(y, predicted[RNG.permutation(300)], gains, pd.DataFrame(), params) is None


def judged(leaky: Path, tmp_path: Path, params: Params) -> JudgingRows:
    _, champion = trained(leaky, toy_params(), tmp_path / "v1")
    _, challenger = trained(leaky, params, tmp_path / "v2")
    return judged_on(champion, challenger, [leaky], params)


def test_a_dropped_column_is_empty_for_the_champion_too(leaky: Path, tmp_path: Path) -> None:
    holdout = judged(leaky, tmp_path, toy_params(dataset={"drop": ["closed"]}))
    assert holdout.withheld == ("closed",)
    ones = holdout.champion[holdout.y == 1]
    assert ones.mean() < 0.5  # with the column it was sure of every one


def test_a_column_that_is_not_dropped_is_the_champions_to_read(leaky: Path, tmp_path: Path) -> None:
    holdout = judged(leaky, tmp_path, toy_params())
    assert holdout.withheld == ()
    assert holdout.champion[holdout.y == 1].mean() > 0.9


def test_a_hold_says_how_a_champion_with_a_leak_is_left() -> None:
    assert list(explain_withheld([], "v1", "v2", promoted=False)) == []
    judged_without = "v1 was judged without 'closed', which it reads and dataset.drop names"
    assert list(explain_withheld(["closed"], "v1", "v2", promoted=True)) == [judged_without]
    assert list(explain_withheld(["closed"], "v1", "v2", promoted=False)) == [
        judged_without,
        "to leave v1 all the same: incumbent models promote v2 --force --reason TEXT",
    ]
