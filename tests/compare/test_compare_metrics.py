"""Every metric's value is scikit-learn's; the bootstrap's errors are those of naive resampling."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sk

from incumbent.compare import compare, estimate
from incumbent.compare.bootstrap import statistic
from incumbent.compare.observations import observe
from incumbent.errors import BadData
from incumbent.evaluation.decide import Evidence
from incumbent.params import METRICS, PromotionParams
from tests.building import fewer_examples, stored

Peer = Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]

THRESHOLD = 0.4
BINARY: dict[str, Peer] = {
    "roc_auc": lambda y, p, w: sk.roc_auc_score(y, p, sample_weight=w),
    "average_precision": lambda y, p, w: sk.average_precision_score(y, p, sample_weight=w),
    "f1": lambda y, p, w: sk.f1_score(y, p >= THRESHOLD, sample_weight=w),
    "accuracy": lambda y, p, w: sk.accuracy_score(y, p >= THRESHOLD, sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w),
}
CLASSES = [0, 1, 2]


def one_vs_rest(score: Callable[..., float], average: str) -> Peer:
    return lambda y, p, w: score(np.eye(3)[y], p, average=average, sample_weight=w)


MULTICLASS: dict[str, Peer] = {
    "accuracy": lambda y, p, w: sk.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p, sample_weight=w, labels=CLASSES),
    "brier": lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w, labels=CLASSES),
    "roc_auc_macro": one_vs_rest(sk.roc_auc_score, "macro"),
    "roc_auc_weighted": one_vs_rest(sk.roc_auc_score, "weighted"),
    "average_precision_macro": one_vs_rest(sk.average_precision_score, "macro"),
    "average_precision_weighted": one_vs_rest(sk.average_precision_score, "weighted"),
    "f1_macro": lambda y, p, w: sk.f1_score(y, p.argmax(axis=1), average="macro", sample_weight=w),
    "f1_weighted": lambda y, p, w: sk.f1_score(y, p.argmax(axis=1), average="weighted", sample_weight=w),
}
REGRESSION: dict[str, Peer] = {
    "rmse": lambda y, p, w: sk.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w: sk.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: sk.r2_score(y, p, sample_weight=w),
}

GROUPS = st.integers(0, 30)
WEIGHTS = st.lists(st.integers(1, 5), min_size=31, max_size=31)
# (label, prediction, group) with many ties, and what predictions of 0 and 1 cost.
BINARY_ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), GROUPS), min_size=4, max_size=60)
MULTICLASS_ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(1, 4), min_size=3, max_size=3), GROUPS),
    min_size=4,
    max_size=60,
)
REGRESSION_ROWS = st.lists(
    st.tuples(st.integers(-99, 99), st.integers(-99, 99), GROUPS), min_size=4, max_size=60
)


def agrees(
    metric: str,
    peer: Peer,
    y: np.ndarray,
    prediction: np.ndarray,
    groups: np.ndarray,
    weights: list[int],
) -> None:
    """The metric and, where it is bootstrapped, the metric with each group weighted."""
    promotion = PromotionParams(metric=metric, threshold=THRESHOLD, resamples=100)
    assert estimate(y, prediction, groups, promotion).value == pytest.approx(
        peer(y, prediction, None), rel=1e-9, abs=1e-9
    )
    if "roc_auc" not in metric:
        seen = observe(y, groups, metric, prediction)
        measured = statistic(seen, prediction, metric, THRESHOLD)
        names, codes = np.unique(groups, return_inverse=True)
        order = np.arange(len(y)) if seen.codes is None else seen.codes
        of_groups = np.zeros(seen.groups)
        of_groups[order] = np.array(weights)[codes]
        assert len(names) == seen.groups
        assert measured(of_groups[:, None])[0] == pytest.approx(
            peer(y, prediction, np.array(weights)[codes]), rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize("metric", sorted(BINARY))
@fewer_examples
@given(BINARY_ROWS, WEIGHTS)
def test_a_metric_of_two_classes_is_scikit_learns(
    metric: str, rows: list[tuple[int, int, int]], weights: list[int]
) -> None:
    y, fifths, groups = np.array(rows).T
    assume(0 < y.sum() < len(y) and len(set(groups)) > 1)
    agrees(metric, BINARY[metric], y, fifths / 5, groups, weights)


@pytest.mark.parametrize("metric", sorted(MULTICLASS))
@fewer_examples
@given(MULTICLASS_ROWS, WEIGHTS)
def test_a_metric_of_many_classes_is_scikit_learns(
    metric: str, rows: list[tuple[int, list[int], int]], weights: list[int]
) -> None:
    y, shares, groups = (np.array(column) for column in zip(*rows, strict=True))
    assume(len(set(y)) == 3 and len(set(groups)) > 1)
    agrees(metric, MULTICLASS[metric], y, shares / shares.sum(axis=1, keepdims=True), groups, weights)


@pytest.mark.parametrize("metric", sorted(REGRESSION))
@fewer_examples
@given(REGRESSION_ROWS, WEIGHTS)
def test_a_metric_of_numbers_is_scikit_learns(
    metric: str, rows: list[tuple[int, int, int]], weights: list[int]
) -> None:
    y, prediction, groups = np.array(rows, dtype=float).T
    assume(len(set(y)) > 1 and len(set(groups)) > 1)
    agrees(metric, REGRESSION[metric], y, prediction, groups.astype(int), weights)


def test_every_metric_has_its_peer_here() -> None:
    peers = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION}
    for name, metric in METRICS.items():
        assert all(name in peers[task] for task in metric.tasks)


def models(seed: int, task: str, size: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, two predictions of about equal skill, and 60 groups that differ in their labels."""
    rng = np.random.default_rng(seed)
    group = np.arange(size) % 60
    lean = rng.normal(size=60)[group]
    if task == "regression":
        y = lean + rng.normal(size=size)
        return y, *(y + rng.normal(size=size) + 0.3 * rng.normal(size=60)[group] for _ in range(2)), group
    if task == "binary":
        y = (rng.random(size) < 1 / (1 + np.exp(1 - lean))).astype(int)
        logits = [2 * y - 1.5 + rng.normal(size=size) for _ in range(2)]
        return y, *(1 / (1 + np.exp(-each)) for each in logits), group
    y = rng.integers(0, 3, size)
    raw = [np.exp(1.2 * np.eye(3)[y] + rng.normal(size=(size, 3))) for _ in range(2)]
    return y, *(each / each.sum(axis=1, keepdims=True) for each in raw), group


