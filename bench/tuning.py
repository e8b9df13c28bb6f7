"""Tuning with cross-validation: one binned Dataset for all folds and trials, against searches that rebin.

All search LightGBM's options by stratified folds of the same rows:
- we, scikit-learn's RandomizedSearchCV, Optuna's OptunaSearchCV: the same space, number of trials and folds;
- Optuna's LightGBMTunerCV and FLAML, which bring spaces of their own: as many CPU seconds as our search took,
  up to the end of a trial. FLAML counts wall-clock time: it gets what the tuner before it needed for them.

The winners are judged by one common scikit-learn cross-validation with other folds. Medians over seeds; each
has a sample of rows, searches and folds of its own. So are the best trials that our search had on its way:
after how much CPU was one as good as what OptunaSearchCV found in the end?

    pip install 'incumbent[bench]'
    python bench/tuning.py [--data flights|synthetic] [--rows 20000] [--rounds 200] [--trials 12] [--seeds 3]
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import joblib
import lightgbm as lgb
import numpy as np
import optuna
from lightgbm import LGBMClassifier
from optuna.distributions import FloatDistribution, IntDistribution
from scipy.stats import loguniform, randint, uniform
from sklearn.datasets import make_classification
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold, cross_val_score

from incumbent.demo.flights import load_flights, write_months
from incumbent.features.rows import Rows, training_rows
from incumbent.features.schema import Feature, Schema
from incumbent.learners import Learner, open_learner
from incumbent.params import Params, load_params
from incumbent.search.tune import tune

# The usual bounds of incumbent.params.space.
RANDOM = {
    "learning_rate": loguniform(0.05, 0.2),
    "num_leaves": randint(15, 64),
    "min_child_samples": randint(20, 401),
    "colsample_bytree": uniform(0.3, 0.5),
    "subsample": uniform(0.5, 0.5),
    "reg_lambda": loguniform(1e-3, 100.0),
}
OPTUNA = {
    "learning_rate": FloatDistribution(0.05, 0.2, log=True),
    "num_leaves": IntDistribution(15, 63, log=True),
    "min_child_samples": IntDistribution(20, 400, log=True),
    "colsample_bytree": FloatDistribution(0.3, 0.8),
    "subsample": FloatDistribution(0.5, 1.0),
    "reg_lambda": FloatDistribution(1e-3, 100.0, log=True),
}
Options = dict[str, Any]


class Seconds(NamedTuple):
    """CPU seconds of all threads; wall-clock seconds."""

    cpu: float
    wall: float


class Found(NamedTuple):
    """The winner; of our search also each best trial so far, with the CPU seconds by then."""

    options: Options
    path: Sequence[tuple[float, Options]] = ()


Search = Callable[[Rows, Schema, Params, Seconds], Found]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", choices=["flights", "synthetic"], default="flights")
    arguments.add_argument("--rows", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--trials", type=int, default=12)
    arguments.add_argument("--seeds", type=int, default=3)
    asked = arguments.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore")
    params = load_params(Path(__file__).parents[1])
    search = params.search.model_copy(update={"trials": asked.trials, "scheme": "stratified"})
    learner = params.learner.model_copy(update={"rounds": asked.rounds})
    table = real_table(params) if asked.data == "flights" else synthetic_table()
    seen: dict[str, list[tuple[float, float, float]]] = {}
    shares = []
    for seed in range(asked.seeds):
        params = params.model_copy(update={"search": search, "learner": learner, "seed": seed})
        rows, budget = sampled(table[1], asked.rows, seed), Seconds(0, 0)
        for name, find in SEARCHES.items():
            found, cost = measured(find, rows, table[0], params, budget)
            if name == "incumbent":
                path, budget = found.path, Seconds(cost.cpu, 0)
            budget = Seconds(budget.cpu, budget.cpu * cost.wall / cost.cpu)
            auc = judge(rows, table[0], found.options, seed)
            seen.setdefault(name, []).append((*cost, auc))
            print(f"seed {seed}  {name:<20}{cost.cpu:>9.1f}{cost.wall:>9.1f}{auc:>9.4f}", flush=True)
            if name == "OptunaSearchCV":
                spent = reached(path, auc, rows, table[0], seed)
                shares.append(spent / cost.cpu)
                told = f"after {spent:.1f} CPU s = 1/{cost.cpu / spent:.1f}" if spent < np.inf else "never"
                print(f"seed {seed}  reached by us {told}", flush=True)
    size = f"{len(rows.y):,} rows, {asked.rounds} rounds, {asked.trials} trials, {search.folds} folds"
    print(f"\n{asked.data}, {size}")
    print(f"{'':<20}{'CPU s':>8}{'wall s':>8}{'ROC AUC':>9}{'CPU / ours':>12}{'AUC - ours':>12}")
    first = np.array(seen["incumbent"])
    for name, values in seen.items():
        each = np.array(values)
        cpu, wall, auc = np.median(each, axis=0)
        ratio, gap = median(each[:, 0] / first[:, 0]), median(each[:, 2] - first[:, 2])
        print(f"{name:<20}{cpu:>8.1f}{wall:>8.1f}{auc:>9.4f}{ratio:>12.1f}{gap:>+12.4f}")
    print(f"as good as OptunaSearchCV's best in {np.isfinite(shares).sum()} of {len(shares)} seeds", end="")
    print(f"; after 1/{1 / median(shares):.1f} of its CPU (median)" if np.isfinite(median(shares)) else "")


def real_rows(params: Params, size: int) -> tuple[Schema, Rows]:
    schema, rows = real_table(params)
    return schema, sampled(rows, size, 0)


def real_table(params: Params) -> tuple[Schema, Rows]:
    with TemporaryDirectory() as folder:
        return training_rows(write_months(load_flights(), Path(folder))[:6], params)


def synthetic_table() -> tuple[Schema, Rows]:
    X, y = make_classification(
        200_000, 30, n_informative=12, n_redundant=4, flip_y=0.1, class_sep=0.6, weights=[0.8], random_state=0
    )
    schema = Schema(tuple(Feature(f"x{number:02d}") for number in range(30)), "y")
    return schema, Rows(X.astype(np.float32), y.astype(np.int8), np.arange(len(y)) / len(y))


def sampled(rows: Rows, size: int, seed: int) -> Rows:
    size = min(size, len(rows.y))
    chosen = np.sort(np.random.default_rng(seed).choice(len(rows.y), size, replace=False))
    return Rows(rows.X[chosen], rows.y[chosen], rows.group[chosen])


class Clocked:
    """A learner that notes the CPU time at which each trial begins."""

    def __init__(self, learner: Learner) -> None:
        self._learner, self.began = learner, list[float]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def search_space(self, trial: optuna.Trial) -> Options:
        self.began.append(time.process_time())
        return self._learner.search_space(trial)


def incumbent(rows: Rows, schema: Schema, params: Params, _: Seconds) -> Found:
    start = time.process_time()
    learner: Any = Clocked(open_learner(params, schema))
    found = tune(rows, learner, schema, params)
    ended = [*learner.began[1:], time.process_time()]
    path: list[tuple[float, Options]] = []
    best = -np.inf
    for trial, end in zip(found.trials, ended, strict=True):
        if trial.value > best:
            best = trial.value
            path.append((end - start, {"n_estimators": trial.rounds, **trial.options}))
    return Found(path[-1][1], path)


def reached(
    path: Sequence[tuple[float, Options]], goal: float, rows: Rows, schema: Schema, seed: int
) -> float:
    """CPU seconds after which the best so far was that good by the judge; infinite if it never was."""
    return next((spent for spent, options in path if judge(rows, schema, options, seed) >= goal), np.inf)


def random_search(rows: Rows, schema: Schema, params: Params, _: Seconds) -> Found:
    """As most projects do it: the estimator's own rounds, every fold binned anew, all cores."""
    found = RandomizedSearchCV(
        estimator(params), RANDOM, n_iter=params.search.trials, scoring="roc_auc", cv=splitter(params),
        n_jobs=-1, refit=False, random_state=params.seed,
    )  # fmt: skip
    with joblib.parallel_config("threading"):  # in this process, so that its CPU is counted
        found.fit(rows.X, rows.y, categorical_feature=schema.categorical)
    return Found({**estimator(params).get_params(), **found.best_params_})


