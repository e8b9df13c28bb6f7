"""Reweighing and reduction by a protected column: what they do to rows and model, what the record says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incumbent.challenger import OUT_OF_SAMPLE, Challenger, make_full, make_update, open_challenger
from incumbent.compare import Fairness, fairness
from incumbent.errors import BadData
from incumbent.features.rows import Rows, training_rows
from incumbent.learners import Batch
from incumbent.models.model import Model
from incumbent.models.reference import FILE as REFERENCE
from incumbent.params import BiasParams, Params
from incumbent.search.tune import StudyResult
from incumbent.training.balance import Balance, learn_groups
from incumbent.training.cross_validation import CrossValidation
from incumbent.training.fairness_reduction import learn_reduction
from incumbent.training.folds import folds
from incumbent.training.training_sets import batch_of, make_folds
from tests.building import changed, fewer_examples, parent, toy_params

STUDY = StudyResult({"num_leaves": 7, "min_child_samples": 20}, rounds=30, trials=())


def people(size: int = 8000, seed: int = 0) -> pd.DataFrame:
    """Who was hired in the past: by skill, and by belonging to group a, which a street tells in part."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], size, p=[0.6, 0.4])
    skill = rng.normal(size=size)
    street = rng.normal(size=size) + 1.5 * (group == "a")
    hired = rng.random(size) < 1 / (1 + np.exp(-(1.5 * skill + 1.6 * (group == "a") - 1.2)))
    frame = pd.DataFrame({"group": group, "skill": skill, "street": street, "y": hired.astype(int)})
    return frame.assign(group=frame["group"].mask(rng.random(size) < 0.02))


def chosen(**sections: Any) -> Params:
    return toy_params(
        **{
            "dataset": {"name": "toy", "target": "y", "positive": 1, "drop": ["group"]},
            "learner": {"rounds": 30},
            "search": {"trials": 1, "folds": 4},
            "bias": {"reweigh": "group"},
            **sections,
        }
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    folder = tmp_path_factory.mktemp("people")
    for number in (0, 1):
        people(seed=number).to_parquet(folder / f"{number}.parquet", index=False)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def reweighed(paths: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Challenger, Path]:
    folder = tmp_path_factory.mktemp("reweighed")
    return make_full(paths[:1], chosen(), STUDY, folder), folder


def among_strangers(model: Model) -> Fairness:
    """How it treats people that it never saw, deciding at 0.5."""
    strangers = people(20_000, seed=9)
    predicted = model.predict(strangers.drop(columns="group"))
    return fairness(strangers["y"].to_numpy(), predicted, strangers["group"].fillna("b"), 0.5)


@fewer_examples
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=60))
def test_in_weighed_rows_the_class_does_not_depend_on_the_value(cells: list[tuple[str, int]]) -> None:
    protected = np.array([cell[0] for cell in cells], dtype=object)
    y = np.array([cell[1] for cell in cells])
    balance = Balance(groups=learn_groups(protected, y, 3))
    weights = balance.by_group(protected, y)
    for value in set(protected):
        inside = protected == value
        for label in set(y[inside]):
            both = weights[inside & (y == label)].sum()
            assert both == pytest.approx(inside.sum() * (y == label).sum() / len(y))
    assert Balance.from_json(json.loads(json.dumps(balance.to_json()))) == balance
    assert balance.by_group(np.array(["new"], dtype=object), np.array([1])).tolist() == [1.0]


def test_reweighing_narrows_the_differences_and_the_record_says_at_what_price(
    reweighed: tuple[Challenger, Path],
) -> None:
    challenger, _ = reweighed
    assert challenger.cv is not None
    seen = challenger.cv.treatment
    assert seen is not None
    assert seen.column == "group"
    assert seen.parity_difference[1] < 0.7 * seen.parity_difference[0]
    assert seen.metric[1] == challenger.cv.mean < seen.metric[0]
    assert seen.metric[1] > seen.metric[0] - 0.05
    assert CrossValidation.from_json(json.loads(json.dumps(challenger.cv.to_json()))) == challenger.cv
    assert Challenger.from_json(json.loads(json.dumps(challenger.to_json()))) == challenger


