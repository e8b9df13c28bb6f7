"""The stated rate: how often chance alone promotes a challenger, and the power beside it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from incumbent.compare import compare, compare_slices
from incumbent.compare.paired import try_compare
from incumbent.evaluation.decide import Evidence, Promote, Reject, decide
from incumbent.params import PromotionParams, SliceParams
from tests.effort import DEEP

STUDIES = 1000 if DEEP else 200
RATE = {Promote: 1 - 0.8, Reject: (1 - 0.95) / 2}

Study = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Simulation = Callable[[np.random.Generator, float], Study]


def within(rate: float, studies: int) -> tuple[float, float]:
    """Where an event of this rate is seen to happen, but for one simulation in a thousand."""
    low, high = binom.interval(0.999, studies, rate)
    return low / studies, high / studies


def by_days(rng: np.random.Generator, edge: float) -> Study:
    """Two scores on thirty days that differ; the challenger's noise is smaller by `edge`."""
    day = np.repeat(np.arange(30), 20)
    y = (rng.random(600) < 1 / (1 + np.exp(1 - rng.normal(size=30)[day]))).astype(int)
    noise = [rng.normal(size=600) + 0.5 * rng.normal(size=30)[day] for _ in range(2)]
    return y, y + noise[0], y + noise[1] * (1 - edge), day


def probabilities(rng: np.random.Generator, edge: float) -> Study:
    """Two probabilities, each row its own group."""
    y = (rng.random(400) < 0.35).astype(int)
    logits = [1.5 * y - 1.2 + scale * rng.normal(size=400) for scale in (1.0, 1.0 - edge)]
    return y, *(1 / (1 + np.exp(-each)) for each in logits), np.arange(400)


def numbers(rng: np.random.Generator, edge: float) -> Study:
    """Two estimates of a number, by customers who err alike."""
    customer = np.repeat(np.arange(40), 5)
    y = rng.normal(size=200)
    errors = [rng.normal(size=200) + 0.5 * rng.normal(size=40)[customer] for _ in range(2)]
    return y, y + errors[0], y + errors[1] * (1 - edge), customer


def verdicts(metric: str, simulate: Simulation, edge: float, studies: int) -> tuple[float, float]:
    """The shares of studies in which the challenger is promoted and rejected."""
    promotion = PromotionParams(metric=metric, resamples=300, margin=0.0)
    seen = [
        decide(
            Evidence(try_compare(*simulate(np.random.default_rng(study), edge), promotion)), promotion, "v1"
        )
        for study in range(studies)
    ]
    return tuple(sum(isinstance(each, kind) for each in seen) / studies for kind in (Promote, Reject))


@pytest.mark.parametrize(
    ("metric", "simulate", "edge", "least"),
    [
        pytest.param("roc_auc", by_days, 0.3, 0.75, id="roc_auc by days"),
        pytest.param("log_loss", probabilities, 0.3, 0.75, id="log_loss row by row"),
        pytest.param("average_precision", probabilities, 0.3, 0.6, id="ranked"),
        pytest.param("rmse", numbers, 0.3, 0.8, id="rmse by customers"),
    ],
)  # fmt: skip
def test_two_equal_models_are_told_apart_at_the_stated_rate(
    metric: str, simulate: Simulation, edge: float, least: float
) -> None:
    promoted, rejected = verdicts(metric, simulate, 0.0, STUDIES)
    power, _ = verdicts(metric, simulate, edge, 200)
    print(
        f"{metric}, {STUDIES} studies of equal models: promoted {promoted:.3f}, rejected {rejected:.3f}, "
        f"stated {RATE[Promote]:.3f} and {RATE[Reject]:.3f}; power at {edge:.0%} less noise {power:.2f}"
    )
    for share, kind in ((promoted, Promote), (rejected, Reject)):
        low, high = within(RATE[kind], STUDIES)
        assert low <= share <= high
    assert power > least


