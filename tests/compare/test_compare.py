"""The paired test of ROC AUC, against independent calculations and against the truth."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score

from incumbent.compare import Comparison, Incomparable, Interval, compare, estimate
from incumbent.compare.delong import sample_auc
from incumbent.compare.observations import observe
from incumbent.compare.paired import try_compare
from incumbent.errors import BadData, UnfitChallenger
from incumbent.evaluation.decide import Evidence
from incumbent.params import PromotionParams
from tests.building import fewer_examples, stored

LEVEL = 0.95

# A few rows with many ties: (label, champion's score, challenger's score, group).
SMALL = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 5)),
    min_size=4,
    max_size=60,
)


def compare_auc(
    y: np.ndarray, champion: np.ndarray, challenger: np.ndarray, groups: np.ndarray, confidence: float
) -> Comparison:
    return compare(y, champion, challenger, groups, PromotionParams(confidence=confidence))


def auc_interval(y: np.ndarray, score: np.ndarray, groups: np.ndarray, confidence: float) -> Interval:
    return estimate(y, score, groups, PromotionParams(confidence=confidence))


def judged(rows: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The columns of `rows`, skipping examples that can't be compared."""
    y, champion, challenger, groups = np.array(rows).T
    assume(0 < y.sum() < len(y) and len(set(groups)) > 1)
    models = champion.astype(float), challenger.astype(float)
    comparison = try_compare(y, *models, groups, PromotionParams(confidence=0.9999))
    assume(isinstance(comparison, Comparison))  # a difference without error takes a few groups more
    return y, *models, groups