def optuna_search(rows: Rows, schema: Schema, params: Params, _: Seconds) -> Found:
    from optuna_integration import OptunaSearchCV

    found = OptunaSearchCV(
        estimator(params), OPTUNA, n_trials=params.search.trials, scoring="roc_auc", cv=splitter(params),
        n_jobs=1, refit=False, random_state=params.seed,
    )  # fmt: skip
    found.fit(rows.X, rows.y, categorical_feature=schema.categorical)
    return Found({**estimator(params).get_params(), **found.best_params_})


def tuner(rows: Rows, schema: Schema, params: Params, budget: Seconds) -> Found:
    from optuna_integration.lightgbm import LightGBMTunerCV

    began = time.process_time()

    def stop(*_: Any) -> None:
        if time.process_time() - began > budget.cpu:
            raise _Spent

    options = {"objective": "binary", "metric": "auc", "verbosity": -1, "num_threads": 1, "seed": params.seed}
    found = LightGBMTunerCV(
        options, lgb.Dataset(rows.X, rows.y, categorical_feature=schema.categorical, free_raw_data=False),
        num_boost_round=params.learner.rounds, folds=splitter(params), optuna_callbacks=[stop],
        optuna_seed=params.seed, show_progress_bar=False,
        callbacks=[lgb.early_stopping(params.learner.patience, verbose=False)],
    )  # fmt: skip
    with suppress(_Spent):
        found.run()
    return Found({**found.best_params, "n_estimators": params.learner.rounds})


