"""Search the learner's options by cross-validation: one study, one set of bins, hopeless trials cut short."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from incumbent.fitting import Portion, portions
from incumbent.folds import folds, over_folds
from incumbent.learners import Fold, Learner
from incumbent.params import Params, SearchParams
from incumbent.rows import Rows
from incumbent.schema import Schema
from incumbent.strategies import make_sampler

# A trial is dropped when it is worse than the best on each of its first three folds (Wilcoxon's p = 1/8).
# Fixed, and not the number of cores, so that a study gives the same result on every machine.
PRUNE_AFTER, PRUNE_AT = 3, 0.2


@dataclass(frozen=True)
class TrialResult:
    """`value` is the mean fold score (greater is better), for a pruned trial an estimate from its folds."""

    number: int
    value: float
    options: dict[str, Any]
    folds: tuple[float, ...]
    rounds: tuple[int, ...]
    pruned: bool


@dataclass(frozen=True)
class StudyResult:
    """The winner's options and rounds (median over folds), and every trial."""

    options: dict[str, Any]
    rounds: int
    trials: tuple[TrialResult, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: dict[str, Any]) -> "StudyResult":
        trials = tuple(
            TrialResult(**{**trial, "folds": tuple(trial["folds"]), "rounds": tuple(trial["rounds"])})
            for trial in document["trials"]
        )
        return StudyResult(document["options"], document["rounds"], trials)


def tune(rows: Rows, learner: Learner, schema: Schema, params: Params) -> StudyResult:
    """Run the study. A function of its arguments alone: same rows, space and seed, same result.

    It does not start from the champion's options on purpose: see docs/decisions/0004.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search, seed = params.search, params.seed
    binned = learner.bin(rows.X, rows.y)
    splits = portions(rows, folds(rows, search, seed), learner, schema, params, binned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=PRUNE_AT, n_startup_steps=PRUNE_AFTER - 1)
    sampler = make_sampler(search, seed, learner.search_space)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        options = learner.search_space(trial)
        trial.set_user_attr("options", options)
        seen: list[Fold] = []

        def fit(fold: Portion) -> Fold:
            return learner.fit_fold(fold.lot.binned, options, fold.lot.rows, fold.held, fold.lot.weights)

        for wave in (splits[:PRUNE_AFTER], splits[PRUNE_AFTER:]):
            done = over_folds(fit, wave)
            for number, fold in enumerate(done, start=len(seen)):
                trial.report(fold.score, number)
            seen += done
            if trial.should_prune():
                break
        trial.set_user_attr("rounds", [fold.rounds for fold in seen])
        return _estimate(study, [fold.score for fold in seen], len(splits))

    study.optimize(objective, n_trials=search.trials, timeout=search.timeout, callbacks=_stop_rules(search))
    trials = tuple(_results(study, len(splits)))
    best = max((trial for trial in trials if not trial.pruned), key=lambda trial: trial.value)
    return StudyResult(best.options, int(np.median(best.rounds)), trials)


def _stop_rules(search: SearchParams) -> list[Callable[[optuna.Study, FrozenTrial], None]]:
    def stalled(study: optuna.Study, trial: FrozenTrial) -> None:
        if search.stall is not None and trial.number - study.best_trial.number >= search.stall:
            study.stop()

    return [stalled]


def _estimate(study: optuna.Study, scores: list[float], count: int) -> float:
    """The mean of all folds; a pruned trial gets the best's mean plus its mean paired difference.

    Its own mean would mislead the sampler: the folds it saw may be the easy ones.
    """
    if len(scores) == count:
        return float(np.mean(scores))
    best = study.best_trial
    paired = [score - best.intermediate_values[number] for number, score in enumerate(scores)]
    return float(best.value or 0.0) + float(np.mean(paired))


def _results(study: optuna.Study, count: int) -> Iterator[TrialResult]:
    for trial in study.trials:
        scores = tuple(trial.intermediate_values[number] for number in sorted(trial.intermediate_values))
        yield TrialResult(
            trial.number,
            float(trial.value or 0.0),
            trial.user_attrs["options"],
            scores,
            tuple(trial.user_attrs["rounds"]),
            pruned=len(scores) < count,
        )
