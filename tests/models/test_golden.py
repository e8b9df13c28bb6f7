"""Golden rows tell a model from one that lost its trees, its mind, or its identity."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import make_full, make_update, open_challenger
from incumbent.errors import Tampered
from incumbent.features.frames import Side, frames
from incumbent.features.schema import Feature, Schema
from incumbent.models.golden import GOLDEN, check_golden, make_golden
from incumbent.models.model import Model
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from incumbent.tables.split import group_hashes
from tests.building import changed, parent

FEW = StudyResult({"num_leaves": 15}, 5, ())


@dataclass(frozen=True)
class Fixed:
    """A trained model of so many outputs that predicts what it is told to."""

    answer: Callable[[np.ndarray], np.ndarray]

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.answer(X)


def test_a_model_passes_its_own_rows_after_a_journey_through_parquet(
    strong: Model, thinned: Sequence[Path], tmp_path: Path
) -> None:
    frame = pd.read_parquet(thinned[0])
    golden = make_golden(frame, strong)
    golden.to_parquet(tmp_path / GOLDEN, index=False)
    kept = pd.read_parquet(tmp_path / GOLDEN)
    check_golden(strong, kept)
    assert len(kept) == 200
    assert list(kept)[:-1] == [feature.name for feature in strong.schema.features]
    assert np.array_equal(kept["prediction"], strong.predict(frame.head(200)))


def test_the_same_rows_and_model_give_the_same_bytes(
    strong: Model, thinned: Sequence[Path], tmp_path: Path
) -> None:
    digests = set()
    for _ in range(2):
        make_golden(pd.read_parquet(thinned[0]), strong).to_parquet(tmp_path / GOLDEN, index=False)
        digests.add(hashlib.sha256((tmp_path / GOLDEN).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_another_models_rows_are_refused(weak: Model, strong: Model, thinned: Sequence[Path]) -> None:
    golden = make_golden(pd.read_parquet(thinned[0]), strong)
    with pytest.raises(Tampered, match=r"of its 200 golden rows differ, by up to 0\.\d+"):
        check_golden(weak, golden)


def changed_model(model: Model, change: Callable[[np.ndarray], np.ndarray]) -> Model:
    return replace(model, trained=Fixed(lambda X: change(model.trained.predict(X))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda p: np.where(p == p.max(), np.nan, p), "NaN or infinity for", id="one NaN"),
        pytest.param(lambda p: np.where(p == p.max(), np.inf, p), "NaN or infinity for", id="one infinity"),
        pytest.param(lambda p: p + 1e-5, "200 of its 200 golden rows differ, by up to 1e-05", id="a little"),
    ],
)
def test_other_predictions_are_refused(
    change: Callable[[np.ndarray], np.ndarray], told: str, strong: Model, thinned: Sequence[Path]
) -> None:
    golden = make_golden(pd.read_parquet(thinned[0]), strong)
    with pytest.raises(Tampered, match=told):
        check_golden(changed_model(strong, change), golden)


def test_another_order_of_summation_is_no_tampering(strong: Model, thinned: Sequence[Path]) -> None:
    golden = make_golden(pd.read_parquet(thinned[0]), strong)
    check_golden(changed_model(strong, lambda p: p * (1 + 1e-12)), golden)


def test_large_values_of_a_regression_are_compared_by_their_size() -> None:
    schema = Schema((Feature("x"),), "y", task="regression")
    values = Model("v1", schema, Fixed(lambda X: X[:, 0] * 1e9))  # type: ignore[arg-type]
    golden = make_golden(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), values)
    check_golden(changed_model(values, lambda p: p + 1.0), golden)
    with pytest.raises(Tampered, match="3 of its 3 golden rows differ"):
        check_golden(changed_model(values, lambda p: p * 1.001), golden)


def test_each_class_has_a_column_and_a_feature_keeps_its_name() -> None:
    schema = Schema((Feature("prediction_1"), Feature("gone")), "y", task="multiclass", classes=("a", "b"))
    model = Model("v1", schema, Fixed(lambda X: np.column_stack([X[:, 0], 1 - X[:, 0]])))  # type: ignore[arg-type]
    golden = make_golden(pd.DataFrame({"prediction_1": [0.25, 0.75], "y": ["a", "b"]}), model)
    assert list(golden) == ["prediction_1", "prediction_0", "_prediction_1"]
    check_golden(model, golden)


def golden_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / GOLDEN)


@pytest.mark.parametrize("replay", [0, 50, 2000])
def test_a_version_keeps_golden_rows_of_its_training_side(
    replay: int, thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    params = changed(quick_params, retrain={"replay": replay})
    for name in ("full", "update"):
        (tmp_path / name).mkdir()
    full = make_full(thinned[:1], params, FEW, tmp_path / "full", estimate=False)
    source, fresh = tmp_path / "full", thinned[1:]
    update = make_update(parent(full, params, source), fresh, params, tmp_path / "update")
    for made, months in ((full, thinned[:1]), (update, thinned)):
        folder = tmp_path / ("full" if made is full else "update")
        assert GOLDEN in made.files
        kept = golden_of(folder)
        check_golden(open_challenger(made, params, folder, "v1"), kept)
        assert len(kept) == (50 if replay == 50 else 200)
        known = pd.concat([frame for frame, _ in frames(months, params, Side.TRAINING)])
        columns = list(kept)[:-1]
        assert len(kept.merge(known[columns].drop_duplicates(), on=columns)) == len(kept)
    held_out = group_hashes(pd.read_parquet(thinned[0]), params.split.by) < params.split.holdout
    assert held_out.any(), "no row is held out: this tests nothing"
