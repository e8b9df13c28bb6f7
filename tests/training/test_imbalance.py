"""Rare classes: training may weigh, repeat, drop or make rows; what judges it is never touched."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import f1_score, roc_auc_score

from incumbent.challenger import OUT_OF_SAMPLE, Challenger, make_full, make_update, open_challenger, search
from incumbent.compare import Comparison, calibration
from incumbent.errors import BadData
from incumbent.evaluation.evidence import collect_evidence
from incumbent.features.rows import Rows
from incumbent.features.schema import Feature, Schema
from incumbent.learners import Batch
from incumbent.learners.torch_training import member_losses
from incumbent.models.calibration import Isotonic, Output, choose_threshold, learn_curves, mean_cost
from incumbent.models.model import Model
from incumbent.models.reference import FILE as REFERENCE
from incumbent.params import DecisionParams, Params
from incumbent.search.tune import StudyResult
from incumbent.training.balance import learn_balance
from incumbent.training.folds import Split
from incumbent.training.training_sets import make_folds
from tests.building import changed, fewer_examples, parent, toy_params
from tests.judging import judged

METHODS = ["weights", "over", "under", "smote"]
SCHEMA = Schema((Feature("a"), Feature("b"), Feature("c", ("x", "y", "z"))), "y", 1)
STUDY = StudyResult({"num_leaves": 7, "min_child_samples": 10}, rounds=20, trials=())


def table(size: int = 6000, seed: int = 0) -> pd.DataFrame:
    """One event in ten rows, known up to noise by two numbers and a category."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=size), rng.normal(size=size), rng.integers(0, 3, size)
    odds = -3.2 + 1.4 * a + b * (c == 1)
    return pd.DataFrame(
        {"a": a, "b": b, "c": np.array(["x", "y", "z"])[c], "y": rng.random(size) < 1 / (1 + np.exp(-odds))}
    ).astype({"y": int})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    folder = tmp_path_factory.mktemp("rare")
    for number in (0, 1):
        table(seed=number).to_parquet(folder / f"{number}.parquet", index=False)
    return sorted(folder.iterdir())


def rare(**sections: Any) -> Params:
    return toy_params(**{"learner": {"rounds": 20}, "search": {"trials": 1, "folds": 3}, **sections})


def made(paths: Sequence[Path], params: Params, folder: Path) -> tuple[Challenger, Model]:
    folder.mkdir()
    challenger = make_full(paths, params, STUDY, folder)
    return challenger, open_challenger(challenger, params, folder, folder.name)


class Recording:
    """A learner that only keeps what it is given."""

    def bin(self, X: np.ndarray, y: np.ndarray) -> Batch:
        return Batch(X, y)


ROWS = st.lists(
    st.tuples(st.floats(-9, 9, width=32), st.floats(-9, 9, width=32), st.integers(0, 2), st.booleans()),
    min_size=12,
    max_size=40,
)


@fewer_examples
@given(ROWS, st.sampled_from(METHODS), st.integers(0, 5), st.data())
def test_what_a_fold_fits_on_does_not_depend_on_its_held_out_rows(
    cells: list[tuple[float, float, int, bool]], method: str, seed: int, data: st.DataObject
) -> None:
    X = np.array([row[:3] for row in cells], dtype=np.float32)
    y = np.array([row[3] for row in cells], dtype=np.int8)
    held = np.array(sorted(data.draw(st.sets(st.integers(0, len(y) - 1), min_size=1, max_size=6))))
    fit = np.setdiff1d(np.arange(len(y)), held)
    params = toy_params(imbalance={"method": method}, seed=seed)
    lied_X, lied_y = X.copy(), y.copy()
    lied_X[held], lied_y[held] = 1e6, 1 - y[held]
    seen = [_fitted_on(each_X, each_y, (fit, held), params) for each_X, each_y in ((X, y), (lied_X, lied_y))]
    for first, second in zip(*seen, strict=True):
        assert np.array_equal(first, second, equal_nan=True)


