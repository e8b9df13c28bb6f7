"""The verdict's statistics: our errors of a difference against what the point values alone cost elsewhere.

DeLong with its interval against scikit-learn's `roc_auc_score` called for both models, which gives no
interval. The paired bootstrap against a loop that draws rows anew and calls scikit-learn's metric for both
models; a few rounds of that loop are timed and multiplied, which the output says. Simulated rows, each its
own group. Medians of interleaved repetitions.

    python bench/compare.py [--delong-rows 1000000] [--rows 200000] [--resamples 1000] [--repetitions 5]
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from sklearn import metrics as sk

from incumbent.compare import compare
from incumbent.params import PromotionParams

Study = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

PEERS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "log_loss": sk.log_loss,
    "f1": lambda y, prediction: sk.f1_score(y, prediction >= 0.5),
    "average_precision": sk.average_precision_score,
}
# Rounds of the naive loop in one measurement.
ROUNDS = 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--delong-rows", type=int, default=1_000_000)
    arguments.add_argument("--rows", type=int, default=200_000)
    arguments.add_argument("--resamples", type=int, default=1000)
    arguments.add_argument("--repetitions", type=int, default=5)
    asked = arguments.parse_args()

    y, champion, challenger, _ = study = simulated(asked.delong_rows)
    ours, peer = interleaved(
        lambda: compare(*study, PromotionParams()),
        lambda: [sk.roc_auc_score(y, each) for each in (champion, challenger)],
        asked.repetitions,
    )
    print(f"{'':<20}{'rows':>11}{'incumbent s':>13}{'peer s':>9}{'ratio':>8}")
    print(f"{'roc_auc (DeLong)':<20}{len(y):>11,}{ours:>13.2f}{peer:>9.2f}{ours / peer:>8.2f}  ours / peer")

    study = simulated(asked.rows)
    for metric, score in PEERS.items():
        promotion = PromotionParams(metric=metric, resamples=asked.resamples)
        ours, few = interleaved(
            lambda promotion=promotion: compare(*study, promotion),  # type: ignore[misc]
            lambda score=score: naive(study, score),  # type: ignore[misc]
            asked.repetitions,
        )
        peer = few / ROUNDS * asked.resamples
        print(f"{metric:<20}{asked.rows:>11,}{ours:>13.2f}{peer:>9.1f}{peer / ours:>8.1f}  peer / ours")
    print(f"The bootstraps' peer is extrapolated from {ROUNDS} rounds of its loop to {asked.resamples}.")


def simulated(rows: int) -> Study:
    """One row in six is positive; the models know something of it and err alike for the most part."""
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 1 / 6).astype(int)
    common = 1.2 * y - 2 + 0.9 * rng.normal(size=rows)
    champion, challenger = (1 / (1 + np.exp(-common - 0.4 * rng.normal(size=rows))) for _ in range(2))
    return y, champion, challenger, np.arange(rows)


def naive(study: Study, score: Callable[[np.ndarray, np.ndarray], float]) -> None:
    y, champion, challenger, _ = study
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS):
        drawn = rng.integers(0, len(y), len(y))
        score(y[drawn], challenger[drawn]) - score(y[drawn], champion[drawn])


def interleaved(
    ours: Callable[[], object], peer: Callable[[], object], repetitions: int
) -> tuple[float, float]:
    """Median seconds of each, measured in turn so that a busy neighbour troubles both."""
    pairs = [(seconds(ours), seconds(peer)) for _ in range(repetitions)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
