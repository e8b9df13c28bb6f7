"""What the verdict's rule costs and finds: equal models, better ones, coverage, forecasts, and the price.

    python bench/judging.py [--sequences 1000] [--arrivals 40] [--tables 100]

Beside today's rule stands the one that it replaced: a fifth of the rows judge, those of the last three
arrivals, and the whole 95 % interval must be above zero.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.metrics import roc_auc_score

from incumbent.challenger import OUT_OF_SAMPLE, make_full, make_update, open_challenger, search
from incumbent.compare import ArrivalGain, Comparison, compare, confidence_sequence, forecast, suffices
from incumbent.evaluation.decide import Evidence, Promote, decide
from incumbent.features.out_of_sample import OutOfSample
from incumbent.models.model import Model
from incumbent.params import Params, PromotionParams
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import digest_of
from incumbent.training.lineage import Parent

DEFAULT = PromotionParams()
LIFETIME = PromotionParams(guarantee="lifetime")
ROWS, DAYS = 200, 20
"""Of an arrival."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sequences", type=int, default=1000)
    arguments.add_argument("--arrivals", type=int, default=40)
    arguments.add_argument("--tables", type=int, default=100)
    asked = arguments.parse_args()
    swaps(asked.sequences, asked.arrivals)
    forecasts(asked.sequences // 5)
    coverage(asked.tables)
    price()


@dataclass(frozen=True)
class Arrival:
    """Labels, days, and what the champion and this arrival's challenger predict of the rows."""

    y: np.ndarray
    day: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray

    def part(self, chosen: np.ndarray) -> "Arrival":
        return Arrival(*(each[chosen] for each in vars(self).values()))


def arrivals(rng: np.random.Generator, count: int, skill: float) -> Iterator[Arrival]:
    """skill: of the challenger, as a multiple of the champion's signal. A day's rows share an error of each
    model, so they are no independent observations."""
    for number in range(count):
        y = (rng.random(ROWS) < 0.2).astype(int)
        day = rng.integers(0, DAYS, ROWS)
        common = rng.normal(size=ROWS)

        own = [rng.normal(size=ROWS) + rng.normal(size=DAYS)[day] for _ in range(2)]
        champion, challenger = (
            signal * y + common + 0.35 * mine for signal, mine in zip((1.0, skill), own, strict=True)
        )
        yield Arrival(y, day + number * DAYS, champion, challenger)


Rule = Callable[[Sequence[Arrival], list[ArrivalGain]], bool]


def compared(rows: Sequence[Arrival], policy: PromotionParams) -> Comparison:
    joined = [np.concatenate(each) for each in zip(*(vars(each).values() for each in rows), strict=True)]
    y, day, champion, challenger = joined
    return compare(y, champion, challenger, day, policy)


def today(policy: PromotionParams) -> Rule:
    """All rows since the champion took office, the latest first, as many as a verdict takes."""

    def rule(so_far: Sequence[Arrival], gains: list[ArrivalGain]) -> bool:
        window = policy.window
        while True:
            comparison = compared(so_far[-window:], policy)
            if window >= len(so_far) or suffices(comparison, policy):
                break
            window *= 2
        new = compared(so_far[-1:], policy)
        gains.append(ArrivalGain(new.gain.value, new.standard_error, new.dof, new.rows))
        lifetime = confidence_sequence(gains, policy.lifetime_confidence)
        return isinstance(decide(Evidence(comparison, lifetime=lifetime), policy, "v1"), Promote)

    return rule


def before(so_far: Sequence[Arrival], gains: list[ArrivalGain]) -> bool:
    held = [each.part(each.day % 5 == 0) for each in so_far[-3:]]
    return compared(held, DEFAULT).gain.low > 0


def swaps(sequences: int, count: int) -> None:
    print(f"{sequences:,} sequences of {count} arrivals of {ROWS} rows in {DAYS} days; a challenger each")
    print("the champion is ever replaced, in the median after so many arrivals; gain: in ROC AUC")
    rules: dict[str, Rule] = {"before": before, "default": today(DEFAULT), "lifetime": today(LIFETIME)}
    print(f"{'gain':>8}" + "".join(f"{name:>18}" for name in rules))
    for skill in (1.0, 1.05, 1.1, 1.2):
        rng = np.random.default_rng(1)
        drawn = [
            list(arrivals(rng, count, skill)) for _ in range(sequences if skill == 1.0 else sequences // 5)
        ]
        gain = np.mean([compared(each, DEFAULT).gain.value for each in drawn[:100]])
        cells = []
        for rule in rules.values():
            first = [_first(each, rule) for each in drawn]
            acted = [each for each in first if each is not None]
            share, median = len(acted) / len(drawn), f"{np.median(acted):.0f}" if acted else "–"
            error = np.sqrt(share * (1 - share) / len(drawn))
            cells.append(f"{share:.1%} ± {1.96 * error:.1%} ({median})")
        print(f"{gain:>+8.4f}" + "".join(f"{each:>18}" for each in cells), flush=True)


def _first(drawn: Sequence[Arrival], rule: Rule) -> int | None:
    gains: list[ArrivalGain] = []
    return next((n for n in range(1, len(drawn) + 1) if rule(drawn[:n], gains)), None)


def forecasts(holds: int) -> None:
    """After how many more groups have eight of ten futures met the rule, and what was said?"""
    rng, ratios = np.random.default_rng(2), []
    long = compared(list(arrivals(rng, 200, 1.0)), DEFAULT)
    deviation = long.standard_error * np.sqrt(long.groups)
    while len(ratios) < holds:
        past = list(arrivals(rng, int(rng.integers(1, 5)), 1.0))
        held = compared(past, DEFAULT)
        if not isinstance(decide(Evidence(held), DEFAULT, "v1"), Promote):
            ratios.append(forecast(held, DEFAULT, len(past)).groups / _needed(rng, held, deviation))
    within = np.mean([1 / 1.5 <= each <= 1.5 for each in ratios])
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
    print(f"\n{holds} holds: what is said of the groups to come, divided by what eight of ten futures take:")
    print(f"{within:.0%} within a factor of 1.5; median {middle:.2f}, 80 % between {low:.2f} and {high:.2f}")


def _needed(rng: np.random.Generator, held: Comparison, deviation: float) -> float:
    """Groups until eight of ten futures have met the rule at an arrival, if the gain is the worthwhile one.

    deviation: the true one of a group's gain, which `held` only estimates.
    """
    margin, wanted = DEFAULT.margin_over(0.5), DEFAULT.worthwhile_over(0.5)
    steps = np.arange(1, 5001) * DAYS
    jumps = rng.normal(size=(200, len(steps)), scale=np.sqrt(DAYS) * deviation)
    sums = held.groups * held.gain.value + steps * wanted + np.cumsum(jumps, axis=1)
    total = held.groups + steps
    met = sums / total - margin >= ndtri(DEFAULT.probability) * deviation / np.sqrt(total)
    share = np.maximum.accumulate(met, axis=1).mean(axis=0)
    return float(steps[np.argmax(share >= 0.8)])


PARAMS = Params.model_validate(
    {
        "dataset": {"name": "bench", "target": "y", "positive": 1, "key": ["k"], "drop": ["k"]},
        "learner": {"name": "lightgbm", "rounds": 100, "patience": 20},
        "search": {"trials": 8, "folds": 5},
        "registry": {"address": "s3://bench/registry"},
    }
)


def table(rng: np.random.Generator, rows: int, first_key: int) -> pd.DataFrame:
    X = rng.normal(size=(rows, 8))
    logit = X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * np.sin(3 * X[:, 3]) + 0.3 * X[:, 4]
    frame = pd.DataFrame(X, columns=[f"x{number}" for number in range(8)])
    y = (rng.random(rows) < 1 / (1 + np.exp(1 - logit))).astype(int)
    return frame.assign(k=np.arange(first_key, first_key + rows), y=y)


def coverage(tables: int) -> None:
    """Out-of-fold comparison against the truth: the same two released models on 100,000 fresh rows."""
    rng = np.random.default_rng(3)
    fresh = table(rng, 100_000, 10**9)
    inside, bias, optimism = [], [], []
    for _ in range(tables):
        with TemporaryDirectory() as scratch:
            estimated, true, believed, kept = _one(rng, Path(scratch), fresh)
        inside.append(estimated.low <= true <= estimated.high)
        bias.append(estimated.value - true)
        optimism.append(believed - kept)
    error = np.std(bias, ddof=1) / np.sqrt(tables)
    print(
        f"\n{tables} tables of 2,000 and 1,000 rows, 8 trials: the challenger's gain, by the out-of-fold rows"
    )
    held = np.mean(inside)
    print(f"95 % intervals that hold the truth: {held:.0%}; mean error {np.mean(bias):+.4f} ± {error:.4f}")
    spread = np.std(optimism, ddof=1) / np.sqrt(tables)
    print(
        f"optimism of the search: ROC AUC of the best trial on its own folds, less that on folds drawn anew: "
        f"{np.mean(optimism):+.4f} ± {spread:.4f}"
    )


def _one(rng: np.random.Generator, folder: Path, fresh: pd.DataFrame) -> tuple[object, float, float, float]:
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, rows, first in zip(paths, (2000, 1000), (0, 10_000), strict=True):
        table(rng, rows, first).to_parquet(path, index=False)
    models: list[Model] = []
    for name, known in (("v1", paths[:1]), ("v2", paths)):
        (folder / name).mkdir()
        study = search(known, PARAMS)
        made = make_full(known, PARAMS, study, folder / name)
        models.append(open_challenger(made, PARAMS, folder / name, name))
    new = pd.read_parquet(paths[1])
    number, predicted = OutOfSample.load(folder / "v2" / OUT_OF_SAMPLE).in_partition(digest_of(paths[1]))
    rows = new.iloc[number]
    gain = compare(
        rows["y"].to_numpy(), models[0].predict(rows), predicted[0], rows["k"].to_numpy(), DEFAULT
    ).gain
    champion, challenger = (roc_auc_score(fresh["y"], each.predict(fresh)) for each in models)
    assert made.cv is not None
    return gain, challenger - champion, max(trial.value for trial in study.trials), made.cv.mean


def price() -> None:
    """Seconds of an update and of a full run, with and without what the judging rows add."""
    rng = np.random.default_rng(4)
    study = StudyResult({"num_leaves": 31, "learning_rate": 0.1}, 100, ())
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = [folder / f"{number}.parquet" for number in range(6)]
        for number, path in enumerate(paths):
            table(rng, 30_000, number * 10**6).to_parquet(path, index=False)
        home = folder / "full"
        home.mkdir()
        made = make_full(paths[:5], PARAMS, study, home)
        model = open_challenger(made, PARAMS, home, "v1")
        parent = Parent(model, home, made.lineage.balance, made.options, made.rows)

        def update(estimate: bool) -> None:
            (folder / f"update-{estimate}").mkdir(exist_ok=True)
            make_update(parent, paths[5:], PARAMS, folder / f"update-{estimate}", estimate=estimate)

        print("\nseconds, the best of three: without judging rows, with them, and the ratio")
        without, with_them = (_best(partial(update, estimate)) for estimate in (False, True))
        print(f"update of 30,000 rows         {without:6.2f}{with_them:6.2f}{with_them / without:8.2f}")
        study_seconds = _best(lambda: search(paths[:5], PARAMS), 1)
        training = _best(lambda: make_full(paths[:5], PARAMS, study, home))
        keeping = _best(lambda: OutOfSample.load(home / OUT_OF_SAMPLE).save(folder / "kept.parquet"))
        scoring = _best(lambda: model.predict(pd.read_parquet(paths[5])))
        whole, more = study_seconds + training, keeping + scoring
        print(f"full run of 150,000 rows      {whole:6.2f}{whole + more:6.2f}{(whole + more) / whole:8.2f}")
        print(
            "(a full run was cross-validated before, too; new is that the predictions are kept, and that the"
        )
        print("champion predicts all new rows)")


def _best(work: Callable[[], object], tries: int = 3) -> float:
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
