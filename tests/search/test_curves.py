"""When a fold stops, and when a trial is given up: on curves drawn by hand, without a learner."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.learners import Point
from incumbent.search.curves import Curves, race, stop_early
from tests.building import fewer_examples

# Of the best trial so far: five folds that rise, and fall from the fifth step on.
BEST = Curves(
    np.arange(10, 80, 10),
    np.array([[0.6, 0.7, 0.75, 0.77, 0.78, 0.77, 0.76]]) + np.linspace(-0.02, 0.02, 5)[:, None],
)


class Spy:
    """Grows curves that are given, and counts the steps that were taken."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores, self.steps = scores, [0] * len(scores)

    def __call__(self, fold: int) -> Iterator[Point]:
        for number, score in enumerate(self._scores[fold], start=1):
            self.steps[fold] += 1
            yield Point(10 * number, float(score))


def raced(
    scores: Sequence[Sequence[float]] | np.ndarray, best: Curves | None = None
) -> tuple[Curves, float | None, list[int]]:
    """What `race` says of these curves, and how many steps each fold took."""
    spy = Spy(np.array(scores))
    curves, estimate = race(spy, range(len(spy.steps)), 20, best)
    return curves, estimate, spy.steps


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        pytest.param([1, 2, 3], Point(30, 3), id="rises to the end"),
        pytest.param([1, 2, 1.5, 1.6, 9], Point(20, 2), id="patience is spent"),
        pytest.param([1, 2, 1.5, 3, 2.5], Point(40, 3), id="recovers in time"),
        pytest.param([-5], Point(10, -5), id="one point"),
    ],
)
def test_a_curve_is_followed_until_its_patience_is_spent(scores: list[float], best: Point) -> None:
    assert stop_early((Point(10 * n, s) for n, s in enumerate(scores, start=1)), 20) == best


def test_all_folds_of_a_first_trial_are_seen_for_as_many_rounds_as_the_first_two_took() -> None:
    first = [0.5, 0.7, 0.6, 0.6, 0.9]
    curves, estimate, steps = raced([first, first, *([[0.1, 0.2, 0.3, 0.4, 0.5]] * 3)])
    assert estimate is None
    assert steps == [4] * 5
    assert curves.scores.shape == (5, 4)


def test_the_rounds_of_a_trial_are_where_the_mean_is_best_not_its_folds() -> None:
    curves, _, _ = raced([[0.5, 0.9, 0.6, 0.6], [0.5, 0.5, 0.9, 0.5]])
    assert (curves.rounds[curves.peak], curves.mean[curves.peak]) == (30, 0.75)


def test_a_hopeless_trial_ends_at_the_first_step_of_two_folds() -> None:
    curves, estimate, steps = raced(BEST.scores - 0.3, BEST)
    assert steps == [1, 1, 0, 0, 0]
    assert estimate == pytest.approx(0.78 - 0.3)
    assert curves.scores.shape == (2, 1)


def test_a_trial_a_little_behind_ends_when_the_best_has_not_as_much_to_rise() -> None:
    _, estimate, steps = raced(BEST.scores - 0.02, BEST)
    assert estimate == pytest.approx(0.76)
    assert steps == [4, 4, 0, 0, 0]  # 0.02 behind, when the best had 0.01 to go


def test_an_easy_fold_makes_no_trial_look_good() -> None:
    """The second fold of the best is easier for all; only the difference on the same folds counts."""
    easier = Curves(BEST.rounds, BEST.scores + np.array([0, 0.2, 0, 0, 0])[:, None])
    assert raced(easier.scores - 0.3, easier)[2] == [1, 1, 0, 0, 0]


def test_a_trial_that_is_worse_on_the_other_folds_is_given_up_there() -> None:
    scores = BEST.scores + np.array([0.01, 0.01, -0.4, -0.4, -0.4])[:, None]
    _, estimate, steps = raced(scores, BEST)
    assert estimate is not None
    assert steps[0] == len(BEST.rounds)
    assert max(steps[2:]) == 1


def test_a_better_trial_and_one_that_rises_later_are_seen_to_the_end() -> None:
    assert raced(BEST.scores + 0.001, BEST)[1] is None
    late = np.maximum(BEST.scores - [0.02, 0.02, 0.01, 0, -0.03, -0.04, -0.05], 0)
    assert raced(late, BEST)[1] is None


def test_a_slow_learner_that_catches_up_is_seen_to_the_end() -> None:
    """It is behind by more than the best had still to rise, but it makes good faster than it falls short."""
    behind = [0.16, 0.1, 0.05, 0.03, 0.01, -0.01, -0.02]
    _, estimate, steps = raced(BEST.scores - behind, BEST)
    assert (estimate, steps) == (None, [7] * 5)
    assert raced(BEST.scores - np.minimum(behind[2], behind), BEST)[1] is not None  # it stays where it was


@fewer_examples
@given(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=5, max_size=5))
def test_only_what_was_worse_is_given_up_and_its_estimate_is_below_the_best(
    scores: list[list[float]],
) -> None:
    curves, estimate, steps = raced(scores, BEST)
    assert curves.scores.shape[1] == min(taken for taken in steps if taken)
    if estimate is None:
        assert len(set(steps)) == 1
        return
    assert estimate < BEST.mean.max()
    at = min(len(curves.rounds), len(BEST.rounds)) - 1
    assert curves.scores[:, -1].mean() < BEST.scores[: len(curves.scores), at].mean()


@fewer_examples
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6), st.sampled_from([0.001, 1.0, 1000.0]))
def test_what_is_given_up_does_not_depend_on_the_metrics_unit(scores: list[float], unit: float) -> None:
    trial = BEST.scores[:, :6] + (np.array(scores) - 0.5) / 8
    scaled = Curves(BEST.rounds, BEST.scores * unit)
    assert raced(trial * unit, scaled)[2] == raced(trial, BEST)[2]


def test_an_interrupt_waits_for_no_fold() -> None:
    class Told(BaseException):
        pass

    def grow(fold: int) -> Iterator[Point]:
        if fold:
            time.sleep(1)
            yield Point(1, 0.0)
        raise Told

    began = time.monotonic()
    with pytest.raises(Told):
        race(grow, range(2), 20, None)
    assert time.monotonic() - began < 0.5


def test_the_document_of_curves_loses_nothing() -> None:
    again = Curves.from_json(BEST.to_json())
    assert np.array_equal(again.scores, BEST.scores)
    assert np.array_equal(again.rounds, BEST.rounds)
