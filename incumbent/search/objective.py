"""What a study maximises: the score of a trial's options in cross-validation."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from incumbent.compare import score
from incumbent.errors import NotFinite
from incumbent.learners import Learner, Point
from incumbent.params import METRICS, Params
from incumbent.search import studies
from incumbent.search.curves import Curves, race
from incumbent.training.folds import over_folds
from incumbent.training.training_sets import Fold


class BeyondBudget(Exception):
    """Two workers began the last trial at once; the second one's does not count."""


class Objective:
    """Called with a trial, it trains on the folds and returns the score, greater is better.

    One for all trials that a process makes: they share the folds and their bins. `worker` is the number of
    the process. What a trial leaves besides its score, options and rounds among it, are its user attributes.
    """

    def __init__(
        self, study: optuna.Study, learner: Learner, folds: Sequence[Fold], params: Params, worker: int
    ) -> None:
        self._study, self._learner, self._folds = study, learner, folds
        self._params, self._worker = params, worker

    def __call__(self, trial: optuna.Trial) -> float:
        """Raises BeyondBudget for a trial that is one too many."""
        if studies.slots(self._study)[trial.number] >= self._study.sampler.trials:
            raise BeyondBudget
        whole, begun = self._params.search.scheme == "leave-one-out", time.perf_counter()
        try:
            value = self._score_together(trial) if whole else self._score_folds(trial)
            _keep(trial, seconds=time.perf_counter() - begun)
            return value
        except NotFinite as error:
            raise self._diverged(trial, error) from error
        except (Exception, KeyboardInterrupt):
            raise  # Optuna fails the trial
        except BaseException:
            # This process was told to end: others need not wait for its trial.
            studies.give_back(self._study, trial.number)
            raise

    def _score_folds(self, trial: optuna.Trial) -> float:
        """The mean over the folds; an estimate of it for a trial that is pruned."""
        options, best = self._suggest(trial), _best(self._study)
        to_beat = best and Curves.from_json(best.user_attrs["curves"])
        growths: list[float] = []

        def grow(fold: Fold) -> Iterator[Point]:
            training = fold.training
            for point in self._learner.curve(
                training.binned, options, training.rows, fold.held, training.weights
            ):
                if point.loss_growth is not None:
                    growths.append(point.loss_growth)
                yield point

        curves, estimate = race(grow, self._folds, self._params.learner.patience, to_beat)
        step = curves.peak if estimate is None else -1
        for number, value in enumerate(curves.scores[:, step]):
            trial.report(float(value), number)
        drawn = list(zip(curves.rounds.tolist(), curves.mean.tolist(), strict=True))
        _keep(trial, rounds=int(curves.rounds[step]), pruned=estimate is not None, curve=drawn)
        if growths:
            _keep(trial, loss_growth=max(growths))
        if estimate is not None:
            return estimate
        _keep(trial, curves=curves.to_json())
        return float(curves.mean[step])

    def _score_together(self, trial: optuna.Trial) -> float:
        """A row alone neither has a score nor tells when to stop: all rows are scored together."""
        options, most = self._suggest(trial), self._params.learner.rounds
        rounds = trial.suggest_int("rounds", max(1, most // 10), most)

        def predict(fold: Fold) -> np.ndarray:
            training = fold.training
            model = self._learner.fit(training.binned, options, rounds, training.rows, training.weights)
            return fold.predicted(model)

        metric = self._params.fold_metric
        judging = self._params.promotion.model_copy(update={"metric": metric})
        y, predicted = np.concatenate([fold.y for fold in self._folds]), over_folds(predict, self._folds)
        value = score(y, np.concatenate(predicted), judging)
        value = value if METRICS[metric].greater_is_better else -value
        _keep(trial, rounds=rounds, pruned=False)
        trial.report(value, 0)
        return value

    def _diverged(self, trial: optuna.Trial, error: NotFinite) -> NotFinite:
        number, options = studies.slots(self._study)[trial.number], trial.user_attrs["options"]
        return NotFinite(
            f"trial {number} of the search diverged: {error}, with {in_words(options)}; give search.space in "
            "params.yaml a range of smaller rates"
        )

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        options = self._learner.search_space(trial)
        _keep(trial, options=options, worker=self._worker)
        return options


def in_words(options: Mapping[str, Any]) -> str:
    """A trial's options for people."""
    return ", ".join(f"{name} = {value:.4g}" for name, value in options.items())


def _keep(trial: optuna.Trial, **attributes: Any) -> None:
    for name, value in attributes.items():
        trial.set_user_attr(name, value)


def _best(study: optuna.Study) -> FrozenTrial | None:
    """The best trial that saw all folds to their end; what a pruned one has is an estimate."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    whole = (trial for trial in ended if not trial.user_attrs["pruned"])
    return max(whole, key=lambda trial: trial.value, default=None)
