"""Does a search gain from the last one? Months of flights arrive; each month's study starts cold or warm.

Warm: the best trials of last month's study are tried first, then the strategy goes on. Every winner is judged
by one common cross-validation with other folds, and by a model of this month on the next month's flights.
Means over the months, and the mean difference to the cold study with its standard error.

    python bench/warm_search.py [--rows 6000] [--months 10]
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.metrics import roc_auc_score

from incumbent.demo.flights import load_flights, write_months
from incumbent.features.frames import Side
from incumbent.features.rows import Rows, read_rows, training_rows
from incumbent.features.schema import Schema
from incumbent.learners import Learner, open_learner
from incumbent.params import Params, load_params
from incumbent.search.studies import StudyRef
from incumbent.search.tune import StudyResult, begin, conclude, join
from incumbent.training.folds import folds

# Arm -> trials, and how many of them are last month's best.
COLD = "cold, 24 trials"
ARMS = {
    COLD: (24, 0),
    "warm, 8 trials, 4 enqueued": (8, 4),
    "warm, 20 trials, 8 enqueued": (20, 8),
    "last month's winner": (1, 1),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=6_000)
    arguments.add_argument("--months", type=int, default=10, help="arrivals after the first month")
    asked = arguments.parse_args()
    params = load_params(Path(__file__).parents[1])
    figures: dict[str, list[tuple[float, float, float]]] = {arm: [] for arm in ARMS}
    with TemporaryDirectory() as folder:
        months = write_months(load_flights(), Path(folder))[: asked.months + 2]
        schema, _ = training_rows(months, params)
        rows = [sampled(read_rows([month], schema, params, Side.TRAINING), asked.rows) for month in months]
        learner = open_learner(params, schema)
        before = study(rows[0], learner, schema, with_trials(params, 24), [], Path(folder) / "0.db")[0]
        for number, (now, after) in enumerate(pairwise(rows[1:]), start=1):
            best = sorted(before.trials, key=lambda trial: (trial.pruned, -trial.value))
            for arm, (trials, enqueued) in ARMS.items():
                tried = [trial.options for trial in best[:enqueued]]
                file = Path(folder) / f"{number}{arm[:7]}.db"
                found, cost = study(now, learner, schema, with_trials(params, trials), tried, file)
                figures[arm].append(
                    (cost, judge(now, learner, found, params), score(now, after, learner, found))
                )
                if arm == COLD:
                    before_next = found
            before = before_next
            print(f"month {number} done", flush=True)
    print(f"{asked.months} months, {asked.rows:,} rows each")
    print(f"{'':<30}{'CPU s':>8}{'CV AUC':>9}{'to cold':>18}{'next month':>12}{'to cold':>18}")
    cold = np.array(figures[COLD])
    for arm, each in figures.items():
        seen, gap = np.array(each), np.array(each) - cold
        error = gap.std(axis=0, ddof=1) / np.sqrt(len(gap))
        print(
            f"{arm:<30}{seen[:, 0].mean():>8.1f}{seen[:, 1].mean():>9.4f}"
            f"{gap[:, 1].mean():>+9.4f} ± {error[1]:.4f}{seen[:, 2].mean():>12.4f}"
            f"{gap[:, 2].mean():>+9.4f} ± {error[2]:.4f}"
        )


def sampled(rows: Rows, size: int) -> Rows:
    chosen = np.sort(np.random.default_rng(0).choice(len(rows.y), min(size, len(rows.y)), replace=False))
    return Rows(rows.X[chosen], rows.y[chosen], rows.group[chosen])


def with_trials(params: Params, trials: int) -> Params:
    return params.model_copy(update={"search": params.search.model_copy(update={"trials": trials})})


def study(
    rows: Rows,
    learner: Learner,
    schema: Schema,
    params: Params,
    first: Sequence[dict[str, float]],
    file: Path,
) -> tuple[StudyResult, float]:
    """A study that tries `first` before anything else, and its CPU seconds."""
    place = StudyRef(f"sqlite:///{file}", "study")
    began = time.process_time()
    opened = begin(params.search, learner.search_space, params.seed, place)
    for options in first:
        opened.enqueue_trial({name: value for name, value in options.items() if name != "bagging_freq"})
    join(rows, learner, schema, params, place, worker=0)
    return conclude(opened), time.process_time() - began


def judge(rows: Rows, learner: Learner, found: StudyResult, params: Params) -> float:
    """Mean ROC AUC over other folds of whole days, the same for all arms."""
    binned, scores = learner.bin(rows.X, rows.y), []
    for fit, held in folds(rows, params.search, seed=99):
        model = learner.fit(binned, found.options, found.rounds, fit)
        scores.append(roc_auc_score(rows.y[held], model.predict(rows.X[held])))
    return float(np.mean(scores))


def score(now: Rows, after: Rows, learner: Learner, found: StudyResult) -> float:
    model = learner.fit(learner.bin(now.X, now.y), found.options, found.rounds)
    return float(roc_auc_score(after.y, model.predict(after.X)))


if __name__ == "__main__":
    main()
