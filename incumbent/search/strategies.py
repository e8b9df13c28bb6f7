"""How a study chooses the options of its next trial; each strategy is one of Optuna's own samplers."""

import itertools
import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from incumbent.errors import BadParams
from incumbent.params import SearchParams
from incumbent.search.studies import quiet, slots

Space = Callable[[optuna.Trial], Any]


class StrategySampler(BaseSampler):
    """The strategy that `search.strategy` names, with a new sampler for each trial.

    The sampler's seed follows from the trial's slot. So a trial's options are a function of the seed, its
    slot and the trials before it, and a study resumes in another process as if it had never stopped.
    `trials`: the number of trials to run.

    grid: every combination of search.grid, other options in the middle of their range. random. tpe:
    tree-structured Parzen estimator (Bergstra et al. 2011). gp: Gaussian process with expected improvement;
    needs torch. cmaes: covariance matrix adaptation (Hansen 2016). genetic: NSGA-II (Deb et al. 2002), here
    with one objective. Raises BadParams for a grid that does not fit the space or the number of trials,
    and for gp without torch.
    """

    def __init__(self, search: SearchParams, seed: int, space: Space) -> None:
        if search.strategy == "gp" and find_spec("torch") is None:
            raise BadParams("search.strategy = 'gp' needs torch, which is not installed; or choose tpe")
        self._search, self._seed = search, seed
        self._grid = _combinations(search, space) if search.strategy == "grid" else []
        self.trials = len(self._grid) or search.trials
        self._number, self._drawing = -1, self._sampler(0)

    def _of(self, study: optuna.Study, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number, self._drawing = trial.number, self._sampler(slots(study)[trial.number])
        return self._drawing

    def _sampler(self, slot: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self._seed, slot]).generate_state(1)[0])
        # Half of a small budget explores at random; the rest follows the sampler's model of past trials.
        startup = min(10, self._search.trials // 2)
        with quiet():
            match self._search.strategy:
                case "grid":
                    point = self._grid[slot % self.trials]
                    return optuna.samplers.PartialFixedSampler(point, optuna.samplers.RandomSampler(seed))
                case "random":
                    return optuna.samplers.RandomSampler(seed)
                case "tpe":
                    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
                case "gp":
                    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
                case "cmaes":
                    return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
                case "genetic":
                    # Small enough for at least four generations, else nothing is inherited.
                    population = max(2, min(50, self._search.trials // 4))
                    return optuna.samplers.NSGAIISampler(seed=seed, population_size=population)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._of(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._of(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._of(study, trial).before_trial(study, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self._of(study, trial).after_trial(study, trial, state, values)


def typical_options(space: Space) -> Any:
    """The options in the middle of each range."""
    middles = {name: _middle(each) for name, each in _ranges(space).items()}
    return space(optuna.trial.FixedTrial(middles))


def _combinations(search: SearchParams, space: Space) -> list[dict[str, Any]]:
    """All combinations of search.grid, shuffled so that a study cut short has tried most values."""
    ranges = _ranges(space)
    unknown = sorted(search.grid.keys() - ranges.keys())
    if unknown or not search.grid:
        raise BadParams(
            f"search.grid names {unknown or 'nothing'}; the learner's options are {sorted(ranges)}"
        )
    for name, values in search.grid.items():
        outside = [value for value in values if not _holds(ranges[name], value)]
        if outside:
            raise BadParams(f"search.grid.{name} has {outside}, outside of {_bounds(ranges[name])}")
    combinations = math.prod(len(values) for values in search.grid.values())
    if combinations > search.trials:
        raise BadParams(
            f"search.grid has {combinations} combinations, more than search.trials = {search.trials}; "
            "raise search.trials, or remove values from the grid"
        )
    fixed = {name: _middle(each) for name, each in ranges.items() if name not in search.grid}
    points = [
        {**fixed, **dict(zip(search.grid, values, strict=True))}
        for values in itertools.product(*search.grid.values())
    ]
    return [points[each] for each in np.random.default_rng(0).permutation(len(points))]


def _ranges(space: Space) -> dict[str, BaseDistribution]:
    """The distributions that a trial asks for, by name."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trial = optuna.create_study().ask()
    space(trial)
    return trial.distributions


def _holds(each: BaseDistribution, value: Any) -> bool:
    """Optuna itself says so when it makes a trial of the value."""
    try:
        optuna.trial.create_trial(value=0.0, params={"value": value}, distributions={"value": each})
    except ValueError:
        return False
    return True


def _bounds(each: BaseDistribution) -> str:
    return f"[{each.low}, {each.high}]" if hasattr(each, "low") else str(each)


def _middle(each: Any) -> Any:
    """Halfway between the bounds, geometrically where the scale is logarithmic."""
    if not hasattr(each, "low"):
        return each.choices[0]
    middle = math.sqrt(each.low * each.high) if each.log else (each.low + each.high) / 2
    return round(middle) if isinstance(each, IntDistribution) else middle