def test_strangers_are_treated_more_alike_and_scoring_needs_no_protected_column(
    paths: Sequence[Path], reweighed: tuple[Challenger, Path], tmp_path: Path
) -> None:
    strangers = people(20_000, seed=9)
    plain = changed(chosen(), bias={"reweigh": None})
    unweighed = make_full(paths[:1], plain, STUDY, tmp_path)
    before = open_challenger(unweighed, plain, tmp_path, "plain")
    after = open_challenger(reweighed[0], chosen(), reweighed[1], "v1")
    y, differences = strangers["y"].to_numpy(), []
    for model in (before, after):
        predicted = model.predict(strangers.drop(columns="group"))
        differences.append(fairness(y, predicted, strangers["group"].fillna("b"), 0.5).parity_difference)
    assert differences[1] < 0.7 * differences[0]
    assert unweighed.lineage.balance == Balance()


@pytest.fixture(scope="module")
def reduced(paths: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Challenger, Path]:
    folder = tmp_path_factory.mktemp("reduced")
    return make_full(paths[:1], reducing(), STUDY, folder), folder


def reducing(**bias: Any) -> Params:
    return chosen(bias={"reduce": "group", **bias})


def test_reduction_makes_the_selection_rates_alike_and_the_record_says_at_what_price(
    reduced: tuple[Challenger, Path],
) -> None:
    challenger, folder = reduced
    assert challenger.cv is not None
    seen = challenger.cv.treatment
    assert seen is not None
    assert seen.parity_difference[1] < 0.5 * seen.parity_difference[0]
    assert seen.metric[1] == challenger.cv.mean < seen.metric[0]
    assert any(weight != 1 for weights in challenger.lineage.balance.groups.values() for weight in weights)
    assert Challenger.from_json(json.loads(json.dumps(challenger.to_json()))) == challenger
    told = among_strangers(open_challenger(challenger, reducing(), folder, "v1"))
    assert told.parity_difference < 0.5 * seen.parity_difference[0]


def test_a_reduced_model_is_made_again_without_its_estimate_and_updated_by_its_table(
    paths: Sequence[Path], reduced: tuple[Challenger, Path], tmp_path: Path
) -> None:
    first, folder = reduced
    again, later = tmp_path / "again", tmp_path / "later"
    for each in (again, later):
        each.mkdir()
    same = make_full(paths[:1], reducing(), STUDY, again, estimate=False)
    assert same.schema == first.schema
    assert {*first.files} - {*same.files} == {OUT_OF_SAMPLE, REFERENCE}
    for name in same.files:
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    second = make_update(parent(first, reducing(), folder), paths[1:], reducing(), later)
    assert second.lineage.balance == first.lineage.balance
    seen = among_strangers(open_challenger(second, reducing(), later, "v2"))
    assert first.cv is not None
    assert first.cv.treatment is not None
    assert seen.parity_difference < 0.5 * first.cv.treatment.parity_difference[0]


def test_a_negative_weight_is_its_amount_with_the_other_label(paths: Sequence[Path]) -> None:
    schema, rows = training_rows(paths[:1], reducing())
    rows = rows.take(np.arange(100))
    groups = {"a": (3.0, -0.5), "b": (-1.0, 2.0)}
    batch = batch_of(rows, schema, Balance(groups=groups), 0)
    assert rows.protected is not None
    for value, label, told, weight in (("a", 0, 0, 3), ("a", 1, 0, 0.5), ("b", 0, 1, 1), ("b", 1, 1, 2)):
        cell = (rows.protected == value) & (rows.y == label)
        assert cell.any()
        assert batch.weights is not None
        assert set(batch.y[cell]) == {told}
        assert set(batch.weights[cell]) == {weight}


@pytest.mark.parametrize(
    ("constraint", "events"),
    [
        ("demographic_parity", [(0, 1)]),
        ("true_positive_rate_parity", [(1,)]),
        ("false_positive_rate_parity", [(0,)]),
        ("equalized_odds", [(0,), (1,)]),
    ],
)
def test_the_table_with_the_least_error_and_difference_is_chosen(
    constraint: str, events: list[tuple[int, ...]]
) -> None:
    """By counting. Each value and noisy reading of the label gets the answer that weighs more there."""
    rng = np.random.default_rng(0)
    protected = rng.choice(np.array(["a", "b"], dtype=object), 2000)
    y = (rng.random(2000) < np.where(protected == "a", 0.7, 0.2)).astype(int)
    read = np.where(rng.random(2000) < 0.3, 1 - y, y)
    losses = []

    def answers(groups: Any) -> np.ndarray:
        signed = Balance(groups=groups).by_group(protected, y) * np.where(y == 1, 1, -1)
        told = np.zeros(2000, dtype=bool)
        for cell in [(protected == value) & (read == seen) for value in "ab" for seen in (0, 1)]:
            told[cell] = signed[cell].sum() > 0
        sides = [np.isin(y, event) for event in events]
        difference = max(
            abs(told[side & (protected == value)].mean() - told[side].mean())
            for side in sides
            for value in "ab"
        )
        losses.append(((told != y).mean() + difference, groups))
        return told

    bias = BiasParams.model_validate({"reduce": "group", "constraint": constraint, "grid": 21})
    groups = learn_reduction(protected, y, bias, answers)
    assert len(losses) == 21
    least = min(loss for loss, _ in losses)
    assert [loss for loss, tried in losses if tried == groups] == [pytest.approx(least)]