def clustered(
    seed: int, days: int = 40, per_day: int = 30, day_effect: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Days that differ in their share of positives and in how two equally good models see them."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    rate = 1 / (1 + np.exp(1.0 - 1.5 * day_effect * rng.normal(size=days)))
    y = (rng.random(len(day)) < rate[day]).astype(int)
    scores = [y + rng.normal(size=len(y)) + day_effect * rng.normal(size=days)[day] for _ in range(2)]
    return y, scores[0], scores[1], day


def standard_error(interval: Interval, groups: int) -> float:
    """What the interval's width says of the standard error, by Student's t with groups - 1."""
    return (interval.high - interval.low) / 2 / float(t.ppf(0.5 + LEVEL / 2, groups - 1))


def delong(y: np.ndarray, scores: list[np.ndarray]) -> np.ndarray:
    """DeLong's covariance of AUCs as published (1988), pair by pair: shape (models, models).

    The n - 1 of its two sample covariances is left as n: the code corrects once, for all groups.
    """
    over_positives, over_negatives = [], []
    for score in scores:
        positive, negative = score[y == 1][:, None], score[y == 0][None, :]
        wins = (positive > negative) + 0.5 * (positive == negative)
        over_positives.append(wins.mean(axis=1))
        over_negatives.append(wins.mean(axis=0))
    return (
        np.cov(over_positives, bias=True) / (y == 1).sum()
        + np.cov(over_negatives, bias=True) / (y == 0).sum()
    )


def as_numbers(seen: Comparison) -> list[float]:
    intervals = (seen.champion, seen.challenger, seen.difference)
    return [number for each in intervals for number in (each.value, each.low, each.high)] + [seen.p_value]


@given(SMALL)
def test_the_auc_is_scikit_learns_ties_included(rows: list[tuple[int, int, int, int]]) -> None:
    y, champion, challenger, groups = judged(rows)
    seen = compare_auc(y, champion, challenger, groups, LEVEL)
    assert seen.champion.value == pytest.approx(roc_auc_score(y, champion), abs=1e-12)
    assert seen.challenger.value == pytest.approx(roc_auc_score(y, challenger), abs=1e-12)
    assert seen.difference.value == pytest.approx(seen.challenger.value - seen.champion.value, abs=1e-12)
    assert (seen.rows, seen.groups, seen.method) == (len(y), len(set(groups)), "delong")
    assert seen.class_counts == (len(y) - y.sum(), y.sum())


@given(SMALL)
def test_with_every_row_a_group_the_variance_is_delongs(rows: list[tuple[int, int, int, int]]) -> None:
    y, champion, challenger, _ = judged(rows)
    count = len(y)
    covariance = delong(y, [champion, challenger]) * count / (count - 1)
    seen = compare_auc(y, champion, challenger, np.arange(count), LEVEL)
    difference = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert seen.standard_error**2 == pytest.approx(difference, abs=1e-12)
    observations = observe(y, np.arange(count), "roc_auc", champion)
    for scores, variance in ((champion, covariance[0, 0]), (challenger, covariance[1, 1])):
        alone = sample_auc(observations, scores.astype(float), "roc_auc")
        assert alone.standard_error**2 == pytest.approx(variance, abs=1e-12)


def test_of_few_events_the_error_is_estimated_from_the_events() -> None:
    rng = np.random.default_rng(0)
    y = np.r_[np.ones(4), np.zeros(400)].astype(int)
    champion, challenger = (y + rng.normal(size=404) for _ in range(2))
    few = compare(y, champion, challenger, np.arange(404), PromotionParams())
    assert 3 <= few.dof < 6
    many = np.repeat([0, 1], 400)
    scores = [many + rng.normal(size=800) for _ in range(2)]
    assert compare(many, *scores, np.arange(800), PromotionParams()).dof > 700


def test_on_many_rows_the_published_delong_differs_by_a_thousandth_only() -> None:
    y, champion, _, _ = clustered(0, day_effect=0)
    positive, negative = int(y.sum()), int((1 - y).sum())
    wins = (champion[y == 1][:, None] > champion[y == 0][None, :]).astype(float)
    published = wins.mean(axis=1).var(ddof=1) / positive + wins.mean(axis=0).var(ddof=1) / negative
    seen = auc_interval(y, champion, np.arange(len(y)), LEVEL)
    assert standard_error(seen, len(y)) == pytest.approx(np.sqrt(published), rel=2e-3)


@pytest.mark.parametrize("day_effect", [0.0, 1.0])
def test_the_standard_error_is_that_of_leaving_out_a_day_at_a_time(day_effect: float) -> None:
    y, champion, challenger, day = clustered(1, days=60, day_effect=day_effect)
    seen = compare_auc(y, champion, challenger, day, LEVEL)
    left_out = np.array(
        [
            [roc_auc_score(y[day != each], score[day != each]) for score in (champion, challenger)]
            for each in range(60)
        ]
    )
    statistics = np.column_stack([left_out, left_out[:, 1] - left_out[:, 0]])
    jackknife = np.sqrt(59 / 60 * ((statistics - statistics.mean(axis=0)) ** 2).sum(axis=0))
    ours = [standard_error(each, 60) for each in (seen.champion, seen.challenger, seen.difference)]
    assert ours == pytest.approx(jackknife, rel=0.05)


@pytest.mark.parametrize("by_day", [False, True])
def test_the_standard_error_is_that_of_ten_thousand_bootstraps_of_all_pairs(by_day: bool) -> None:
    y, champion, challenger, day = clustered(11, days=80, per_day=6)
    groups = day if by_day else np.arange(len(y))
    count = groups.max() + 1
    gains = np.zeros(10_000)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), len(gains))[:, groups]
    of_positives, of_negatives = drawn[:, y == 1].astype(float), drawn[:, y == 0].astype(float)
    for sign, score in ((1, challenger), (-1, champion)):
        wins = (score[y == 1][:, None] > score[y == 0][None, :]).astype(float)
        gains += sign * np.einsum("bn,bn->b", of_positives @ wins, of_negatives)
    gains /= of_positives.sum(axis=1) * of_negatives.sum(axis=1)
    seen = compare_auc(y, champion, challenger, groups, LEVEL)
    assert seen.standard_error == pytest.approx(np.std(gains, ddof=1), rel=0.05)


def test_copies_of_rows_within_their_group_tell_nothing_new() -> None:
    rows = clustered(3)
    once = compare_auc(*rows, LEVEL)
    copies = [np.repeat(column, 3) for column in rows]
    assert as_numbers(compare_auc(*copies, LEVEL)) == pytest.approx(as_numbers(once), abs=1e-12)
    # Taken for independent rows, they would have narrowed the interval to a fraction.
    alone = compare_auc(*rows[:3], np.arange(len(rows[0])), LEVEL)
    taken_for_new = compare_auc(*copies[:3], np.arange(len(copies[0])), LEVEL)
    widths = [each.difference.high - each.difference.low for each in (taken_for_new, alone)]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(1 / 3), rel=0.01)


