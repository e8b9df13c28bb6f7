"""Choose how much history a full training reads: compare models of more and of less on the latest data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from incumbent.compare import Comparison, try_compare
from incumbent.features.choosing_rows import choosing_rows
from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.learners import Learner, Point, open_learner
from incumbent.params import Params
from incumbent.params.training import SEARCH_ROWS
from incumbent.search.curves import stop_early
from incumbent.training.gap import purged, times_of
from incumbent.training.training_sets import Fold, make_folds

T = TypeVar("T")
LEAST_ROWS, LEAST_GROUPS = 200, 5


@dataclass(frozen=True)
class Window:
    """`partitions`: number of the latest ones, None for all history; half_life: age in partitions at which a
    row's weight halves, None for equal weights; `reason`: why, with its figures."""

    partitions: int | None = None
    half_life: float | None = None
    reason: str = "all history"

    @property
    def words(self) -> str:
        if self.half_life is not None:
            return f"all history, half as much every {self.half_life:g} partitions"
        if self.partitions is None:
            return "all history"
        return f"the latest {self.partitions} partitions" if self.partitions > 1 else "the latest partition"

    def of(self, history: Sequence[T]) -> Sequence[T]:
        """The part of history, earliest first, that is in the window."""
        return history if self.partitions is None else history[-self.partitions :]

    def weighed(self, rows: Rows) -> Rows:
        """The rows of that part, weighted by age; the mean weight is 1."""
        if self.half_life is None:
            return rows
        weights = 0.5 ** ((rows.part.max() - rows.part) / self.half_life)
        return replace(rows, weights=weights / weights.mean())

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Window":
        return Window(**document)


EVERYTHING = Window()


def choose_window(paths: Sequence[Path], params: Params) -> Window:
    """The window that retrain.window declares; for "auto" the one whose model does best on later data.

    Forward validation (Tashman 2000): the test rows are those of the latest partitions, as many as it takes
    for 200 training rows in 5 groups. Models of all partitions before, of their later half, later quarter and
    so on, and two of all partitions in which older rows count less, are scored on the test rows. A window
    replaces all history only if its model is significantly better, by the paired test that also decides
    promotions, with its confidence corrected for the number of windows (Bonferroni). Only training rows are
    read, never the holdout, and of many a sample. With a gap in time no model is fitted on rows that come
    within search.gap before the test rows. Raises BadData as `choosing_rows`.
    """
    asked = params.retrain.window
    if asked != "auto":
        return Window(None if asked == "all" else asked, reason=f"retrain.window = {asked}")
    if len(paths) < 3:
        return Window(reason="all history: it is too short to try a part of it")
    # Not search.rows: the stage of `dvc repro` that chooses the window has not that key among its inputs.
    params = params.model_copy(update={"search": params.search.model_copy(update={"rows": SEARCH_ROWS})})
    schema, rows = choosing_rows(paths, params)
    tested = _tested(rows, len(paths))
    if tested is None:
        needed = f"{LEAST_ROWS} rows in {LEAST_GROUPS} groups are needed to judge"
        return Window(reason=f"all history: its later half is too short to try a part of it, {needed}")
    return _Trial(rows, len(paths), tested, open_learner(params, schema), schema, params).best()


def _tested(rows: Rows, count: int) -> int | None:
    """The smallest number of latest partitions with enough rows to test on; None if half are too few."""
    timed = np.ones(len(rows.y), dtype=bool) if rows.time is None else ~np.isnat(rows.time)
    for latest in range(1, count // 2 + 1):
        held = timed & (rows.part >= count - latest)
        enough = held.sum() >= LEAST_ROWS and len(np.unique(rows.group[held])) >= LEAST_GROUPS
        if enough and len(np.unique(rows.y[held])) > 1:
            return latest
    return None


class _Trial:
    """Compares models of windows of the past on the rows of the `tested` latest partitions."""

    def __init__(
        self, rows: Rows, count: int, tested: int, learner: Learner, schema: Schema, params: Params
    ) -> None:
        self._rows, self._learner, self._schema, self._params = rows, learner, schema, params
        self._past, self._tested = count - tested, tested
        self._before = np.flatnonzero(rows.part < self._past)
        self._held = np.flatnonzero(rows.part >= self._past)
        if gap := params.search.gap_in_time:
            self._before, self._held = purged(self._before, self._held, times_of(rows), gap)
        self._binned = learner.bin(rows.X, rows.y)
        from incumbent.search.strategies import typical_options

        self._options = typical_options(learner.search_space)

    def best(self) -> Window:
        gap = self._params.search.gap
        if self._params.search.gap_in_time and not self._can_fit(EVERYTHING):
            return Window(
                reason=f"all history: search.gap = '{gap}' leaves too little of what came before "
                f"{self._test_partitions} to try a part of it"
            )
        windows = list(self._windows())
        if not windows:
            return Window(reason="all history: no part of it can be trained on")
        points = {window: self._best_point(window) for window in (EVERYTHING, *windows)}
        best = max(windows, key=lambda window: points[window].score)
        if points[best].score <= points[EVERYTHING].score:
            return Window(reason=f"all history: nothing else does better on {self._test_partitions}")
        champion, challenger = (self._predict(each, points[each].rounds) for each in (EVERYTHING, best))
        confidence = 1 - (1 - self._params.promotion.confidence) / len(windows)
        comparison = try_compare(
            self._rows.y[self._held],
            champion,
            challenger,
            self._rows.group[self._held],
            self._params.promotion.model_copy(update={"confidence": confidence}),
            seed=self._params.seed,
        )
        if not isinstance(comparison, Comparison):
            return Window(reason=f"all history: {comparison.reason}")
        values = f"{comparison.challenger.value:.4f}, of all history {comparison.champion.value:.4f}"
        result = (
            f"on {self._test_partitions} a model of {best.words} before reached {comparison.metric} {values}"
        )
        if comparison.gain.low <= 0:
            return Window(reason=f"all history: {result}, which may be chance")
        chosen = best
        if best.partitions is not None:
            chosen = replace(best, partitions=best.partitions + self._tested)
        return replace(chosen, reason=f"{chosen.words}: {result}")

    def _windows(self) -> Iterator[Window]:
        length = self._past // 2
        while length:
            window = Window(length)
            if self._can_fit(window):
                yield window
            length //= 2
        yield from (Window(half_life=self._past / parts) for parts in (4, 16) if self._past > parts)

    def _can_fit(self, window: Window) -> bool:
        return len(np.unique(self._rows.y[self._fitted(window)])) > 1

    def _fitted(self, window: Window) -> np.ndarray:
        first = 0 if window.partitions is None else self._past - window.partitions
        return self._before[self._rows.part[self._before] >= first]

    def _fold(self, window: Window) -> Fold:
        rows, split = window.weighed(self._rows), (self._fitted(window), self._held)
        [fold] = make_folds(rows, [split], self._learner, self._schema, self._params, self._binned)
        return fold

    def _best_point(self, window: Window) -> Point:
        fold = self._fold(window)
        training = fold.training
        curve = self._learner.curve(
            training.binned, self._options, training.rows, fold.held, training.weights
        )
        return stop_early(curve, self._params.learner.patience)

    def _predict(self, window: Window, rounds: int) -> np.ndarray:
        fold = self._fold(window)
        training = fold.training
        model = self._learner.fit(training.binned, self._options, rounds, training.rows, training.weights)
        return fold.predicted(model)

    @property
    def _test_partitions(self) -> str:
        return "the latest partition" if self._tested == 1 else f"the latest {self._tested} partitions"