def _fitted_on(X: np.ndarray, y: np.ndarray, split: Split, params: Params) -> tuple[np.ndarray, ...]:
    """X, y and weights that a fold fits on; checks that its held-out rows are as they were."""
    learner: Any = Recording()
    [found] = make_folds(Rows(X, y, np.zeros(len(y))), [split], learner, SCHEMA, params, Batch(X, y))
    assert np.array_equal(found.source[found.at], X[split[1]])
    assert np.array_equal(found.training.binned.X[found.held], X[split[1]])
    assert np.array_equal(found.training.binned.y[found.held], y[split[1]])
    assert not set(found.training.rows) & set(found.held)
    weights = np.ones(len(found.training.rows)) if found.training.weights is None else found.training.weights
    return found.training.binned.X[found.training.rows], found.training.binned.y[found.training.rows], weights


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [2, 3])
def test_every_class_counts_the_same_afterwards(method: str, classes: int) -> None:
    rng = np.random.default_rng(0)
    y = np.minimum(rng.geometric(0.7, 500) - 1, classes - 1)
    X = rng.normal(size=(500, 2)).astype(np.float32)
    drawn = learn_balance(y, classes, method).draw(X, y, np.arange(500), {"a": None, "b": None}, 0)
    weights = np.ones(len(drawn.rows)) if drawn.weights is None else drawn.weights
    amounts = np.bincount(y[drawn.rows], weights, minlength=classes)
    if drawn.y is not None:
        amounts += np.bincount(drawn.y, minlength=classes)
    assert amounts == pytest.approx(amounts.mean(), abs=1)
    assert (np.diff(drawn.rows) > 0).all()
    rarest, commonest = np.sort(np.bincount(y))[[0, -1]]
    each = {"weights": 500 / classes, "under": rarest}.get(method, commonest)
    assert amounts.sum() == pytest.approx(classes * each, abs=classes)


def test_made_rows_lie_between_rows_of_their_class_and_have_known_categories() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(300) % 10 == 0).astype(np.int8)
    X = np.column_stack([rng.normal(size=300) + 10 * y, rng.normal(size=300), rng.integers(0, 3, 300)])
    X = X.astype(np.float32)
    X[::20, 2] = np.nan  # half of the events
    drawn = learn_balance(y, 2, "smote").draw(X, y, np.arange(300), SCHEMA.columns, 0)
    assert drawn.X is not None
    assert drawn.y is not None
    assert (drawn.y == 1).all()
    low, high = X[y == 1, :2].min(axis=0), X[y == 1, :2].max(axis=0)
    assert ((drawn.X[:, :2] >= low) & (drawn.X[:, :2] <= high)).all()
    assert set(drawn.X[~np.isnan(drawn.X[:, 2]), 2]) <= {0.0, 1.0, 2.0}
    assert np.isnan(drawn.X[:, 2]).any()


def test_smote_tells_what_to_do_about_empty_cells() -> None:
    X = np.array([[0, np.nan, 0], [1, 1, np.nan], [2, 2, 0], [3, 3, 0], [4, 4, 1]], dtype=np.float32)
    y = np.array([1, 1, 0, 0, 0], dtype=np.int8)
    with pytest.raises(BadData, match=r"\['b'\] have some; fill them with clean.missing") as caught:
        learn_balance(y, 2, "smote").draw(X, y, np.arange(5), SCHEMA.columns, 0)
    assert "'weights'" in str(caught.value)


def test_a_class_of_one_row_is_weighed_where_nothing_lies_between() -> None:
    X, y = np.arange(10, dtype=np.float32)[:, None], np.array([1] + [0] * 9, dtype=np.int8)
    drawn = learn_balance(y, 2, "smote").draw(X, y, np.arange(10), {"a": None}, 0)
    assert drawn.y is None
    assert drawn.weights is not None
    assert drawn.weights.tolist() == [9.0] + [1.0] * 9


@pytest.mark.parametrize("method", METHODS)
def test_a_balanced_model_is_calibrated_and_updates_keep_the_meaning_of_its_odds(
    paths: Sequence[Path], method: str, tmp_path: Path
) -> None:
    judged = table(20_000, seed=9)
    bare = rare(imbalance={"method": method})
    params = changed(bare, imbalance={"method": method, "calibrate": "sigmoid"})
    _, raw = made(paths[:1], bare, tmp_path / "raw")
    first, model = made(paths[:1], params, tmp_path / "v1")
    uncalibrated, probabilities = raw.predict(judged), model.predict(judged)
    assert calibration(judged["y"].to_numpy(), uncalibrated).error > 0.1
    assert calibration(judged["y"].to_numpy(), probabilities).error < 0.03
    assert roc_auc_score(judged["y"], probabilities) == roc_auc_score(judged["y"], uncalibrated) > 0.75
    (tmp_path / "v2").mkdir()
    later = make_update(parent(first, params, tmp_path / "v1"), paths[1:], params, tmp_path / "v2")
    assert (later.lineage.output, later.lineage.balance) == (first.lineage.output, first.lineage.balance)
    updated = open_challenger(later, params, tmp_path / "v2", "v2").predict(judged)
    assert calibration(judged["y"].to_numpy(), updated).error < 0.03
    assert later.onnx.reason is None


