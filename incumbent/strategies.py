"""How a study picks what to try next; each strategy is one of Optuna's own samplers."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution

from incumbent.errors import BadParams
from incumbent.params import SearchParams

Space = Callable[[optuna.Trial], Any]


def make_sampler(search: SearchParams, seed: int, space: Space) -> optuna.samplers.BaseSampler:
    """The sampler that `search.strategy` names, for trials of this space.

    grid: every combination of search.grid, other options in the middle of their range. random. tpe:
    tree-structured Parzen estimator (Bergstra et al. 2011). gp: Gaussian process with expected improvement;
    needs torch. cmaes: covariance matrix adaptation (Hansen 2016). genetic: NSGA-II (Deb et al. 2002), here
    with one objective. Raises BadParams for a grid that does not fit the space or the number of trials,
    and for gp without torch.
    """
    # Half of a small budget explores at random, the rest follows the model of what was seen.
    startup = min(10, search.trials // 2)
    match search.strategy:
        case "grid":
            return _grid(search, seed, space)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
        case "gp":
            _require_torch()
            with _experimental():
                return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "genetic":
            # At least four generations, else nothing is ever inherited.
            return optuna.samplers.NSGAIISampler(
                seed=seed, population_size=max(2, min(50, search.trials // 4))
            )


def typical_options(space: Space) -> Any:
    """What the space gives in the middle of each range."""
    middles = {name: _middle(each) for name, each in _ranges(space).items()}
    return space(optuna.trial.FixedTrial(middles))


def _grid(search: SearchParams, seed: int, space: Space) -> optuna.samplers.BaseSampler:
    ranges = _ranges(space)
    unknown = sorted(search.grid.keys() - ranges.keys())
    if unknown or not search.grid:
        raise BadParams(
            f"search.grid names {unknown or 'nothing'}; the learner's options are {sorted(ranges)}"
        )
    for name, values in search.grid.items():
        outside = [value for value in values if not ranges[name]._contains(value)]
        if outside:
            raise BadParams(f"search.grid.{name} has {outside}, outside of {_bounds(ranges[name])}")
    combinations = math.prod(len(values) for values in search.grid.values())
    if combinations > search.trials:
        raise BadParams(
            f"search.grid has {combinations} combinations, more than search.trials = {search.trials}; "
            "raise the one or thin out the other"
        )
    fixed = {name: _middle(each) for name, each in ranges.items() if name not in search.grid}
    with _experimental():
        return optuna.samplers.PartialFixedSampler(fixed, optuna.samplers.GridSampler(search.grid, seed=seed))


def _ranges(space: Space) -> dict[str, BaseDistribution]:
    """The distributions that a trial asks for, by name."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trial = optuna.create_study().ask()
    space(trial)
    return trial.distributions


def _bounds(each: BaseDistribution) -> str:
    return f"[{each.low}, {each.high}]" if hasattr(each, "low") else str(each)


def _middle(each: Any) -> Any:
    """Halfway between the bounds, geometrically where the scale is logarithmic."""
    if not hasattr(each, "low"):
        return each.choices[0]
    middle = math.sqrt(each.low * each.high) if each.log else (each.low + each.high) / 2
    return round(middle) if isinstance(each, IntDistribution) else middle


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise BadParams("search.strategy = 'gp' needs torch, which is not installed; or choose tpe")


@contextmanager
def _experimental() -> Iterator[None]:
    """Optuna warns that some samplers may still change; our versions are pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
