"""Trials that went wrong: a loss that grew instead of falling, and a trial far slower than the others."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from incumbent.params import METRICS
from incumbent.search.objective import in_words
from incumbent.search.tune import TrialResult
from incumbent.training.anomalies import Anomaly

GROWTH = 10.0
"""How many times its size a loss or an error must grow to; a rate that is high but works stays below four."""
SLOW, FEW, NOTICEABLE = 10.0, 4, 5.0
"""How many times slower than the median a trial must be; of at least so many trials; and its seconds."""


def trial_anomalies(trials: Sequence[TrialResult], metric: str) -> list[Anomaly]:
    """metric: the one that the trials are scored by."""
    return [*_diverged(trials, metric), *_slow(trials)]


def _diverged(trials: Sequence[TrialResult], metric: str) -> Iterator[Anomaly]:
    """By the loss on the training rows where the learner tells it, else by an error that has no upper end."""
    for trial in trials:
        growth = trial.loss_growth if trial.loss_growth is not None else _error_growth(trial, trials, metric)
        if growth is not None and growth >= GROWTH:
            yield Anomaly(
                "diverging_loss",
                f"trial {trial.number}: the loss grew to {growth:,.0f} times what it was at first, with "
                f"{in_words(trial.options)}; smaller rates in search.space keep it from that",
                growth,
            )


def _error_growth(trial: TrialResult, trials: Sequence[TrialResult], metric: str) -> float | None:
    """Its last error in units of the smallest first error of all trials."""
    if METRICS[metric].greater_is_better and metric != "r2":
        return None
    top = 1.0 if metric == "r2" else 0.0
    first = [top - each.curve[0][1] for each in trials if each.curve]
    if not trial.curve or min(first) <= 0:
        return None
    return (top - trial.curve[-1][1]) / min(first)


def _slow(trials: Sequence[TrialResult]) -> Iterator[Anomaly]:
    """Slow for a round of a fold, and for the size of its model as well: a large model takes its time."""
    timed = [trial for trial in trials if trial.seconds]
    if len(timed) < FEW:
        return
    pace = {trial.number: _seconds_a_round(trial) for trial in timed}
    for_size = {trial.number: pace[trial.number] / _size(trial.options) for trial in timed}
    usual, usual_for_size = median(pace.values()), median(for_size.values())
    for trial in timed:
        times = min(pace[trial.number] / usual, for_size[trial.number] / usual_for_size)
        if times >= SLOW and (trial.seconds or 0.0) >= NOTICEABLE:
            yield Anomaly(
                "slow_trial",
                f"trial {trial.number} took {trial.seconds:,.0f} s, {times:,.0f} times as long for a round "
                f"as the median of {len(timed)} trials, with {in_words(trial.options)}; something else may "
                "have kept the machine busy",
                times,
            )


def _seconds_a_round(trial: TrialResult) -> float:
    rounds = trial.curve[-1][0] if trial.curve else trial.rounds
    return (trial.seconds or 0.0) / (max(rounds, 1) * max(len(trial.folds), 1))


def _size(options: Mapping[str, Any]) -> float:
    """About how the work of a round grows with the model; 1 for options that do not change it."""
    return float(options.get("num_leaves", 1) * options.get("width", 1) ** 2 * options.get("depth", 1))
