"""Search the learner's options by cross-validation: one study, one set of bins, hopeless trials cut short."""

import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from pydantic import TypeAdapter

from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.learners import Learner
from incumbent.params import Params, SearchParams
from incumbent.search import studies
from incumbent.search.objective import BeyondBudget, Objective
from incumbent.search.strategies import Space, StrategySampler
from incumbent.search.studies import StudyRef, join_study, open_study
from incumbent.training.folds import Split, folds, scored_folds
from incumbent.training.training_sets import Tuned, make_folds

# What a study keeps of itself: when no new trial begins any more (Unix time), and that it is over.
DEADLINE, OVER = "deadline", "over"
# With fewer trials, which option mattered is a guess.
FEW = 10
# Seconds after which a worker without work looks again whether another one died.
POLL = 1.0


@dataclass(frozen=True)
class TrialResult:
    """`value` is the mean score of `folds` after `rounds` (greater is better), the best that it reached.

    For a pruned trial `folds` are those that it saw, as they were when it was given up, and `value` an
    estimate. `number` is its place in the budget, and `worker` the number of the process that made it.
    `curve`: (rounds, mean score over the folds) at each step; empty for a scheme without curves.

    `seconds` that it took, and `loss_growth`, the largest Point.loss_growth of its folds: for anomalies, no
    part of the result, nor of its document.
    """

    number: int
    value: float
    options: dict[str, Any]
    folds: tuple[float, ...]
    rounds: int
    pruned: bool
    worker: int = 0
    curve: tuple[tuple[int, float], ...] = ()
    seconds: float | None = field(default=None, compare=False)
    loss_growth: float | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in ("seconds", "loss_growth")}


@dataclass(frozen=True)
class StudyResult:
    """The winner's options and rounds, every trial, and how much each option mattered.

    `importances` sum to one (see _importances); empty when there were too few trials to tell.
    """

    options: dict[str, Any]
    rounds: int
    trials: tuple[TrialResult, ...]
    importances: dict[str, float] = field(default_factory=dict)

    @property
    def tuned(self) -> Tuned:
        return Tuned(self.options, self.rounds)

    @property
    def workers(self) -> int:
        """How many processes took part."""
        return len({trial.worker for trial in self.trials})

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "trials": [trial.to_json() for trial in self.trials]}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "StudyResult":
        return _STUDY.validate_python(document)


_STUDY = TypeAdapter(StudyResult)


def tune(
    rows: Rows, learner: Learner, schema: Schema, params: Params, place: StudyRef | None = None
) -> StudyResult:
    """Run the study in this process. A function of the other arguments alone, wherever it is kept.

    Same rows, space and seed, same result, also when it goes on with the trials that a process which died
    left at `place`. It does not start from the champion's options on purpose: see docs/decisions/0004.
    """
    with studies.explained():
        study = open_study(place, _strategy(params.search, learner.search_space, params.seed))
        if not is_over(study):
            if place is not None:
                study = studies.without_unfinished(study, place)
            study.set_user_attr(DEADLINE, None)
            _make_trials(study, rows, learner, schema, params, worker=0)
        return conclude(study)


def begin(search: SearchParams, space: Space, seed: int, place: StudyRef) -> optuna.Study:
    """Open a study for workers to join, or go on with one whose workers are gone."""
    with studies.explained():
        study = open_study(place, _strategy(search, space, seed))
        if not is_over(study):
            studies.retry_failed(study)
            study.set_user_attr(DEADLINE, None)
        return study


def join(rows: Rows, learner: Learner, schema: Schema, params: Params, place: StudyRef, worker: int) -> None:
    """One worker's share of a study that was begun: trials until the budget of all workers is used up."""
    with studies.explained():
        study = join_study(place, _strategy(params.search, learner.search_space, params.seed))
        _make_trials(study, rows, learner, schema, params, worker)


def conclude(study: optuna.Study) -> StudyResult:
    """Close the study, and say who won."""
    study.set_user_attr(OVER, True)
    trials = tuple(sorted(_results(study), key=lambda trial: trial.number))
    best = max((trial for trial in trials if not trial.pruned), key=lambda trial: trial.value)
    return StudyResult(best.options, best.rounds, trials, _importances(study))


def is_over(study: optuna.Study) -> bool:
    """Was it concluded?"""
    return bool(study.user_attrs.get(OVER))


def whats_next(study: optuna.Study, search: SearchParams) -> Literal["try", "wait", "end"]:
    """For a worker: begin a trial, see what becomes of those under way, or leave: the budget is used up."""
    states = {trial.state for trial in study.get_trials(deepcopy=False)}
    if TrialState.COMPLETE in states and _out_of_time_or_luck(study, search):
        return "end"
    begun = len(set(studies.slots(study).values()))
    if begun < study.sampler.trials or TrialState.WAITING in states:
        return "try"
    return "wait" if TrialState.RUNNING in states else "end"


def _strategy(search: SearchParams, space: Space, seed: int) -> StrategySampler:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return StrategySampler(search, seed, space)


def _make_trials(
    study: optuna.Study, rows: Rows, learner: Learner, schema: Schema, params: Params, worker: int
) -> None:
    """One trial after the other, until the budget of all workers is used up."""
    search, binned = params.search, learner.bin(rows.X, rows.y)
    portioned = make_folds(rows, _scored(rows, params), learner, schema, params, binned)
    objective = Objective(study, learner, portioned, params, worker)
    if search.timeout is not None and study.user_attrs.get(DEADLINE) is None:
        study.set_user_attr(DEADLINE, time.time() + search.timeout)
    awaited: set[int] = set()
    while (step := whats_next(study, search)) != "end":
        if step == "try":
            study.optimize(objective, n_trials=1, catch=BeyondBudget)
        else:
            time.sleep(POLL)
            studies.fail_silent(study, awaited)


def _scored(rows: Rows, params: Params) -> list[Split]:
    splits = folds(rows, params.search, params.seed)
    if params.search.scheme == "leave-one-out":
        return splits
    return [splits[number] for number in scored_folds(rows.y, splits, params)]


def _out_of_time_or_luck(study: optuna.Study, search: SearchParams) -> bool:
    deadline = study.user_attrs.get(DEADLINE)
    if deadline is not None and time.time() >= deadline:
        return True
    best = study.best_trial.number
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return search.stall is not None and sum(trial.number > best for trial in ended) >= search.stall


def _results(study: optuna.Study) -> Iterator[TrialResult]:
    slots = studies.slots(study)
    for trial in study.get_trials(states=(TrialState.COMPLETE,)):
        yield TrialResult(
            slots[trial.number],
            float(trial.value or 0.0),
            trial.user_attrs["options"],
            tuple(trial.intermediate_values[number] for number in sorted(trial.intermediate_values)),
            trial.user_attrs["rounds"],
            trial.user_attrs["pruned"],
            trial.user_attrs["worker"],
            tuple((int(rounds), float(mean)) for rounds, mean in trial.user_attrs.get("curve", ())),
            trial.user_attrs.get("seconds"),
            trial.user_attrs.get("loss_growth"),
        )


def _importances(study: optuna.Study) -> dict[str, float]:
    """By PED-ANOVA (Watanabe et al. 2023): which options the good trials agree on."""
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < FEW:
        return {}
    with studies.quiet():
        warnings.simplefilter("error", UserWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        try:
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except UserWarning:
            return {}  # so many trials are equal that no good ones stand out
    return {name: float(share) for name, share in found.items()}
