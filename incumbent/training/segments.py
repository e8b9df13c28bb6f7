"""Which segments deserve a correction of the model: each is tried on rows that it has not learned from.

The corrections learn from out-of-fold predictions, as the models that made them know as little of a row as
the final model knows of a new one. They are tried in folds of their own, which keep groups whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from incumbent.compare import Comparison, Incomparable, as_decisions, try_compare
from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.learners.correction import Correction, fit_correction, linked, unlinked
from incumbent.models.segments import Segments, Tried
from incumbent.params import Params
from incumbent.training.cross_validation import CrossValidated
from incumbent.training.folds import Split, judging_folds, over_folds

FALSE_DISCOVERIES = 0.1
"""Expected share of corrections that are no better, among those that serve (Benjamini and Hochberg 1995)."""

Sizes = Mapping[str | None, int]
"""Numbers of training rows by value; None: of those without one."""

RESAMPLES = 500
"""At most; they tell a standard error within 3 %, and every segment needs them once and for each fold."""


@dataclass(frozen=True)
class Candidate:
    """A value with enough training rows, and their number.

    at: (n,) numbers of its rows among the predicted ones; shift: (n,) or (n, classes), what a correction adds
    that has not learned from the row or its group; fold: (n,) the fold that held the row out, -1 for none.
    """

    value: str
    rows: int
    at: np.ndarray
    shift: np.ndarray
    fold: np.ndarray


def learn_segments(
    rows: Rows, sizes: Sizes, folds: CrossValidated, schema: Schema, params: Params
) -> tuple[Segments, np.ndarray]:
    """The segments that serve, and predictions of folds.rows by whoever would serve each: (seeds, n) or
    (seeds, n, classes).

    rows: encoded, with `segment`; those that folds.rows numbers; sizes: of all training rows. For the
    predictions of a fold, its rows do not choose the segments: so the choice makes them look no better than
    they are.
    """
    order = np.argsort(folds.rows, kind="stable")  # the scheme time-series goes by the order of rows
    held = rows.take(folds.rows[order])
    predicted = folds.predictions[:, order]
    trial = Trial(held, predicted[0], folds.output.threshold, schema, params)
    splits = _splits(held, params)
    candidates = trial.candidates(sizes, splits)
    tried = trial.judged(candidates)
    served = _serving(candidates, tried)
    corrections = over_folds(lambda each: trial.fit(each.at), served)
    segments = Segments(
        str(params.segments.by),
        params.segments.min_rows,
        sum(sizes.values()),
        tried,
        {each.value: correction for each, correction in zip(served, corrections, strict=True)},
    )
    corrected = predicted.copy()
    for number in range(len(splits)):
        for each in _serving(candidates, trial.judged(candidates, without=number)):
            inside = each.fold == number
            at = each.at[inside]
            shifted = linked(predicted[:, at].reshape(-1, *predicted.shape[2:]), schema.task)
            shifts = np.concatenate([each.shift[inside]] * len(predicted))
            corrected[:, at] = unlinked(shifted + shifts, schema.task).reshape(predicted[:, at].shape)
    return segments, corrected[:, np.argsort(order, kind="stable")]


def corrected_by(segments: Segments, rows: Rows, predictions: np.ndarray, schema: Schema) -> np.ndarray:
    """Predictions of new rows, (seeds, n) or (seeds, n, classes), with corrections made before they came."""
    values = _known(rows)
    return np.stack([segments.corrected(values, rows.X, each, schema.task) for each in predictions])


@dataclass(frozen=True)
class Trial:
    """held: rows that the model predicted out of fold; predicted: (n,) or (n, classes), of them."""

    held: Rows
    predicted: np.ndarray
    threshold: float | None
    schema: Schema
    params: Params

    def candidates(self, sizes: Sizes, splits: Sequence[Split]) -> list[Candidate]:
        """The values with enough training rows, in their order, each with its corrections' shifts."""
        fewest = self.params.segments.min_rows
        enough = sorted(value for value, rows in sizes.items() if value is not None and rows >= fewest)
        values = _known(self.held)

        def cross_fit(value: str) -> Candidate:
            at = np.flatnonzero(values == value)
            shift, fold = np.zeros((len(at), *self.predicted.shape[1:])), np.full(len(at), -1)
            for number, (fit, apart) in enumerate(splits):
                learned, tried = at[np.isin(at, fit)], np.isin(at, apart)
                if len(learned) and tried.any():
                    shift[tried] = self.fit(learned).shift(self.held.X[at[tried]])
                    fold[tried] = number
            return Candidate(value, sizes[value], at, shift, fold)

        return over_folds(cross_fit, enough)

    def fit(self, at: np.ndarray) -> Correction:
        """A correction that has learned from the rows with these numbers."""
        weights = None if self.held.weights is None else self.held.weights[at]
        X, y, predicted = self.held.X[at], self.held.y[at], self.predicted[at]
        return fit_correction(X, y, predicted, weights, self.schema, self.params.seed)

    def judged(self, candidates: Sequence[Candidate], without: int = -1) -> tuple[Tried, ...]:
        """Which of them serve, by all rows that a fold held out but those of the fold `without`."""
        results = over_folds(lambda each: self._compared(each, without), candidates)
        p_values = [1 - each.chance() for each in results if isinstance(each, Comparison)]
        q_values = iter(false_discovery_control(p_values) if p_values else ())
        tried = []
        for each, result in zip(candidates, results, strict=True):
            if isinstance(result, Comparison):
                q = float(next(q_values))
                tried.append(Tried(each.value, each.rows, result.gain.value, q, q <= FALSE_DISCOVERIES))
            else:
                tried.append(Tried(each.value, each.rows, None, None, False, result.reason))
        return tuple(tried)

    def _compared(self, each: Candidate, without: int) -> Comparison | Incomparable:
        judging = (each.fold >= 0) & (each.fold != without)
        at = each.at[judging]
        before = self.predicted[at]
        after = unlinked(linked(before, self.schema.task) + each.shift[judging], self.schema.task)
        promotion, seed = self.params.promotion, self.params.seed
        promotion = promotion.model_copy(update={"resamples": min(promotion.resamples, RESAMPLES)})
        before, after = (as_decisions(each, self.threshold, promotion) for each in (before, after))
        return try_compare(self.held.y[at], before, after, self.held.group[at], promotion, seed=seed)


def _splits(held: Rows, params: Params) -> list[Split]:
    """Other folds than those that the predictions come from."""
    scheme = "time-series" if params.search.scheme == "time-series" else "stratified"
    search = params.search.model_copy(update={"scheme": scheme})
    return judging_folds(held, search, params.seed + 1)


def _serving(candidates: Sequence[Candidate], tried: Sequence[Tried]) -> list[Candidate]:
    return [each for each, result in zip(candidates, tried, strict=True) if result.serves]


def _known(rows: Rows) -> np.ndarray:
    if rows.segment is None:
        raise ValueError("the rows were read without segments.by")
    return rows.segment