@given(SMALL)
def test_exchanging_the_models_negates_the_difference(rows: list[tuple[int, int, int, int]]) -> None:
    y, champion, challenger, groups = judged(rows)
    seen = compare_auc(y, champion, challenger, groups, LEVEL)
    swapped = compare_auc(y, challenger, champion, groups, LEVEL)
    gain = seen.difference
    assert swapped == replace(
        seen,
        champion=seen.challenger,
        challenger=seen.champion,
        difference=Interval(-gain.value, -gain.high, -gain.low),
    )


@fewer_examples
@given(SMALL, st.sampled_from([lambda s: 2 * s + 7, lambda s: s**3, np.exp, np.arctan, lambda s: s / 1e9]))
def test_only_the_order_of_the_scores_counts(
    rows: list[tuple[int, int, int, int]], rising: Callable[[np.ndarray], np.ndarray]
) -> None:
    y, champion, challenger, groups = judged(rows)
    plain = compare_auc(y, champion, challenger, groups, LEVEL)
    assert compare_auc(y, rising(champion), challenger, groups, LEVEL) == plain
    assert compare_auc(y, champion, rising(challenger), groups, LEVEL) == plain


@fewer_examples
@given(SMALL, st.randoms())
def test_neither_the_order_of_the_rows_nor_the_names_of_the_groups_count(
    rows: list[tuple[int, int, int, int]], random
) -> None:
    seen = compare_auc(*judged(rows), LEVEL)
    y, champion, challenger, groups = judged(random.sample(rows, len(rows)))
    renamed = np.array([f"day {9 - group}" for group in groups])
    assert as_numbers(compare_auc(y, champion, challenger, renamed, LEVEL)) == pytest.approx(
        as_numbers(seen), abs=1e-9
    )