@pytest.mark.parametrize(
    ("task", "metric", "alone"),
    [
        pytest.param("binary", "log_loss", True, id="a mean, row by row"),
        pytest.param("binary", "f1", False, id="a ratio, by groups"),
        pytest.param("binary", "average_precision", True, id="ranked, row by row"),
        pytest.param("binary", "average_precision", False, id="ranked, by groups"),
        pytest.param("multiclass", "f1_macro", True, id="a mean of ratios, row by row"),
        pytest.param("multiclass", "average_precision_weighted", False, id="ranked classes, by groups"),
        pytest.param("regression", "r2", False, id="sums of squares, by groups"),
        pytest.param("regression", "rmse", True, id="a root, row by row"),
    ],
)
def test_the_bootstraps_error_is_that_of_drawing_rows_anew(task: str, metric: str, alone: bool) -> None:
    y, champion, challenger, group = models(3, task, size=360)
    rng = np.random.default_rng(4)
    if alone:
        # Row by row, each class keeps its share; a regression is one stratum.
        strata = [np.arange(len(y))] if task == "regression" else [np.flatnonzero(y == k) for k in set(y)]
        draws = [np.concatenate([rng.choice(rows, len(rows)) for rows in strata]) for _ in range(120)]
    else:
        of_group = [np.flatnonzero(group == g) for g in range(60)]
        draws = [np.concatenate([of_group[g] for g in rng.integers(0, 60, 60)]) for _ in range(120)]
    peer = (BINARY | MULTICLASS | REGRESSION)[metric] if task != "binary" else BINARY[metric]
    naive = [peer(y[i], challenger[i], None) - peer(y[i], champion[i], None) for i in draws]
    promotion = PromotionParams(metric=metric, threshold=THRESHOLD, resamples=2000)
    seen = compare(y, champion, challenger, np.arange(len(y)) if alone else group, promotion)
    # So few draws know their deviation to 7 %.
    assert seen.standard_error == pytest.approx(np.std(naive, ddof=1), rel=0.2)
    assert (seen.method, seen.dof) == ("bootstrap", seen.groups - 1)