CAREFUL = 0.975


def recipe(rng: np.random.Generator, seeds: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """A champion, and challengers of one recipe: on average as skilled, each with the luck of its seed."""
    y = np.repeat([0, 1], 400)
    noise = rng.normal(size=800)
    return y, y + rng.normal(size=800), [luck * y + noise for luck in rng.normal(1.0, 0.12, seeds)]


def promotions_of_recipe(seeds: int, studies: int, edge: float = 0.0) -> float:
    promotion = PromotionParams(margin=0.0, probability=CAREFUL)
    count = 0
    for study in range(studies):
        y, champion, [first, *others] = recipe(np.random.default_rng(study), seeds)
        seen = compare(
            y, champion, first + edge * y, np.arange(800), promotion, others=[o + edge * y for o in others]
        )
        count += isinstance(decide(Evidence(seen), promotion, "v1"), Promote)
    return count / studies


def test_a_lucky_seed_takes_office_unless_several_are_looked_at() -> None:
    studies = max(STUDIES, 400)  # fewer can't tell this luck from the stated rate
    high = within(1 - CAREFUL, studies)[1]
    single, several = promotions_of_recipe(1, studies), promotions_of_recipe(5, studies)
    power = promotions_of_recipe(5, 200, edge=0.6)
    print(
        f"a recipe as good as the champion is promoted: 1 seed {single:.3f}, 5 seeds {several:.3f}, "
        f"stated {1 - CAREFUL:.3f}; power of 5 seeds at a real gain {power:.2f}"
    )
    assert single > high
    assert several <= high
    assert power > 0.6


def test_other_seeds_widen_the_interval_around_the_same_challenger() -> None:
    y, champion, [first, *others] = recipe(np.random.default_rng(0), 4)
    one = compare(y, champion, first, np.arange(800), PromotionParams())
    four = compare(y, champion, first, np.arange(800), PromotionParams(), others=others)
    values = [
        compare(y, champion, each, np.arange(800), PromotionParams()).challenger.value
        for each in (first, *others)
    ]
    assert (one.seed_deviation, four.seed_deviation) == (0.0, pytest.approx(np.std(values, ddof=1)))
    assert four.difference.value == one.difference.value
    assert four.champion == one.champion
    assert four.challenger.low < one.challenger.low < one.challenger.high < four.challenger.high
    rows, seeds = one.standard_error**2, four.seed_deviation**2
    assert four.standard_error**2 == pytest.approx(rows + seeds)
    assert four.dof == pytest.approx((rows + seeds) ** 2 / (rows**2 / one.dof + seeds**2 / 3))


def test_seeds_that_agree_change_nothing() -> None:
    y, champion, [first] = recipe(np.random.default_rng(1), 1)
    alone = compare(y, champion, first, np.arange(800), PromotionParams())
    assert compare(y, champion, first, np.arange(800), PromotionParams(), others=[first, first]) == alone


def test_seven_slices_of_equal_models_are_called_worse_as_seldom_as_one() -> None:
    promotion = PromotionParams(slices=SliceParams(columns=["region", "channel"], min_rows=50))
    wrong = uncorrected = 0
    for study in range(STUDIES):
        rng = np.random.default_rng(study)
        y, champion, challenger, day = by_days(rng, 0.0)
        columns = pd.DataFrame({"region": rng.integers(0, 4, 600), "channel": rng.choice(list("abc"), 600)})
        slices = compare_slices(y, champion, challenger, day, columns, promotion)
        wrong += any(each.worse for each in slices)
        uncorrected += any(each.comparison.p_worse < 0.05 for each in slices if each.comparison)
    print(
        f"any slice called worse: {wrong / STUDIES:.3f}, stated 0.05; uncorrected {uncorrected / STUDIES:.3f}"
    )
    high = within(0.05, STUDIES)[1]
    assert wrong / STUDIES <= high
    assert uncorrected / STUDIES > 2 * high
