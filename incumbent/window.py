"""How much history a full training reads: models of more and of less of it, judged by what came after."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from incumbent.compare import Comparison, attempt
from incumbent.learners import Fold, Learner, open_learner
from incumbent.params import Params
from incumbent.rows import Rows, Side, read_rows, training_rows
from incumbent.strategies import typical_options

T = TypeVar("T")
LEAST_ROWS, LEAST_GROUPS = 200, 5


@dataclass(frozen=True)
class Window:
    """`partitions`: so many of the latest, None for all history; `reason`: why, with its figures."""

    partitions: int | None
    reason: str

    def of(self, history: Sequence[T]) -> Sequence[T]:
        """The part of history, the earliest first, that the window lets through."""
        return history if self.partitions is None else history[-self.partitions :]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Window":
        return Window(**document)


def choose_window(paths: Sequence[Path], params: Params) -> Window:
    """What retrain.window says; for "auto" the window whose model does best on what came after it.

    Forward validation (Tashman 2000): the latest partitions with 200 training rows in 5 groups judge; models
    of all partitions before them, of the later half of these, of the later quarter, and so on, are scored on
    them. A part takes the place of all history only if it is significantly better, by the paired test that
    also decides promotions, with its confidence corrected for the number of parts (Bonferroni). Only training
    rows are read: the holdout stays unseen. Raises BadData as `training_rows`.
    """
    if params.retrain.window == "all":
        return Window(None, "all history: retrain.window = all")
    if isinstance(params.retrain.window, int):
        return Window(params.retrain.window, f"retrain.window = {params.retrain.window}")
    if len(paths) < 3:
        return Window(None, "all history: it is too short to try a part of it")
    schema, _ = training_rows(paths, params)
    parts = [read_rows([path], schema, params, Side.TRAINING) for path in paths]
    judging = _judging(parts)
    if judging is None:
        return Window(None, f"all history: {LEAST_ROWS} rows in {LEAST_GROUPS} groups are needed to judge")
    return _Trial(parts, judging, open_learner(params, schema), params).best()


def _judging(parts: Sequence[Rows]) -> int | None:
    """The fewest latest partitions that can judge, at most half of them."""
    for count in range(1, len(parts) // 2 + 1):
        y, group = (
            np.concatenate([getattr(part, name) for part in parts[-count:]]) for name in ("y", "group")
        )
        enough = len(y) >= LEAST_ROWS and len(np.unique(group)) >= LEAST_GROUPS
        if enough and len(np.unique(y)) > 1:
            return count
    return None


class _Trial:
    """Models of the past's parts against the rows of the partitions that judge."""

    def __init__(self, parts: Sequence[Rows], judging: int, learner: Learner, params: Params) -> None:
        self._learner, self._params, self._judging = learner, params, judging
        self._past = len(parts) - judging
        self._X, self._y = (np.concatenate([getattr(part, name) for part in parts]) for name in ("X", "y"))
        self._starts = np.cumsum([0, *(len(part.y) for part in parts)])
        self._group = np.concatenate([part.group for part in parts[self._past :]])
        self._binned = learner.bin(self._X, self._y)
        self._options = typical_options(learner.search_space)

    def best(self) -> Window:
        lengths = [length for length in self._halved() if len(np.unique(self._y[self._rows(length)])) > 1]
        if not lengths:
            return Window(None, "all history: no part of it can be trained on")
        folds = {length: self._fold(length) for length in (self._past, *lengths)}
        best = max(lengths, key=lambda length: folds[length].score)
        if folds[best].score <= folds[self._past].score:
            return Window(None, f"all history: no part of it does better on {self._judges()}")
        champion, challenger = (self._predict(length, folds[length].rounds) for length in (self._past, best))
        confidence = 1 - (1 - self._params.promotion.confidence) / len(lengths)
        promotion = self._params.promotion.model_copy(update={"confidence": confidence})
        seen = attempt(
            self._y[self._judged()], champion, challenger, self._group, promotion, seed=self._params.seed
        )
        if not isinstance(seen, Comparison):
            return Window(None, f"all history: {seen.reason}")
        told = (
            f"on {self._judges()} a model of the {best} before reached {seen.metric} "
            f"{seen.challenger.value:.4f}, one of all history {seen.champion.value:.4f}"
        )
        if seen.gain.low <= 0:
            return Window(None, f"all history: {told}, which may be chance")
        return Window(best + self._judging, f"the latest {best + self._judging} partitions: {told}")

    def _halved(self) -> list[int]:
        lengths, length = [], self._past // 2
        while length:
            lengths.append(length)
            length //= 2
        return lengths

    def _rows(self, length: int) -> np.ndarray:
        return np.arange(self._starts[self._past - length], self._starts[self._past])

    def _judged(self) -> np.ndarray:
        return np.arange(self._starts[self._past], self._starts[-1])

    def _fold(self, length: int) -> Fold:
        return self._learner.fit_fold(self._binned, self._options, self._rows(length), self._judged())

    def _predict(self, length: int, rounds: int) -> np.ndarray:
        model = self._learner.fit(self._binned, self._options, rounds, self._rows(length))
        return model.predict(self._X[self._judged()])

    def _judges(self) -> str:
        return "the latest partition" if self._judging == 1 else f"the latest {self._judging} partitions"
