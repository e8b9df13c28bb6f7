"""Learning curves: when to stop a fold, and when to prune a trial that can't beat the best one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from incumbent.learners import Point

S = TypeVar("S")
# A trial starts on two folds: most trials are pruned there and never run the others. Fixed, not the number of
# cores, so that a study gives the same result on every machine.
FIRST = 2
# Folds at once after these: each takes memory while it trains.
NEXT = 8


@dataclass(frozen=True)
class Curves:
    """rounds: (steps,) int; scores: (folds, steps) float64, each fold's score after these rounds."""

    rounds: np.ndarray
    scores: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.scores.mean(axis=0))

    @property
    def peak(self) -> int:
        """The step after which the folds' mean is best. One step for all folds: the best of each fold would
        be optimistic, as a model of all rows has one number of rounds."""
        return int(self.mean.argmax())

    def is_over(self, patience: int) -> bool:
        """Whether the mean has not risen for `patience` rounds."""
        return bool(self.rounds[-1] - self.rounds[self.peak] >= patience)

    def estimate(self, best: "Curves") -> float | None:
        """The estimated final mean of a trial to prune; None for a trial that may still beat the best one.

        Prune when the gap exceeds what the best trial still gained after this round; the gap is that between
        the means over the same folds after as many rounds. A slow learner starts behind and may end higher:
        half of what it caught up since half as many rounds is subtracted from the gap. The estimate is the
        best trial's final mean minus the gap; the trial's own mean would depend on which folds it has run,
        and those may be the easy ones.
        """
        now, half = len(self.rounds) - 1, max(0, len(self.rounds) // 2 - 1)
        same_folds = best.scores[: len(self.scores)].mean(axis=0)
        at_half, at_now = (min(step, len(same_folds) - 1) for step in (half, now))
        gap, half_gap = (
            float(same_folds[at_now] - self.mean[now]),
            float(same_folds[at_half] - self.mean[half]),
        )
        gap -= max(0.0, half_gap - gap) / 2
        top = float(best.mean[best.peak])
        return top - gap if gap > top - best.mean[at_now] else None

    def joined(self, others: "Curves") -> "Curves":
        """The folds of both, cut to the others' number of steps."""
        steps = len(others.rounds)
        return Curves(others.rounds, np.concatenate([self.scores[:, :steps], others.scores]))

    def to_json(self) -> dict[str, Any]:
        return {"rounds": self.rounds.tolist(), "scores": self.scores.tolist()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Curves":
        return Curves(np.array(document["rounds"]), np.array(document["scores"]))


def stop_early(curve: Iterable[Point], patience: int) -> Point:
    """The best point of a curve, read until it ends or has not risen for `patience` rounds."""
    best = Point(0, -np.inf)
    for point in curve:
        if point.score > best.score:
            best = point
        elif point.rounds - best.rounds >= patience:
            break
    return best


def race(
    grow: Callable[[S], Iterator[Point]], folds: Sequence[S], patience: int, best: Curves | None
) -> tuple[Curves, float | None]:
    """The curves of a trial and, if it was pruned, the estimate of its final mean.

    The first folds run in parallel until their mean has not risen for `patience` rounds, the others for as
    many rounds. After each step the trial is compared with the best one on the folds run so far.
    """
    finished: Curves | None = None
    for wave in (folds[:FIRST], *(folds[at : at + NEXT] for at in range(FIRST, len(folds), NEXT))):
        for steps in _steps(grow, wave):
            now = steps if finished is None else finished.joined(steps)
            if best is not None and (estimate := now.estimate(best)) is not None:
                return now, estimate
            if steps.is_over(patience) if finished is None else len(steps.rounds) == len(finished.rounds):
                break
        finished = now
    return now, None


def _steps(grow: Callable[[S], Iterator[Point]], folds: Sequence[S]) -> Iterator[Curves]:
    """Train some folds in parallel; yield their curves so far after each step.

    A fold stays in one thread: LightGBM's verbosity and torch's number of threads are set per thread. An
    interrupt returns at once; running folds end after their step.
    """
    curves = [grow(fold) for fold in folds]
    threads = [ThreadPoolExecutor(1) for _ in folds]
    history: list[list[Point]] = []
    try:
        while True:
            under_way = [each.submit(next, curve, None) for each, curve in zip(threads, curves, strict=True)]
            points = [point for each in under_way if (point := each.result())]
            if not points:
                return
            history.append(points)
            scores = np.array([[point.score for point in step] for step in history])
            yield Curves(np.array([step[0].rounds for step in history]), scores.T)
    finally:
        for each in threads:
            each.shutdown(wait=False, cancel_futures=True)
