"""monitor looks every hour: how often it takes a sound model for decayed, and how soon it finds decay."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import binom

from incumbent.compare import critical_value
from incumbent.evaluation.watch import equal_groups, watch_at

START = date(2026, 1, 31)
SEQUENCES, DAYS, ROWS = 400, 30, 360  # looks are hourly; rows are predicted each day
MIN_ROWS, LEVEL = 200, 0.95


@pytest.mark.parametrize(
    ("age", "days", "number"),
    [
        pytest.param(-1, 0, 1, id="a clock that is behind"),
        pytest.param(0, 0, 1, id="the day it took office"),
        pytest.param(29, 29, 1, id="the first watch grows"),
        pytest.param(59, 59, 1, id="until the second is old enough"),
        pytest.param(60, 30, 2, id="the second"),
        pytest.param(89, 59, 2, id="and to its end"),
        pytest.param(90, 30, 3, id="the third"),
    ],
)
def test_a_watch_has_a_start_and_a_share_of_the_chance_to_err(age: int, days: int, number: int) -> None:
    watch = watch_at(START + timedelta(days=age), START, 30, 0.95)
    assert watch.days == days
    assert 1 - watch.confidence == pytest.approx(0.05 / (number * (number + 1)))


def test_the_chances_to_err_of_all_watches_add_up() -> None:
    ages = range(30, 30 * 3000, 30)
    risks = {watch_at(START + timedelta(days=age), START, 30, 0.9).confidence for age in ages}
    assert 0.0995 < sum(1 - each for each in risks) <= 0.1 + 1e-9


@dataclass(frozen=True)
class Looks:
    """Hourly looks at labelled rows, (sequences, looks): how much worse than promised, and how sure."""

    worse: np.ndarray
    error: np.ndarray
    groups: np.ndarray
    equal_groups: np.ndarray
    rows: np.ndarray

    def decayed(self, promise_error: float, *, again: bool) -> np.ndarray:
        """Whether each look says decayed: by the bounds over all looks, or by those of one."""
        watch = watch_at(START, START, DAYS, LEVEL)
        with np.errstate(all="ignore"):
            if again:
                wide = critical_value(self.rows / MIN_ROWS, self.equal_groups - 1, watch.confidence)
                enough = self.equal_groups >= 2
            else:
                wide, enough = stdtrit(self.groups - 1, 0.5 + LEVEL / 2), self.groups >= 2
            bound = np.hypot(wide * self.error, 1.96 * promise_error)
            return (self.rows >= MIN_ROWS) & enough & (self.worse > bound)


@pytest.mark.parametrize(
    ("rows", "equal"),
    [
        pytest.param([5, 5, 5], 3, id="of one size"),
        pytest.param([1] * 40, 40, id="rows"),
        pytest.param([300, 3], 1.02, id="hardly more than one"),
    ],
)
def test_groups_count_by_their_size(rows: list[int], equal: float) -> None:
    assert equal_groups(np.array(rows)) == pytest.approx(equal, abs=0.01)


def looks(loss: float, promise_error: float) -> Looks:
    """A model that is worse than promised by `loss`.

    A day's rows share an error and get their labels after a day and a half in the mean.
    """
    rng = np.random.default_rng(5)
    hours = np.arange(DAYS * 24)
    lag = hours[None, :] - 24 * np.arange(DAYS)[:, None]  # since the day began
    share = np.where(lag >= 0, np.exp(-np.maximum(lag, 0) / 36) * -np.expm1(-1 / 36), 0)
    new = rng.poisson(ROWS * share, (SEQUENCES, DAYS, len(hours)))
    day = rng.normal(scale=0.05, size=(SEQUENCES, DAYS, 1))
    sums = (new * day + np.sqrt(new) * rng.normal(scale=0.4, size=new.shape)).cumsum(2)
    counts = new.cumsum(2)
    rows, groups = counts.sum(1), (counts > 0).sum(1)
    with np.errstate(all="ignore"):
        mean = sums.sum(1) / rows
        squares = ((sums - counts * mean[:, None]) ** 2).sum(1)
        error = np.sqrt(squares * groups / (groups - 1)) / rows
        equal = equal_groups(np.moveaxis(counts, 1, 0))
    promise = rng.normal(scale=promise_error, size=(SEQUENCES, 1))
    return Looks(loss + mean - promise, error, groups, equal, rows)


@pytest.mark.parametrize("promise_error", [0.0, 0.01, 0.03])
def test_a_sound_model_looked_at_every_hour_for_a_month_is_seldom_called_decayed(
    promise_error: float,
) -> None:
    month = looks(0.0, promise_error)
    ever, fixed = (month.decayed(promise_error, again=again).any(1).mean() for again in (True, False))
    print(
        f"sound, error of the promise {promise_error}: ever {ever:.3f}, at the level of one look {fixed:.3f}"
    )
    assert ever <= binom.ppf(0.999, SEQUENCES, 1 - LEVEL) / SEQUENCES
    assert fixed > 2 * (1 - LEVEL)


@pytest.mark.parametrize(("loss", "least"), [(0.1, 0.99), (0.06, 0.8)])
def test_a_decayed_model_is_found_within_the_month(loss: float, least: float) -> None:
    month = looks(loss, 0.01)
    again, once = (month.decayed(0.01, again=each) for each in (True, False))
    rows, before = (
        np.median(np.take_along_axis(month.rows, each.argmax(1)[:, None], 1)) for each in (again, once)
    )
    print(
        f"worse by {loss}: {again.any(1).mean():.3f} found, after {rows:,.0f} rows; at the level of one look,"
        f" which errs in a third of all months, after {before:,.0f}"
    )
    assert again.any(1).mean() > least
    assert rows < DAYS * ROWS / 2
