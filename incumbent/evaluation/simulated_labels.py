"""How good is a model on rows that have no label yet? Labels are simulated, and scored as real ones would be.

For classes by confidence-based performance estimation (CBPE): a label is drawn from the probability that
isotonic regression finds in the version's reference rows. For numbers by direct loss estimation (DLE): the
prediction misses by an error drawn from the reference rows, in units of the error expected of the row.

Both take for granted that labels still follow from predictions as they did on the reference rows. A change of
that they can't see.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from incumbent.compare import Interval, as_decisions, estimate, score
from incumbent.errors import BadData
from incumbent.evaluation.watch import equal_groups
from incumbent.models.calibration import Output, learn_curves
from incumbent.models.reference import Reference
from incumbent.params import METRICS, PromotionParams

SAMPLES = 40
"""Samples of the reference rows, by groups: each gives another calibration."""

DRAWS = 5
"""Labels that are drawn for all rows by each of the calibrations."""

MOST = 20_000
"""Rows that get labels; of more, every second, third and so on."""

RESAMPLES = 200
"""Of the bootstrap that compares two standard errors."""


@dataclass(frozen=True)
class Unlabelled:
    """Predictions without a label: scores, (n,) or (n, classes); group: (n,) their groups; expected_error:
    (n,), in a regression."""

    scores: np.ndarray
    group: np.ndarray
    expected_error: np.ndarray | None = None

    def thinned(self) -> "Unlabelled":
        step = -(-len(self.scores) // MOST) or 1
        expected = self.expected_error
        return Unlabelled(self.scores[::step], self.group, None if expected is None else expected[::step])


def estimate_unlabelled(
    rows: Unlabelled, reference: Reference, threshold: float | None, promotion: PromotionParams, seed: int
) -> Interval:
    """promotion.metric that the rows will have once they are labelled; the interval, of promotion.confidence,
    holds what chance adds by their labels, and by the choice of the reference rows.

    threshold: the model's own. The metric of the reference rows' real labels less that of simulated ones is
    added, as calibration is never perfect. Raises BadData where the reference rows can't tell the metric, as
    with one class or one group, or where simulated labels mostly have one class.
    """

    def scored(y: np.ndarray, scores: np.ndarray) -> float:
        try:
            return score(y, as_decisions(scores, threshold, promotion), promotion)
        except BadData:  # one class only
            return np.nan

    inflation = _design_effect(rows.group, reference, threshold, promotion, seed)
    few, rng = rows.thinned(), np.random.default_rng(seed)
    real, drawn, past = np.empty(SAMPLES), np.empty((SAMPLES, DRAWS)), np.empty((SAMPLES, DRAWS))
    for number, sample in enumerate(_samples(reference, rng)):
        draw = _simulator(sample, rng)
        real[number] = scored(sample.y, sample.predictions)
        drawn[number] = [scored(draw(few), few.scores) for _ in range(DRAWS)]
        past[number] = [scored(draw(_as_rows(sample)), sample.predictions) for _ in range(DRAWS)]
    usable = np.isfinite(real + drawn.sum(axis=1) + past.sum(axis=1))
    if usable.sum() < SAMPLES / 2:
        raise BadData("simulated labels seldom tell the metric, as where hardly a row of a class is expected")
    real, drawn, past = real[usable], drawn[usable], past[usable]
    values = real + drawn.mean(axis=1) - past.mean(axis=1)
    of_labels, of_past = (each.var(axis=1, ddof=1).mean() for each in (drawn, past))
    of_samples = max(0.0, values.var(ddof=1) - (of_labels + of_past) / DRAWS)
    variance = of_samples + of_labels * inflation * len(few.scores) / len(rows.scores)
    value, half = float(values.mean()), float(ndtri(0.5 + promotion.confidence / 2) * np.sqrt(variance))
    return Interval(value, value - half, value + half).within(*METRICS[promotion.metric].bounds)


def _simulator(sample: Reference, rng: np.random.Generator) -> Callable[[Unlabelled], np.ndarray]:
    """Draws a label for each row, as the sample teaches."""
    if sample.expected_error is not None:
        errors = (sample.y - sample.predictions) / sample.expected_error
        return lambda rows: rows.scores + rows.expected_error * rng.choice(errors, len(rows.scores))
    scores = sample.predictions.astype(np.float64)
    output = Output(learn_curves(sample.y.astype(np.intp), scores, "isotonic"))

    def draw(rows: Unlabelled) -> np.ndarray:
        probabilities = output.apply(rows.scores)
        if probabilities.ndim == 1:
            return (rng.random(len(probabilities)) < probabilities).astype(np.intp)
        reached = probabilities.cumsum(axis=1)[:, :-1]
        return (rng.random((len(reached), 1)) >= reached).sum(axis=1)

    return draw


def _as_rows(reference: Reference) -> Unlabelled:
    return Unlabelled(reference.predictions.astype(np.float64), reference.group, reference.expected_error)


def _samples(reference: Reference, rng: np.random.Generator) -> Iterator[Reference]:
    """Samples of as many groups, with replacement: the bootstrap."""
    _, codes, counts = np.unique(reference.group, return_inverse=True, return_counts=True)
    by_group, ends = np.argsort(codes, kind="stable"), np.cumsum(counts)
    for _ in range(SAMPLES):
        drawn = rng.integers(0, len(counts), len(counts))
        sizes = counts[drawn]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield reference.take(by_group[np.repeat(ends[drawn] - sizes, sizes) + within])


def _design_effect(
    group: np.ndarray, reference: Reference, threshold: float | None, promotion: PromotionParams, seed: int
) -> float:
    """How many times the variance of independent rows the metric has on rows of these groups (Kish 1965).

    Labels of one group, a day say, err together. How much is seen on the reference rows, where the metric's
    error by groups is compared with that by rows. Never below 1.
    """
    quick = promotion.model_copy(update={"resamples": RESAMPLES})
    y, scores = reference.y, as_decisions(reference.predictions.astype(np.float64), threshold, promotion)
    rows = np.arange(len(y))
    by_group, by_row = (
        estimate(y, scores, each, quick, seed=seed).half_width for each in (reference.group, rows)
    )
    theirs, here = _rows_a_group(reference.group), _rows_a_group(group)
    if by_row == 0 or theirs <= 1:
        return 1.0
    together = max(0.0, ((by_group / by_row) ** 2 - 1) / (theirs - 1))
    return 1 + together * (here - 1)


def _rows_a_group(group: np.ndarray) -> float:
    """Of the group that a row is in, on average over rows."""
    counts = np.unique(group, return_counts=True)[1]
    return float(counts.sum() / equal_groups(counts))
