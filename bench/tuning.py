"""Tuning with cross-validation: one binned Dataset for all folds and trials, against a search that rebins.

Both search the same space with the same number of trials on the same stratified folds of the same real
rows. The winners are judged by one common scikit-learn cross-validation with other folds. Prints CPU and
wall-clock ratios and both scores.

    python bench/tuning.py [--rows 50000] [--trials 12]
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
from lightgbm import LGBMClassifier
from scipy.stats import loguniform, randint, uniform
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold, cross_val_score

from incumbent.demo.flights import load_flights, write_months
from incumbent.learners import open_learner
from incumbent.params import Params, load_params
from incumbent.rows import Rows, training_rows
from incumbent.schema import Schema
from incumbent.tune import tune

# The bounds of LightGBM.search_space.
SPACE = {
    "learning_rate": loguniform(0.05, 0.2),
    "num_leaves": randint(15, 64),
    "min_child_samples": randint(20, 401),
    "colsample_bytree": uniform(0.3, 0.5),
    "subsample": uniform(0.5, 0.5),
    "reg_lambda": loguniform(1e-3, 100.0),
}
NAMES = {"colsample_bytree": "feature_fraction", "subsample": "bagging_fraction", "reg_lambda": "lambda_l2"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=50_000)
    arguments.add_argument("--trials", type=int, default=12)
    asked = arguments.parse_args()
    params = load_params(Path(__file__).parents[1])
    search = params.search.model_copy(update={"trials": asked.trials, "scheme": "stratified"})
    params = params.model_copy(update={"search": search})
    schema, rows = real_rows(params, asked.rows)
    learner = open_learner(params, schema)

    ours, our_cost = measured(lambda: tune(rows, learner, schema, params))
    peer, peer_cost = measured(lambda: random_search(rows, schema, search.folds, search.trials, params))

    our_options = {"n_estimators": ours.rounds, **ours.options}
    peer_options = {NAMES.get(name, name): value for name, value in peer.items()}
    scores = [judge(rows, schema, options) for options in (our_options, peer_options)]
    print(f"{len(rows.y):,} rows, {search.trials} trials, {search.folds} folds")
    print(f"{'':<22}{'CPU s':>9}{'wall s':>9}{'ROC AUC':>10}")
    for name, cost, score in zip(
        ("incumbent", "RandomizedSearchCV"), (our_cost, peer_cost), scores, strict=True
    ):
        print(f"{name:<22}{cost[0]:>9.1f}{cost[1]:>9.1f}{score:>10.4f}")
    print(
        f"ratio peer / incumbent: CPU {peer_cost[0] / our_cost[0]:.1f}, wall {peer_cost[1] / our_cost[1]:.1f}"
    )


def real_rows(params: Params, size: int) -> tuple[Schema, Rows]:
    with TemporaryDirectory() as folder:
        schema, rows = training_rows(write_months(load_flights(), Path(folder))[:6], params)
    chosen = np.sort(np.random.default_rng(0).choice(len(rows.y), min(size, len(rows.y)), replace=False))
    return schema, Rows(rows.X[chosen], rows.y[chosen], rows.group[chosen])


def random_search(rows: Rows, schema: Schema, folds: int, trials: int, params: Params) -> dict[str, float]:
    """As most projects do it: the estimator's own rounds, every fold binned anew, all cores."""
    splitter = StratifiedKFold(folds, shuffle=True, random_state=params.seed)
    model = LGBMClassifier(
        n_estimators=params.learner.rounds, subsample_freq=1, n_jobs=1, verbosity=-1, random_state=params.seed
    )
    found = RandomizedSearchCV(
        model, SPACE, n_iter=trials, scoring="roc_auc", cv=splitter, n_jobs=-1, refit=False,
        random_state=params.seed,
    )  # fmt: skip
    with joblib.parallel_config("threading"):  # in this process, so that its CPU is counted
        found.fit(rows.X, rows.y, categorical_feature=schema.categorical)
    return {"n_estimators": params.learner.rounds, "bagging_freq": 1, **found.best_params_}


def judge(rows: Rows, schema: Schema, options: dict[str, float]) -> float:
    """Mean ROC AUC over five other folds, the same for both."""
    splitter = StratifiedKFold(5, shuffle=True, random_state=99)
    model = LGBMClassifier(n_jobs=2, verbosity=-1, random_state=99, **options)
    fit = {"categorical_feature": schema.categorical}
    return float(cross_val_score(model, rows.X, rows.y, scoring="roc_auc", cv=splitter, params=fit).mean())


def measured(work):  # type: ignore[no-untyped-def]
    """The result, and (CPU seconds of all threads, wall seconds)."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, (time.process_time() - cpu, time.perf_counter() - wall)


if __name__ == "__main__":
    main()
