"""The metric before labels come: how often its interval holds what labels show, and what it can't see."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, softmax

from incumbent.compare import Interval, score
from incumbent.errors import BadData
from incumbent.evaluation.simulated_labels import Unlabelled, estimate_unlabelled
from incumbent.models.reference import Reference
from incumbent.params import PromotionParams

Rows = tuple[np.ndarray, np.ndarray]
REPETITIONS = 25


def binary(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Rows:
    """Labels, and the probabilities that they were drawn from."""
    scores = expit(rng.normal(shift, 1.2, rows) - 0.5)
    return (rng.random(rows) < scores).astype(float), scores


def of_three_classes(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Rows:
    scores = softmax(rng.normal(size=(rows, 3)) * (1.5 + shift), axis=1)
    return (rng.random((rows, 1)) > scores.cumsum(axis=1)).sum(axis=1).astype(float), scores


def reference(y: np.ndarray, scores: np.ndarray, group: np.ndarray | None = None) -> Reference:
    return Reference(y, scores.astype(np.float32), np.arange(float(len(y))) if group is None else group)


def alone(scores: np.ndarray) -> Unlabelled:
    return Unlabelled(scores, np.arange(float(len(scores))))


def estimated(rows: Unlabelled, known: Reference, metric: str = "roc_auc") -> Interval:
    return estimate_unlabelled(rows, known, None, PromotionParams(metric=metric, resamples=100), seed=0)


def holds(interval: Interval, y: np.ndarray, scores: np.ndarray, metric: str) -> bool:
    return interval.low <= score(y, scores, PromotionParams(metric=metric)) <= interval.high


@pytest.mark.parametrize(
    ("draw", "metric"),
    [
        (binary, "roc_auc"),
        (binary, "log_loss"),
        (binary, "f1"),
        (of_three_classes, "log_loss"),
        (of_three_classes, "roc_auc_macro"),
    ],
)
def test_the_interval_holds_what_labels_show_as_often_as_it_says(
    draw: Callable[..., Rows], metric: str
) -> None:
    """Of rows that differ from those of the reference, with calibrated probabilities."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(REPETITIONS):
        known, (y, scores) = reference(*draw(rng, 1000)), draw(rng, 400, 0.3)
        held += holds(estimated(alone(scores), known, metric), y, scores, metric)
    assert held / REPETITIONS >= 0.85


def test_rows_of_a_day_err_together_and_the_interval_knows() -> None:
    """Without the days it would be far too narrow."""

    def days(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        day = np.repeat(np.arange(count), 50)
        odds = rng.normal(1.5, 0.5, len(day))
        y = rng.random(len(day)) < expit(odds + rng.normal(size=count)[day])
        return y.astype(float), expit(odds), day.astype(float)

    rng, held, held_without = np.random.default_rng(2), 0, 0
    for _ in range(REPETITIONS):
        (y, scores, day), (known_y, known_scores, known_day) = days(10), days(40)
        by_day = estimated(Unlabelled(scores, day), reference(known_y, known_scores, known_day), "accuracy")
        by_row = estimated(alone(scores), reference(known_y, known_scores), "accuracy")
        held += holds(by_day, y, scores, "accuracy")
        held_without += holds(by_row, y, scores, "accuracy")
    assert held / REPETITIONS >= 0.85 > 0.7 > held_without / REPETITIONS


def test_an_estimate_follows_other_rows_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(3)
    known, (y, scores) = reference(*binary(rng, 4000)), binary(rng, 2000)
    hard = np.abs(scores - 0.5) < 0.2
    before = estimated(alone(scores), known)
    after = estimated(alone(scores[hard]), known)
    assert after.high < before.low
    assert holds(after, y[hard], scores[hard], "roc_auc")
    assert after == estimated(alone(scores[hard]), known)


def test_an_estimate_is_blind_to_a_change_of_what_follows_from_the_rows() -> None:
    rng = np.random.default_rng(4)
    known, (y, scores) = reference(*binary(rng, 2000)), binary(rng, 1000)
    interval = estimated(alone(scores), known)
    assert holds(interval, y, scores, "roc_auc")
    assert interval.low > 0.7 > score(1 - y, scores, PromotionParams())


def test_scores_that_were_never_calibrated_are() -> None:
    rng = np.random.default_rng(5)
    (known_y, known), (y, scores) = binary(rng, 4000), binary(rng, 2000)
    squeezed = estimated(alone(scores**4), reference(known_y, known**4), "brier")
    assert holds(squeezed, y, scores**4, "brier")


def test_a_constant_score_tells_nothing_of_the_order() -> None:
    y, scores = binary(np.random.default_rng(6), 1000)
    constant = estimated(alone(np.full(500, 0.3)), reference(y, np.full_like(scores, 0.3)))
    assert (constant.low, constant.value, constant.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [([0.0] * 400, "one class only"), ([0.0] * 399 + [1.0], "hardly a row of a class is expected")],
)
def test_a_reference_without_events_tells_no_metric(labels: list[float], reason: str) -> None:
    scores = np.random.default_rng(7).random(400)
    with pytest.raises(BadData, match=reason):
        estimated(alone(scores), reference(np.array(labels), scores))
