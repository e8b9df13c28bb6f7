"""Does a search on a sample of rows find options as good as one on all rows?

For each table and seed two studies of the same trials: on all rows, and on the share of them that search.rows
then allows. Both winners are judged alike, on all rows: cross-validation on folds of another seed, rounds
chosen by the mean of the folds. Printed: CPU seconds of both studies, and the score of the sampled search's
winner less that of the other.

    python bench/sampled_search.py [--tables FILE.parquet:TARGET …] [--rows 60000] [--share 0.2] [--seeds 5]
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from scale import table

from incumbent.challenger import search
from incumbent.demo.flights import load_flights
from incumbent.features.rows import training_rows
from incumbent.learners import Point, open_learner
from incumbent.params import Params
from incumbent.search.curves import race
from incumbent.training.folds import folds
from incumbent.training.training_sets import Fold, make_folds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tables", nargs="*", default=[])
    arguments.add_argument("--rows", type=int, default=60_000)
    arguments.add_argument("--share", type=float, default=0.2)
    arguments.add_argument("--seeds", type=int, default=5)
    asked = arguments.parse_args()
    tables = {
        "flights": (load_flights().drop(columns=["time_hour", "date"]), "late"),
        "synthetic": (table(0, asked.rows, asked.rows).drop(columns="customer"), "outcome"),
    }
    for given in asked.tables:
        path, target = given.rsplit(":", 1)
        tables[Path(path).stem] = (pd.read_parquet(path), target)
    header = ("rows", "CPU all", "CPU part", "AUC all", "part - all", "deviation")
    print(f"{'table':<14}" + "".join(f"{name:>11}" for name in header))
    for name, (frame, target) in tables.items():
        compare(name, frame.sample(min(asked.rows, len(frame)), random_state=0), target, asked)


def compare(name: str, frame: pd.DataFrame, target: str, asked: argparse.Namespace) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        frame.to_parquet(path, index=False)
        whole, part, score, gain = [], [], [], []
        for seed in range(asked.seeds):
            params = params_of(frame, target, seed)
            options, cpu = searched(path, params)
            some, less = searched(path, with_rows(params, round(asked.share * len(frame))))
            score.append(judged(path, params, options))
            gain.append(judged(path, params, some) - score[-1])
            whole.append(cpu)
            part.append(less)
    print(
        f"{name:<14}{len(frame):>11,}{mean(whole):>11.1f}{mean(part):>11.1f}{mean(score):>11.4f}"
        f"{mean(gain):>+11.4f}{stdev(gain):>11.4f}",
        flush=True,
    )


def params_of(frame: pd.DataFrame, target: str, seed: int) -> Params:
    return Params.model_validate(
        {
            "dataset": {"name": "bench", "target": target, "positive": frame[target].max().item()},
            "registry": {"address": "s3://incumbent/registry"},
            "search": {"rows": None},
            "seed": seed,
        }
    )


def with_rows(params: Params, rows: int) -> Params:
    return params.model_copy(update={"search": params.search.model_copy(update={"rows": rows})})


def searched(path: Path, params: Params) -> tuple[dict[str, Any], float]:
    """The winner's options, and CPU seconds."""
    began = time.process_time()
    return search([path], params).options, time.process_time() - began


def judged(path: Path, params: Params, options: dict[str, Any]) -> float:
    schema, rows = training_rows([path], params)
    learner = open_learner(params, schema)
    splits = folds(rows, params.search, 1000 + params.seed)

    def grow(fold: Fold) -> Iterator[Point]:
        training = fold.training
        return learner.curve(training.binned, options, training.rows, fold.held, training.weights)

    parts = make_folds(rows, splits, learner, schema, params, learner.bin(rows.X, rows.y))
    curves, _ = race(grow, parts, params.learner.patience, None)
    return float(curves.mean[curves.peak])


if __name__ == "__main__":
    main()