@pytest.mark.parametrize("method", METHODS)
def test_the_same_rows_give_the_same_bytes(paths: Sequence[Path], method: str, tmp_path: Path) -> None:
    params = rare(imbalance={"method": method, "calibrate": "isotonic"}, decision={"false_negative": 4.0})
    study = search(paths[:1], params)
    files = []
    for name, estimate in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        challenger = make_full(paths[:1], params, study, tmp_path / name, estimate=estimate)
        files.append({file: (tmp_path / name / file).read_bytes() for file in challenger.files})
    files[0].pop(OUT_OF_SAMPLE)
    files[0].pop(REFERENCE)
    assert files[0] == files[1]


def test_an_update_of_rows_without_an_event_keeps_its_balance(paths: Sequence[Path], tmp_path: Path) -> None:
    params = rare(imbalance={"method": "weights"})
    first, _ = made(paths[:1], params, tmp_path / "v1")
    quiet = table(seed=1).query("y == 0")
    quiet.to_parquet(tmp_path / "quiet.parquet", index=False)
    (tmp_path / "v2").mkdir()
    fresh, known = [tmp_path / "quiet.parquet"], first.rows
    made_of = make_update(parent(first, params, tmp_path / "v1", known), fresh, params, tmp_path / "v2")
    assert made_of.lineage.balance == first.lineage.balance
    judged, updated = table(seed=2), open_challenger(made_of, params, tmp_path / "v2", "v2")
    assert roc_auc_score(judged["y"], updated.predict(judged)) > 0.75


# Calibration and decision


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_curve_finds_the_probability_behind_a_distorted_score(method: str) -> None:
    rng = np.random.default_rng(0)
    true = rng.beta(1, 9, 40_000)
    y = (rng.random(40_000) < true).astype(np.int8)
    distorted = 9 * true / (9 * true + 1 - true)  # class weights multiply the odds
    output = Output(learn_curves(y, distorted, method))
    assert np.abs(output.apply(distorted) - true).mean() < 0.006
    assert Output.from_json(json.loads(json.dumps(output.to_json()))) == output


def test_the_curves_of_many_classes_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 5000)
    y = (scores.cumsum(axis=1) < rng.random(5000)[:, None]).sum(axis=1)
    distorted = scores * [1, 3, 9]
    distorted /= distorted.sum(axis=1, keepdims=True)
    calibrated = Output(learn_curves(y, distorted, "sigmoid")).apply(distorted)
    assert calibrated.sum(axis=1) == pytest.approx(1)
    one_hot = np.eye(3)[y]
    assert ((calibrated - one_hot) ** 2).mean() < ((distorted - one_hot) ** 2).mean() - 0.01
    nobody = Output((Isotonic((0.0, 1.0), (0.0, 0.0)),) * 3)
    assert nobody.apply(distorted) == pytest.approx(1 / 3)


@fewer_examples
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.8, 1.0]), st.booleans()), min_size=2, max_size=40),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
)
def test_no_other_threshold_costs_less(rows: list[tuple[float, bool]], alarm: float, miss: float) -> None:
    scores, y = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=int)
    if len(set(y)) < 2:
        return
    costs = DecisionParams(false_positive=alarm, false_negative=miss)
    chosen = choose_threshold(y, scores, costs)
    assert chosen is not None
    least = mean_cost(y, scores >= chosen, costs)
    for other in [*scores, 2.0]:
        assert least <= mean_cost(y, scores >= other, costs) + 1e-9


def test_a_threshold_by_costs_is_near_bayes_and_scores_decide_by_it(
    paths: Sequence[Path], tmp_path: Path
) -> None:
    params = rare(
        imbalance={"method": "weights", "calibrate": "sigmoid"},
        decision={"false_positive": 1.0, "false_negative": 5.0},
    )
    challenger, model = made(paths, params, tmp_path / "v1")
    threshold = challenger.lineage.output.threshold
    assert threshold == pytest.approx(1 / 6, abs=0.06)  # of perfect probabilities: fp / (fp + fn)
    judged = table(20_000, seed=9)
    scores = model.score(judged)
    assert np.array_equal(scores["predicted"], scores["score"] >= threshold)
    assert challenger.cv is not None
    assert challenger.cv.cost == pytest.approx(
        mean_cost(judged["y"].to_numpy(), scores["predicted"].to_numpy(), params.decision), rel=0.1
    )