def flaml(rows: Rows, schema: Schema, params: Params, budget: Seconds) -> Found:
    import pandas as pd
    from flaml import AutoML

    frame = pd.DataFrame(rows.X)
    frame = frame.astype(dict.fromkeys(schema.categorical, "category"))
    found = AutoML()
    found.fit(
        frame, rows.y, task="classification", metric="roc_auc", estimator_list=["lgbm"],
        time_budget=budget.wall, eval_method="cv", n_splits=params.search.folds, n_jobs=1, seed=params.seed,
        retrain_full=False, verbose=0,
    )  # fmt: skip
    best = dict(found.best_config)
    bins = best.pop("log_max_bin")
    return Found({**best, "max_bin": 2**bins - 1})


class _Spent(Exception):
    """The budget is."""


SEARCHES: dict[str, Search] = {
    "incumbent": incumbent,
    "RandomizedSearchCV": random_search,
    "OptunaSearchCV": optuna_search,
    "LightGBMTunerCV": tuner,
    "FLAML": flaml,
}


def estimator(params: Params) -> LGBMClassifier:
    return LGBMClassifier(
        n_estimators=params.learner.rounds, subsample_freq=1, n_jobs=1, verbosity=-1, random_state=params.seed
    )


def splitter(params: Params) -> StratifiedKFold:
    return StratifiedKFold(params.search.folds, shuffle=True, random_state=params.seed)


def judge(rows: Rows, schema: Schema, options: Options, seed: int) -> float:
    """Mean ROC AUC over five other folds, the same for all."""
    other = StratifiedKFold(5, shuffle=True, random_state=seed + 1000)
    rest = {name: value for name, value in options.items() if name not in OF_THE_JUDGE}
    model = LGBMClassifier(n_jobs=1, verbosity=-1, random_state=99, **rest)
    fit = {"categorical_feature": schema.categorical}
    return float(cross_val_score(model, rows.X, rows.y, scoring="roc_auc", cv=other, params=fit).mean())


OF_THE_JUDGE = {"n_jobs", "num_threads", "verbosity", "verbose", "random_state", "seed"}


def measured(find: Search, *given: Any) -> tuple[Found, Seconds]:
    """What it found, and what that took."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = find(*given)
    return found, Seconds(time.process_time() - cpu, time.perf_counter() - wall)


if __name__ == "__main__":
    main()