def test_an_update_keeps_the_weights_of_its_champion(
    paths: Sequence[Path], reweighed: tuple[Challenger, Path], tmp_path: Path
) -> None:
    first, folder = reweighed
    second = make_update(parent(first, chosen(), folder), paths[1:], chosen(), tmp_path)
    assert second.lineage.balance == first.lineage.balance
    assert set(second.lineage.balance.groups) == {"a", "b", "missing"}
    seen = among_strangers(open_challenger(second, chosen(), tmp_path, "v2"))
    assert first.cv is not None
    assert first.cv.treatment is not None
    assert seen.parity_difference < 0.7 * first.cv.treatment.parity_difference[0]


def test_held_out_rows_neither_weigh_nor_are_weighed(paths: Sequence[Path]) -> None:
    params = chosen(imbalance={"method": "weights"})
    schema, rows = training_rows(paths[:1], params)
    [split, *_] = folds(rows, params.search, params.seed)
    lied = rows.y.copy()
    lied[split[1]] = 1 - lied[split[1]]
    weights = []
    for y in (rows.y, lied):
        told = Rows(rows.X, y, rows.group, protected=rows.protected)
        learner: Any = None  # shares the bins it is given
        [found] = make_folds(told, [split], learner, schema, params, Batch(rows.X, y))
        weights.append(found.training.weights)
        assert len(found.training.weights) == len(split[0])
        assert found.training.weights.mean() == pytest.approx(1, abs=0.1)
    assert np.array_equal(*weights)


def test_a_column_with_one_value_leaves_nothing_to_reduce() -> None:
    protected, y = np.full(4, "a", dtype=object), np.array([0, 1, 0, 1])
    assert learn_reduction(protected, y, reducing().bias, lambda _: y == 1) == {}


@pytest.mark.parametrize(
    ("values", "bias", "told"),
    [
        pytest.param("abcdef", {}, "has 6 values in the training rows", id="many values"),
        pytest.param("abc", {"constraint": "equalized_odds"}, "give 16 or more", id="coarse grid"),
    ],
)
def test_a_grid_that_can_not_serve_the_values_is_refused(
    values: str, bias: dict[str, Any], told: str
) -> None:
    protected, y = np.array([*values] * 2, dtype=object), np.repeat([0, 1], len(values))
    with pytest.raises(BadData, match=told):
        learn_reduction(protected, y, reducing(**bias).bias, lambda _: y == 1)


def test_what_reduction_can_not_do_is_refused(paths: Sequence[Path]) -> None:
    reduce = {"reduce": "group"}
    with pytest.raises(ValidationError, match="exclude each other"):
        chosen(bias={**reduce, "reweigh": "street"})
    with pytest.raises(ValidationError, match=r"bias\.reduce = 'group' .* makes rows without it"):
        chosen(bias=reduce, imbalance={"method": "smote"})
    for task, metric in (("regression", "rmse"), ("multiclass", "roc_auc_macro")):
        with pytest.raises(ValidationError, match=f"between two classes, and the task is {task}"):
            chosen(bias={"reweigh": None, **reduce}, task=task, promotion={"metric": metric})
    with pytest.raises(BadData, match=r"bias\.reduce = 'nothing', but the data has only"):
        training_rows(paths[:1], chosen(bias={"reduce": "nothing"}))


def test_what_reweighing_can_not_do_is_refused(paths: Sequence[Path]) -> None:
    with pytest.raises(ValidationError, match="makes rows without it"):
        chosen(imbalance={"method": "smote"})
    with pytest.raises(ValidationError, match=r"bias\.reweigh is for classes"):
        chosen(task="regression", promotion={"metric": "rmse"})
    with pytest.raises(BadData, match=r"bias\.reweigh = 'nothing', but the data has only"):
        training_rows(paths[:1], chosen(bias={"reweigh": "nothing"}))