def test_decisions_are_judged_by_each_models_own_threshold(paths: Sequence[Path], tmp_path: Path) -> None:
    params = rare(promotion={"metric": "f1", "fairness": {"column": "c"}})
    careful = changed(params, imbalance={"calibrate": "sigmoid"}, decision={"false_negative": 3.0})
    _, plain = made(paths, params, tmp_path / "plain")
    challenger, alert = made(paths, careful, tmp_path / "alert")
    window = paths
    holdout = judged(plain, alert, window, careful)
    evidence = collect_evidence(holdout, careful.promotion, 0)
    assert isinstance(evidence.comparison, Comparison)
    own = challenger.lineage.output.threshold
    assert own is not None
    assert own != 0.5
    named = (holdout.champion >= 0.5, holdout.challenger >= own)
    first, second = (f1_score(holdout.y, each) for each in named)
    assert evidence.comparison.champion.value == pytest.approx(first)
    assert evidence.comparison.challenger.value == pytest.approx(second)
    assert evidence.fairness is not None
    rates = {each.value: each.selection_rate for each in evidence.fairness.groups}
    chosen = (holdout.challenger >= own)[holdout.columns["c"] == "x"]
    assert rates["x"] == pytest.approx(chosen.mean())


def test_onnx_answers_with_calibrated_probabilities_and_the_versions_decision(
    paths: Sequence[Path], tmp_path: Path
) -> None:
    params = rare(imbalance={"method": "weights", "calibrate": "sigmoid"}, decision={"false_negative": 5.0})
    challenger, model = made(paths[:1], params, tmp_path / "v1")
    assert challenger.onnx.reason is None
    session = onnxruntime.InferenceSession(tmp_path / "v1" / "model.onnx")
    frame = table(500, seed=3)
    label, probabilities = session.run(None, {"features": model.schema.encode(frame)})
    assert probabilities[:, 1] == pytest.approx(model.predict(frame), abs=1e-5)
    assert np.array_equal(label == 1, model.score(frame)["predicted"])


def test_an_isotonic_model_says_why_it_is_not_exported(paths: Sequence[Path], tmp_path: Path) -> None:
    challenger, _ = made(paths[:1], rare(imbalance={"calibrate": "isotonic"}), tmp_path / "v1")
    assert challenger.onnx.reason is not None
    assert "'sigmoid' can be exported" in challenger.onnx.reason
    assert "model.onnx" not in challenger.files


def test_the_focal_loss_is_that_of_its_paper() -> None:
    outputs = torch.tensor([[[2.0]], [[-1.0]]])
    chance = torch.sigmoid(torch.tensor([2.0, 1.0]))  # of the true class
    expected = -((1 - chance) ** 2) * chance.log()
    found = member_losses(outputs, torch.tensor([1.0, 0.0]), "binary", 2.0)
    assert found[:, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    many = torch.cat([torch.zeros_like(outputs), outputs], dim=2)
    found = member_losses(many, torch.tensor([1, 0]), "multiclass", 2.0)
    assert found[:, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_balanced_network_of_focal_loss_is_calibrated_and_exported(
    paths: Sequence[Path], tmp_path: Path
) -> None:
    tree = rare(imbalance={"method": "weights", "calibrate": "sigmoid"}).model_dump()
    learner = {"name": "torch", "rounds": 4, "members": 2, "batch": 128, "focal": 2.0}
    params = Params.model_validate({**tree, "learner": learner})
    options = {"rate": 5e-3, "width": 32, "depth": 1, "dropout": 0.0, "decay": 1e-4}
    challenger = make_full(paths, params, StudyResult(options, 4, ()), tmp_path)
    assert challenger.onnx.reason is None
    judged = table(20_000, seed=9)
    predicted = open_challenger(challenger, params, tmp_path, "v1").predict(judged)
    assert roc_auc_score(judged["y"], predicted) > 0.75
    assert calibration(judged["y"].to_numpy(), predicted).error < 0.04


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        (
            {"task": "regression", "promotion": {"metric": "rmse"}, "imbalance": {"method": "over"}},
            "regression",
        ),
        (
            {
                "task": "multiclass",
                "promotion": {"metric": "log_loss"},
                "decision": {"false_negative": 2.0},
            },
            "decision is between two classes",
        ),
    ],
)
def test_what_the_task_does_not_have_is_refused(sections: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        toy_params(**sections)


def test_folds_of_a_balanced_training_are_judged_by_order_alone(paths: Sequence[Path]) -> None:
    params = rare(promotion={"metric": "log_loss"}, learner={"rounds": 60}, imbalance={"method": "weights"})
    assert params.fold_metric == "roc_auc"
    study = search(paths[:1], params)
    assert study.rounds > 10  # by log loss each further round looks worse
    assert all(0.5 < score < 1 for trial in study.trials for score in trial.folds)
