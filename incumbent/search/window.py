"""How much history a full training reads: models of more and of less of it, judged by what came after."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from incumbent.compare import Comparison, try_compare
from incumbent.features.rows import Rows, training_rows
from incumbent.features.schema import Schema
from incumbent.learners import Learner, Point, open_learner
from incumbent.params import Params
from incumbent.search.curves import stop_early
from incumbent.search.strategies import typical_options
from incumbent.training.training_sets import Fold, make_folds

T = TypeVar("T")
LEAST_ROWS, LEAST_GROUPS = 200, 5


@dataclass(frozen=True)
class Window:
    """`partitions`: so many of the latest, None for all history; half_life: partitions after which a row
    counts half, None for never; `reason`: why, with its figures."""

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
        """The part of history, the earliest first, that the window lets through."""
        return history if self.partitions is None else history[-self.partitions :]

    def weighed(self, rows: Rows) -> Rows:
        """The rows of that part with the weights of their age; they are 1 on average."""
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
    """What retrain.window says; for "auto" the window whose model does best on what came after it.

    Forward validation (Tashman 2000): the latest partitions with 200 training rows in 5 groups judge; models
    of all partitions before them, of the later half of these, of the later quarter, and so on, and two of all
    in which older rows count less, are scored on them. One takes the place of all history only if it is
    significantly better, by the paired test that also decides promotions, with its confidence corrected for
    the number of windows (Bonferroni). Only training rows are read: the holdout stays unseen. Raises BadData
    as `training_rows`.
    """
    asked = params.retrain.window
    if asked != "auto":
        return Window(None if asked == "all" else asked, reason=f"retrain.window = {asked}")
    if len(paths) < 3:
        return Window(reason="all history: it is too short to try a part of it")
    schema, rows = training_rows(paths, params)
    judging = _judging(rows, len(paths))
    if judging is None:
        needed = f"{LEAST_ROWS} rows in {LEAST_GROUPS} groups are needed to judge"
        return Window(reason=f"all history: its later half is too short to try a part of it, {needed}")
    return _Trial(rows, len(paths), judging, open_learner(params, schema), schema, params).best()


def _judging(rows: Rows, count: int) -> int | None:
    """The fewest latest partitions that can judge, at most half of them."""
    for latest in range(1, count // 2 + 1):
        seen = rows.part >= count - latest
        enough = seen.sum() >= LEAST_ROWS and len(np.unique(rows.group[seen])) >= LEAST_GROUPS
        if enough and len(np.unique(rows.y[seen])) > 1:
            return latest
    return None


class _Trial:
    """Models of windows of the past against the rows of the partitions that judge."""

    def __init__(
        self, rows: Rows, count: int, judging: int, learner: Learner, schema: Schema, params: Params
    ) -> None:
        self._rows, self._learner, self._schema, self._params = rows, learner, schema, params
        self._past, self._judging = count - judging, judging
        self._held = np.flatnonzero(rows.part >= self._past)
        self._binned = learner.bin(rows.X, rows.y)
        self._options = typical_options(learner.search_space)

    def best(self) -> Window:
        windows = list(self._windows())
        if not windows:
            return Window(reason="all history: no part of it can be trained on")
        tried = {window: self._fold(window) for window in (EVERYTHING, *windows)}
        best = max(windows, key=lambda window: tried[window].score)
        if tried[best].score <= tried[EVERYTHING].score:
            return Window(reason=f"all history: nothing else does better on {self._judges}")
        champion, challenger = (self._predict(each, tried[each].rounds) for each in (EVERYTHING, best))
        confidence = 1 - (1 - self._params.promotion.confidence) / len(windows)
        seen = try_compare(
            self._rows.y[self._held],
            champion,
            challenger,
            self._rows.group[self._held],
            self._params.promotion.model_copy(update={"confidence": confidence}),
            seed=self._params.seed,
        )
        if not isinstance(seen, Comparison):
            return Window(reason=f"all history: {seen.reason}")
        figures = f"{seen.challenger.value:.4f}, of all history {seen.champion.value:.4f}"
        told = f"on {self._judges} a model of {best.words} before reached {seen.metric} {figures}"
        if seen.gain.low <= 0:
            return Window(reason=f"all history: {told}, which may be chance")
        chosen = best
        if best.partitions is not None:
            chosen = replace(best, partitions=best.partitions + self._judging)
        return replace(chosen, reason=f"{chosen.words}: {told}")

    def _windows(self) -> Iterator[Window]:
        length = self._past // 2
        while length:
            window = Window(length)
            if len(np.unique(self._rows.y[self._fitted(window)])) > 1:
                yield window
            length //= 2
        yield from (Window(half_life=self._past / parts) for parts in (4, 16) if self._past > parts)

    def _fitted(self, window: Window) -> np.ndarray:
        first = 0 if window.partitions is None else self._past - window.partitions
        return np.flatnonzero((self._rows.part >= first) & (self._rows.part < self._past))

    def _portion(self, window: Window) -> Fold:
        rows, split = window.weighed(self._rows), (self._fitted(window), self._held)
        [fold] = make_folds(rows, [split], self._learner, self._schema, self._params, self._binned)
        return fold

    def _fold(self, window: Window) -> Point:
        part = self._portion(window)
        training = part.training
        curve = self._learner.curve(
            training.binned, self._options, training.rows, part.held, training.weights
        )
        return stop_early(curve, self._params.learner.patience)

    def _predict(self, window: Window, rounds: int) -> np.ndarray:
        part = self._portion(window)
        training = part.training
        model = self._learner.fit(training.binned, self._options, rounds, training.rows, training.weights)
        return model.predict(part.held_out())

    @property
    def _judges(self) -> str:
        return "the latest partition" if self._judging == 1 else f"the latest {self._judging} partitions"
