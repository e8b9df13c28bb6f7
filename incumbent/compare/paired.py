"""The verdict's figures: two models on the same rows, their difference, and how sure it is.

The ROC AUC's error is DeLong's, every other metric's is bootstrapped; both by groups. The interval is the
difference +- Student's t times the standard error. Percentiles of the
bootstrap would be narrower than they claim with few groups: they neither know that the error itself is
estimated from few nor correct its bias.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr, stdtrit

from incumbent.compare import delong
from incumbent.compare.bootstrap import point, sample_bootstrap, statistic
from incumbent.compare.observations import Observations, fitting, observe
from incumbent.compare.result import Comparison, Incomparable, Interval
from incumbent.compare.sampled import Sampled
from incumbent.compare.sufficiency import require_resampling, require_variation
from incumbent.errors import BadData, UnfitChallenger
from incumbent.params import METRICS, PromotionParams


def compare(
    y: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    groups: np.ndarray,
    promotion: PromotionParams,
    *,
    others: Sequence[np.ndarray] = (),
    seed: int = 0,
) -> Comparison:
    """Paired comparison by promotion.metric; the interval has promotion.confidence.

    y: (n,) of 0 and 1, of class codes 0..K-1, or of numbers. Predictions: (n,) probabilities of the positive
    class, (n, K) of the classes, or (n,) numbers. groups: (n,) any values; rows of one group (a day, a
    customer) resemble each other and count as one observation. seed: of the bootstrap.

    others: predictions of further challengers that differ in their seed only. A recipe's luck with its seed
    is no skill: the variance s^2 of the metric between all challengers is added to that of the rows, with the
    degrees of freedom of Welch and Satterthwaite. The estimate stays that of the challenger given, whose seed
    was fixed beforehand: the best of several would be biased upwards. What is asked is whether the recipe
    beats this champion, so the champion, a fixed model, adds no variance of its own seed.

    Raises BadData when the rows can't be judged (none, one class, fewer than two groups, too few to tell how
    the difference varies) or a prediction does not fit, and UnfitChallenger when a challenger predicts NaN or
    infinity.
    """
    observations = observe(y, groups, promotion.metric, champion)
    rivals = [fitting(champion, observations, "champion"), fitting(challenger, observations, "challenger")]
    first, second = _sample(observations, rivals, promotion, seed)
    values = [
        second.value,
        *(_value(observations, fitting(each, observations, "challenger"), promotion) for each in others),
    ]
    deviation = float(np.std(values, ddof=1)) if others else 0.0
    difference = second.minus(first)
    require_variation(difference, observations.groups, promotion.confidence)
    row_dof = _degrees_of_freedom(difference, observations, promotion.metric)
    error, dof = _with_seeds(difference.standard_error, row_dof, deviation, len(values))
    metric = METRICS[promotion.metric]
    return Comparison(
        metric=promotion.metric,
        champion=_interval(first, observations, promotion).within(*metric.bounds),
        challenger=_interval(second, observations, promotion, deviation, len(values)).within(*metric.bounds),
        difference=_interval(difference, observations, promotion, deviation, len(values)).within(
            *metric.bounds_of_a_difference
        ),
        p_value=_two_sided(difference.value, error, dof),
        rows=len(observations.y),
        groups=observations.groups,
        class_counts=observations.class_counts,
        method="delong" if promotion.metric in delong.METRICS else "bootstrap",
        standard_error=error,
        dof=dof,
        seed_deviation=deviation,
    )


def try_compare(
    y: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    groups: np.ndarray,
    promotion: PromotionParams,
    *,
    others: Sequence[np.ndarray] = (),
    seed: int = 0,
) -> Comparison | Incomparable:
    """The same, with what can't be compared as a value: a verdict needs its reason, not an exception."""
    try:
        return compare(y, champion, challenger, groups, promotion, others=others, seed=seed)
    except UnfitChallenger as unfit:
        return Incomparable(str(unfit), unfit=True)
    except BadData as reason:
        return Incomparable(str(reason))


def estimate(
    y: np.ndarray, prediction: np.ndarray, groups: np.ndarray, promotion: PromotionParams, *, seed: int = 0
) -> Interval:
    """promotion.metric of one model with its interval, by the same method. Raises as `compare`."""
    observations = observe(y, groups, promotion.metric, prediction)
    [sampled] = _sample(observations, [fitting(prediction, observations, "model")], promotion, seed)
    return _interval(sampled, observations, promotion).within(*METRICS[promotion.metric].bounds)


def score(y: np.ndarray, prediction: np.ndarray, promotion: PromotionParams) -> float:
    """promotion.metric of one model, every row counted once. Raises BadData as `compare`, but for groups."""
    observations = observe(y, np.arange(len(y)), promotion.metric, prediction)
    return _value(observations, fitting(prediction, observations, "model"), promotion)


def _sample(
    observations: Observations, predictions: Sequence[np.ndarray], promotion: PromotionParams, seed: int
) -> list[Sampled]:
    require_resampling(observations)
    metric = promotion.metric
    if metric in delong.METRICS:
        return [delong.sample_auc(observations, each, metric) for each in predictions]
    return sample_bootstrap(observations, predictions, metric, promotion.threshold, promotion.resamples, seed)


def _value(observations: Observations, prediction: np.ndarray, promotion: PromotionParams) -> float:
    if promotion.metric in delong.METRICS:
        return delong.sample_auc(observations, prediction, promotion.metric).value
    return point(observations, statistic(observations, prediction, promotion.metric, promotion.threshold))


def _degrees_of_freedom(sampled: Sampled, observations: Observations, metric: str) -> float:
    """Groups - 1; for the ROC AUC of rows that are their own groups, by Welch and Satterthwaite over the two
    classes: where the events are few, it is they that the error is estimated from."""
    squares = sampled.deviations**2
    if metric != "roc_auc" or observations.codes is not None or not squares.any():
        return observations.groups - 1.0
    parts = np.bincount(observations.y, squares, 2)
    return float(parts.sum() ** 2 / (parts**2 / np.maximum(np.array(observations.class_counts) - 1, 1)).sum())


def _with_seeds(row_error: float, row_dof: float, deviation: float, seeds: int) -> tuple[float, float]:
    """The standard error of rows and seeds together, and its degrees of freedom (Satterthwaite 1946)."""
    rows, drawn = row_error**2, deviation**2
    if drawn == 0:
        return row_error, float(row_dof)
    return float(np.sqrt(rows + drawn)), (rows + drawn) ** 2 / (rows**2 / row_dof + drawn**2 / (seeds - 1))


def _interval(
    sampled: Sampled,
    observations: Observations,
    promotion: PromotionParams,
    deviation: float = 0.0,
    seeds: int = 1,
) -> Interval:
    row_dof = _degrees_of_freedom(sampled, observations, promotion.metric)
    error, dof = _with_seeds(sampled.standard_error, row_dof, deviation, seeds)
    half = float(stdtrit(dof, 0.5 + promotion.confidence / 2)) * error
    return Interval(sampled.value, sampled.value - half, sampled.value + half)


def _two_sided(value: float, error: float, dof: float) -> float:
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(dof, -abs(value) / error))
