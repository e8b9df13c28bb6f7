"""Cross-validation beside somebody who computes too: our threads against LightGBM as it comes.

Both fit the same folds of the same real rows with the same options, in turn, each time in a process of its
own, while as many other processes as there are cores compute without pause. Ours is what a fold costs in a
run: one thread a fold, side by side, OpenMP's waiting passive. The peer fits fold after fold on all cores,
OpenMP's waiting as it is. Prints wall-clock seconds, pair by pair, and alone for comparison. Who needs more
than `--limit` seconds is stopped, and counts as having needed that many: the ratio is at least what is told.

    python bench/neighbour.py [--pairs 7] [--rows 50000] [--limit 60]
"""

import argparse
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightgbm as lgb
import numpy as np
from sklearn.model_selection import StratifiedKFold
from tuning import real_rows

from incumbent.params import load_params
from incumbent.training.folds import over_folds

ROUNDS, FOLDS = 100, 4
OURS, STOCK = "ours", "stock LightGBM"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=7)
    arguments.add_argument("--rows", type=int, default=50_000)
    arguments.add_argument("--limit", type=int, default=60)
    arguments.add_argument("--work", choices=[OURS, STOCK])
    asked = arguments.parse_args()
    if asked.work:
        print(json.dumps(fit_folds(asked.work, asked.rows, asked.limit)))
        return
    cores = os.cpu_count() or 1
    alone = {name: seconds(name, asked) for name in (OURS, STOCK)}
    print(f"{FOLDS} folds, {ROUNDS} trees each, {asked.rows:,} rows, {cores} cores; wall-clock seconds")
    print(f"{'':<10}{OURS:>10}{STOCK:>16}{'ratio':>8}")
    print(f"{'alone':<10}{alone[OURS]:>10.1f}{alone[STOCK]:>16.1f}{alone[STOCK] / alone[OURS]:>8.1f}")
    ratios = []
    with neighbours(cores):
        for _ in range(asked.pairs):
            ours, stock = seconds(OURS, asked), seconds(STOCK, asked)
            ratios.append(stock / ours)
            print(f"{'beside':<10}{ours:>10.1f}{stock:>16.1f}{ratios[-1]:>8.1f}", flush=True)
    told = f"{statistics.median(ratios):.1f} times as long, {min(ratios):.1f} to {max(ratios):.1f}"
    print(f"beside {cores} neighbours stock LightGBM takes {told}; median of {asked.pairs} pairs")


def seconds(work: str, asked: argparse.Namespace) -> float:
    """Of the fits alone, in a process that starts with its own setting; the limit if it was stopped."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if work == OURS:
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
    command = [
        sys.executable,
        __file__,
        "--work",
        work,
        "--rows",
        str(asked.rows),
        "--limit",
        str(asked.limit),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode == -signal.SIGALRM:
        return float(asked.limit)
    done.check_returncode()
    return float(json.loads(done.stdout))


def fit_folds(work: str, size: int, limit: int) -> float:
    params = load_params(Path(__file__).parents[1])
    _, rows = real_rows(params, size)
    splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows.X, rows.y))
    threads = 1 if work == OURS else 0  # 0: as many as LightGBM finds
    options = {"objective": "binary", "num_leaves": 31, "num_threads": threads, "verbosity": -1}

    def fit(split: tuple[np.ndarray, np.ndarray]) -> None:
        lgb.train(options, lgb.Dataset(rows.X[split[0]], rows.y[split[0]], params=options), ROUNDS)

    signal.alarm(limit)  # ends the process, whatever it waits for
    start = time.perf_counter()
    if work == OURS:
        over_folds(fit, splits)
    else:
        for split in splits:
            fit(split)
    return time.perf_counter() - start


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    processes = [multiprocessing.Process(target=_compute, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def _compute() -> None:
    while True:
        sum(range(1_000_000))


if __name__ == "__main__":
    main()