@given(SMALL, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_p_value_is_small_exactly_when_the_interval_excludes_zero(
    rows: list[tuple[int, int, int, int]], confidence: float
) -> None:
    seen = compare_auc(*judged(rows), confidence)
    assume(abs(seen.difference.low) > 1e-9 and abs(seen.difference.high) > 1e-9)
    excluded = seen.difference.low > 0 or seen.difference.high < 0
    assert (seen.p_value < 1 - confidence) == excluded
    assert 0 <= seen.p_value <= 1


def test_more_confidence_widens_the_interval_around_the_same_value() -> None:
    narrow, wide = (compare_auc(*clustered(4), level).difference for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.value == wide.value < narrow.high < wide.high


def test_two_groups_are_judged_with_one_degree_of_freedom() -> None:
    y, champion, challenger, day = clustered(5, days=2, per_day=300)
    seen = compare_auc(y, champion, challenger, day, LEVEL)
    half = (seen.difference.high - seen.difference.low) / 2
    # Student's t of one degree: 12.7 standard errors, where the normal distribution has 1.96.
    assert half / standard_error(seen.difference, 2) == pytest.approx(12.706, abs=1e-3)


def test_a_model_does_not_differ_from_itself() -> None:
    y, champion, _, day = clustered(6)
    seen = compare_auc(y, champion, champion, day, LEVEL)
    assert seen.difference == Interval(0.0, 0.0, 0.0)
    assert seen.p_value == 1.0


def test_a_constant_score_is_worth_one_half_without_doubt() -> None:
    y, _, challenger, day = clustered(7)
    seen = compare_auc(y, np.zeros(len(y)), challenger, day, LEVEL)
    assert seen.champion == Interval(0.5, 0.5, 0.5)
    assert seen.difference.value == pytest.approx(seen.challenger.value - 0.5)
    assert seen.p_value < 0.001


def test_a_perfect_score_against_a_constant_one_has_no_p_value_above_zero() -> None:
    y, _, _, day = clustered(8)
    seen = compare_auc(y, np.zeros(len(y)), y.astype(float), day, LEVEL)
    assert seen.difference == Interval(0.5, 0.5, 0.5)
    assert seen.p_value == 0.0


@pytest.mark.parametrize(
    ("y", "groups", "told"),
    [
        pytest.param([1, 1, 1], [0, 1, 2], r"one class only \(3 positive, 0 negative\)", id="all positive"),
        pytest.param([0, 0], [0, 1], r"one class only \(0 positive, 2 negative\)", id="all negative"),
        pytest.param([], [], r"no rows to judge by", id="no rows"),
        pytest.param([0, 1, 2], [0, 1, 2], r"whole numbers from 0 to 1", id="a third class"),
        pytest.param([0, 1, 1], [0, 1], r"3 rows .* groups of the shape \(2,\)", id="groups of other rows"),
        pytest.param(
            [0, 1, 1], [4, 4, 4], r"1 group\(s\) of split\.by; later arrivals add groups", id="a group"
        ),
    ],
)
def test_what_can_not_be_judged_is_refused(y: list[int], groups: list[int], told: str) -> None:
    labels, score = np.array(y), np.arange(len(y), dtype=float)
    with pytest.raises(BadData, match=told):
        compare_auc(labels, score, score, np.array(groups), LEVEL)


@pytest.mark.parametrize(
    ("champion", "challenger", "told", "unfit"),
    [
        pytest.param([0.1, 0.2, np.nan], [0.1] * 3, "1 of the champion's 3", False, id="champion NaN"),
        pytest.param([0.1] * 3, [0.1, -np.inf, np.nan], "2 of the challenger's 3", True, id="challenger"),
        pytest.param(
            [0.1] * 3, [0.1] * 2, r"challenger's predictions have the shape \(2,\)", False, id="few"
        ),
        pytest.param([0.1] * 3, [[0.1] * 3], r"shape \(1, 3\); expected \(3,\)", False, id="a table"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(
    champion: list[float], challenger: list[float], told: str, unfit: bool
) -> None:
    arguments = (
        np.array([0, 1, 1]),
        np.array(champion),
        np.array(challenger),
        np.arange(3),
        PromotionParams(),
    )
    with pytest.raises(UnfitChallenger if unfit else BadData, match=told) as refused:
        compare(*arguments)
    assert try_compare(*arguments) == Incomparable(str(refused.value), unfit)


def test_a_single_scores_interval_is_the_same_as_in_a_comparison() -> None:
    y, champion, challenger, day = clustered(9)
    both = compare_auc(y, champion, challenger, day, LEVEL)
    assert auc_interval(y, champion, day, LEVEL) == both.champion
    assert auc_interval(y, challenger, day, LEVEL) == both.challenger


def test_a_comparison_survives_its_document() -> None:
    seen = compare_auc(*clustered(10), LEVEL)
    assert stored(Evidence(seen)).comparison == seen


def coverage(day_effect: float, days: int, studies: int) -> tuple[float, float]:
    """How often 95 % intervals of two equally good models hold their true difference, which is zero.

    By days, and as if every row were a day of its own.
    """
    hits = np.zeros(2)
    for seed in range(studies):
        y, champion, challenger, day = clustered(1000 + seed, days, day_effect=day_effect)
        for position, groups in enumerate((day, np.arange(len(y)))):
            seen = compare_auc(y, champion, challenger, groups, LEVEL).difference
            hits[position] += seen.low <= 0 <= seen.high
    return float(hits[0] / studies), float(hits[1] / studies)


def test_rows_that_share_a_day_need_the_grouped_interval() -> None:
    grouped, ungrouped = coverage(day_effect=1.0, days=30, studies=300)
    assert grouped > 0.91
    assert ungrouped < grouped - 0.15


def test_few_days_are_still_covered() -> None:
    grouped, _ = coverage(day_effect=1.0, days=8, studies=300)
    assert grouped > 0.9


def test_independent_rows_are_covered_either_way() -> None:
    grouped, ungrouped = coverage(day_effect=0.0, days=30, studies=300)
    deviation = np.sqrt(LEVEL * (1 - LEVEL) / 300) * norm.ppf(0.9995)
    assert abs(grouped - LEVEL) < deviation
    assert abs(ungrouped - LEVEL) < deviation