@pytest.mark.parametrize("metric", ["log_loss", "average_precision", "f1"])
def test_the_error_does_not_depend_on_how_many_resamples_fit_in_memory(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, champion, challenger, group = models(5, "binary")
    promotion = PromotionParams(metric=metric, resamples=1000)
    whole = compare(y, champion, challenger, group, promotion)
    monkeypatch.setattr("incumbent.compare.bootstrap.CHUNK", 7 * len(y))
    pieces = compare(y, champion, challenger, group, promotion)
    assert pieces.difference.value == whole.difference.value
    assert pieces.standard_error == pytest.approx(whole.standard_error, rel=0.1)


def test_row_by_row_the_classes_keep_their_shares_and_by_groups_they_do_not() -> None:
    y, _, _, group = models(9, "binary")
    promotion = PromotionParams(metric="accuracy", resamples=300)
    # Naming the same class for all rows is right as often as that class occurs.
    alone, grouped = (estimate(y, np.zeros(len(y)), each, promotion) for each in (np.arange(len(y)), group))
    assert alone.value == grouped.value == pytest.approx(np.mean(y == 0))
    assert alone.high - alone.low < 1e-5
    assert grouped.high - grouped.low > 0.05


def all_metrics() -> list[object]:
    return [
        pytest.param(task, name, id=f"{name}, {task}")
        for name, seen in METRICS.items()
        for task in seen.tasks
    ]


@pytest.mark.parametrize(("task", "metric"), all_metrics())
def test_whatever_the_metric(task: str, metric: str) -> None:
    y, champion, challenger, group = models(6, task)
    promotion = PromotionParams(metric=metric, resamples=200)
    seen = compare(y, champion, challenger, group, promotion, seed=1)
    assert seen == compare(y, champion, challenger, group, promotion, seed=1)
    assert stored(Evidence(seen)).comparison == seen
    swapped = compare(y, challenger, champion, group, promotion, seed=1)
    assert swapped.gain.value == -seen.gain.value
    assert swapped.standard_error == pytest.approx(seen.standard_error, rel=1e-6)
    itself = compare(y, champion, champion, group, promotion)
    assert (itself.difference.value, itself.p_value, itself.standard_error) == (0.0, 1.0, 0.0)
    truth = y.astype(float) if task != "multiclass" else np.eye(3)[y]
    perfect = compare(y, champion, truth, group, promotion)
    assert perfect.gain.low > 0
    assert perfect.p_value < 0.001
    assert perfect.p_worse > 0.999


def test_another_seed_draws_other_resamples() -> None:
    rows = models(7, "binary")
    promotion = PromotionParams(metric="log_loss", resamples=2000)
    one, two = (compare(*rows, promotion, seed=seed) for seed in (1, 2))
    assert one.difference.value == two.difference.value
    assert one.standard_error != two.standard_error
    assert one.standard_error == pytest.approx(two.standard_error, rel=0.1)


def test_a_class_without_rows_is_left_out_of_an_average_over_classes() -> None:
    y, champion, challenger, group = models(8, "multiclass")
    rows = y != 1
    for metric, score in (
        ("roc_auc_macro", sk.roc_auc_score),
        ("average_precision_macro", sk.average_precision_score),
    ):
        promotion = PromotionParams(metric=metric, resamples=100)
        seen = compare(y[rows], champion[rows], challenger[rows], group[rows], promotion)
        present = [score(y[rows] == label, champion[rows][:, label]) for label in (0, 2)]
        assert seen.champion.value == pytest.approx(np.mean(present), abs=1e-9)
        assert seen.class_counts[1] == 0


@pytest.mark.parametrize(
    ("metric", "y", "prediction", "told"),
    [
        pytest.param("r2", [2.0, 2.0], [1.0, 2.0], "r2 has no meaning: the target is 2", id="constant"),
        pytest.param("mae", [2.0, np.nan], [1.0, 2.0], "target of rows to judge by is NaN", id="NaN"),
        pytest.param(
            "f1_macro", [2, 2], np.full((2, 3), 1 / 3), r"one class only \(class 2\)", id="one class"
        ),
        pytest.param(
            "f1_macro", [0, 3], np.full((2, 3), 1 / 3), "whole numbers from 0 to 2", id="unknown class"
        ),
        pytest.param("f1_macro", [0, 1], [0.1, 0.2], "needs a probability of each class", id="no classes"),
        pytest.param(
            "log_loss", [0, 1], [np.nan, 0.5], "1 of the model's 2 predictions are NaN", id="prediction NaN"
        ),
    ],
)
def test_what_a_metric_can_not_judge_is_refused(
    metric: str, y: list[float], prediction: list[float], told: str
) -> None:
    with pytest.raises(BadData, match=told):
        estimate(np.array(y), np.array(prediction), np.arange(2), PromotionParams(metric=metric))
