"""Does another option in the default space of a search make better models? At equal trials, on four tables.

Each table is sampled to `--rows` rows, one half to train on and one to score; a seed draws rows, halves and
study. `usual` is the space as it is, the others add to it or change it. The difference is that of the ROC AUC
on the scored half to `usual` at the same seed.

    python bench/space.py TABLE.parquet… [--rows 20000] [--trials 8] [--seeds 5]

TABLE.parquet has a column `target` of 0 and 1; `batch` and columns of its order are left out. Flights of 2013
come by themselves.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from incumbent.challenger import make_full, open_challenger, search
from incumbent.compare import score
from incumbent.demo.flights import load_flights
from incumbent.params import Params

ORDER = ["batch", "day_index", "order_in_loc", "date", "time_hour", "flight"]
SPACES: dict[str, dict[str, Any]] = {
    "usual": {},
    "max_depth": {"space": {"max_depth": [3, 12]}},
    "min_gain_to_split": {"space": {"min_gain_to_split": [0, 1]}},
    "cat_smooth": {"space": {"cat_smooth": [1, 100]}},
    "extra_trees": {"space": {"extra_trees": True}},
    "lambda_l1": {"space": {"lambda_l1": [0.001, 10]}},
    "num_leaves to 255": {"space": {"num_leaves": [15, 255]}},
    "rate from .01": {"space": {"learning_rate": [0.01, 0.2]}, "rounds": 600},
    "600 rounds": {"rounds": 600},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tables", type=Path, nargs="*")
    arguments.add_argument("--rows", type=int, default=20_000)
    arguments.add_argument("--trials", type=int, default=8)
    arguments.add_argument("--seeds", type=int, default=5)
    asked = arguments.parse_args()
    tables = {path.stem: pd.read_parquet(path) for path in asked.tables}
    tables["flights"] = load_flights().rename(columns={"late": "target"})
    results = [
        {"table": name, "seed": seed, **each}
        for name, table in tables.items()
        for seed in range(asked.seeds)
        for each in compare(table, asked.rows, asked.trials, seed)
    ]
    frame = pd.DataFrame(results)
    for name, part in [*frame.groupby("table"), ("all", frame)]:
        print(f"\n{name}")
        print(summary(part).to_string())


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean differences to `usual` with their standard errors, and the CPU in its units."""
    spaces = frame.groupby("space", sort=False)
    mean, runs = spaces["difference"].mean(), spaces["difference"].count()
    error = spaces["difference"].std() / np.sqrt(runs)
    return (
        pd.DataFrame({"AUC": spaces["auc"].mean(), "difference": mean, "error": error})
        .round(4)
        .assign(cost=spaces["cost"].mean().round(2))
    )


def compare(table: pd.DataFrame, rows: int, trials: int, seed: int) -> list[dict[str, Any]]:
    drawn = table.sample(min(rows, len(table)), random_state=seed)
    drawn = drawn.drop(columns=[name for name in ORDER if name in drawn]).reset_index(drop=True)
    drawn["target"] = drawn["target"].astype(int)
    half = len(drawn) // 2
    with TemporaryDirectory() as folder:
        train = Path(folder) / "train.parquet"
        drawn[:half].to_parquet(train, index=False)
        made = {name: fit(train, drawn[half:], each, trials, seed) for name, each in SPACES.items()}
    usual_auc, usual_cpu = made["usual"]
    return [
        {"space": name, "auc": auc, "difference": auc - usual_auc, "cost": cpu / usual_cpu}
        for name, (auc, cpu) in made.items()
    ]


def fit(
    train: Path, held: pd.DataFrame, change: dict[str, Any], trials: int, seed: int
) -> tuple[float, float]:
    """ROC AUC on the held rows, and CPU seconds of search and fit."""
    params = Params.model_validate(
        {
            "dataset": {"name": "table", "target": "target", "positive": 1},
            "learner": {"name": "lightgbm", "rounds": change.get("rounds", 200)},
            "search": {"trials": trials, "folds": 3, "space": change.get("space", {})},
            "registry": {"address": "s3://none/registry"},
            "seed": seed,
        }
    )
    began = time.process_time()
    with TemporaryDirectory() as folder:
        study = search([train], params)
        made = make_full([train], params, study, Path(folder), estimate=False)
        model = open_challenger(made, params, Path(folder), "model")
        cpu = time.process_time() - began
        return score(model.schema.labels(held), model.predict(held), params.promotion), cpu


if __name__ == "__main__":
    main()
