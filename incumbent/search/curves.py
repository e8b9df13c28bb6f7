"""Learning curves: when a fold stops, and when a trial can no longer beat the best one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from incumbent.learners import Point

S = TypeVar("S")
# A trial starts on two folds; most are hopeless there and spare the others. Fixed, and not the number of
# cores, so that a study gives the same result on every machine.
FIRST = 2
# And the others so many at once: each takes memory for as long as it grows.
NEXT = 8


@dataclass(frozen=True)
class Curves:
    """rounds: (steps,) int; scores: (folds, steps) float64, each fold's after so many rounds."""

    rounds: np.ndarray
    scores: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.scores.mean(axis=0))

    @property
    def peak(self) -> int:
        """The step after which the folds' mean is best. All at the same one: each fold's own best step
        would be luck that a model of all rows does not have."""
        return int(self.mean.argmax())

    def is_tired(self, patience: int) -> bool:
        return bool(self.rounds[-1] - self.rounds[self.peak] >= patience)

    def estimate(self, best: "Curves") -> float | None:
        """What the folds' mean would come to, if there is no hope that it beats the best one's; else None.

        Hopeless is what is further behind, on the same folds after as many rounds, than the best one still
        rose from there on. A slow learner is behind all along and may end higher: of what it has made good
        since half as many rounds, half is taken as still to come. The estimate is as far behind: its own
        mean would tell more of the folds that it saw, which may be the easy ones.
        """
        now, half = len(self.rounds) - 1, max(0, len(self.rounds) // 2 - 1)
        lead = best.scores[: len(self.scores)].mean(axis=0)
        then, last = (min(step, len(lead) - 1) for step in (half, now))
        behind, before = float(lead[last] - self.mean[now]), float(lead[then] - self.mean[half])
        behind -= max(0.0, before - behind) / 2
        top = float(best.mean[best.peak])
        return top - behind if behind > top - best.mean[last] else None

    def beside(self, others: "Curves") -> "Curves":
        """The folds of both, for as long as the others go."""
        steps = len(others.rounds)
        return Curves(others.rounds, np.concatenate([self.scores[:, :steps], others.scores]))

    def to_json(self) -> dict[str, Any]:
        return {"rounds": self.rounds.tolist(), "scores": self.scores.tolist()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Curves":
        return Curves(np.array(document["rounds"]), np.array(document["scores"]))


def stop_early(curve: Iterable[Point], patience: int) -> Point:
    """The best point of a curve that has ended, or not risen for `patience` rounds."""
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
    """The curves of a trial; and where it was given up against the best one so far, an estimate of its mean.

    The first folds run side by side until their mean has not risen for `patience` rounds, the others for as
    many rounds. After each step the trial is compared with the best one on the folds seen so far.
    """
    seen: Curves | None = None
    for wave in (folds[:FIRST], *(folds[at : at + NEXT] for at in range(FIRST, len(folds), NEXT))):
        for steps in _steps(grow, wave):
            now = steps if seen is None else seen.beside(steps)
            if best is not None and (estimate := now.estimate(best)) is not None:
                return now, estimate
            if steps.is_tired(patience) if seen is None else len(steps.rounds) == len(seen.rounds):
                break
        seen = now
    return now, None


def _steps(grow: Callable[[S], Iterator[Point]], folds: Sequence[S]) -> Iterator[Curves]:
    """The curves of some folds so far, after each step.

    A curve stays in one thread: LightGBM's verbosity and torch's number of threads are a thread's own. When
    interrupted it returns at once; what is under way ends with its step.
    """
    curves = [grow(fold) for fold in folds]
    threads = [ThreadPoolExecutor(1) for _ in folds]
    seen: list[list[Point]] = []
    try:
        while True:
            under_way = [each.submit(next, curve, None) for each, curve in zip(threads, curves, strict=True)]
            points = [point for each in under_way if (point := each.result())]
            if not points:
                return
            seen.append(points)
            scores = np.array([[point.score for point in step] for step in seen])
            yield Curves(np.array([step[0].rounds for step in seen]), scores.T)
    finally:
        for each in threads:
            each.shutdown(wait=False, cancel_futures=True)
