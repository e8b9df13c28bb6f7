"""Evidence that is looked at after every arrival: what the bounds are, and how often they ever err."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import log_ndtr, stdtrit
from scipy.stats import binom, norm

from incumbent.compare.anytime import (
    TIGHTEST,
    ArrivalGain,
    confidence_sequence,
    critical_value,
)

SEQUENCES, ARRIVALS = 1000, 40
CERTAIN = 1e9  # degrees of freedom of a standard error that is known


def arrivals(gains: Sequence[float], error: float | None = 0.01, rows: int = 100) -> list[ArrivalGain]:
    return [ArrivalGain(gain, error, None if error is None else 29.0, rows) for gain in gains]


gains_of_any_kind = st.lists(
    st.builds(
        ArrivalGain, st.floats(-0.2, 0.2), st.floats(1e-4, 0.1), st.floats(1, 500), st.integers(1, 10**6)
    ),
    min_size=1,
    max_size=12,
)


# --- what it says


@given(gains_of_any_kind, st.sampled_from([0.6, 0.8, 0.95, 0.99]))
def test_the_bounds_are_around_the_mean_by_rows(gains: list[ArrivalGain], confidence: float) -> None:
    sequence = confidence_sequence(gains, confidence)
    mean = np.average([each.gain for each in gains], weights=[each.rows for each in gains])
    assert (sequence.arrivals, sequence.rows) == (len(gains), sum(each.rows for each in gains))
    assert sequence.gain == pytest.approx(mean)
    if sequence.low is not None and sequence.high is not None:
        assert sequence.low < sequence.gain < sequence.high
        assert sequence.gain - sequence.low == pytest.approx(sequence.high - sequence.gain)


@given(gains_of_any_kind)
def test_more_confidence_is_a_wider_sequence(gains: list[ArrivalGain]) -> None:
    lows = [confidence_sequence(gains, confidence).low for confidence in (0.6, 0.8, 0.95, 0.99)]
    if None not in lows:
        assert lows == sorted(lows, reverse=True)  # type: ignore[type-var]


@given(gains_of_any_kind, st.floats(0.01, 100))
def test_the_unit_of_the_metric_does_not_matter(gains: list[ArrivalGain], unit: float) -> None:
    scaled = [
        ArrivalGain(each.gain * unit, (each.standard_error or 0) * unit, each.dof, each.rows)
        for each in gains
    ]
    one, other = confidence_sequence(gains, 0.9), confidence_sequence(scaled, 0.9)
    if one.low is not None:
        assert other.low == pytest.approx(one.low * unit)


@given(gains_of_any_kind)
def test_the_other_model_has_the_mirrored_bounds(gains: list[ArrivalGain]) -> None:
    sequence, mirrored = confidence_sequence(gains, 0.9), confidence_sequence(gains, 0.9).reversed()
    assert mirrored.gain == -sequence.gain
    if sequence.low is not None and sequence.high is not None:
        assert (mirrored.low, mirrored.high) == (-sequence.high, -sequence.low)


def test_it_is_wider_than_the_interval_of_a_single_look() -> None:
    sequence = confidence_sequence(arrivals([0.02] * 10), 0.95)
    assert sequence.low is not None
    fixed = norm.ppf(0.95) * 0.01 / np.sqrt(10)
    assert 1.5 < (sequence.gain - sequence.low) / fixed < 2


def test_arrivals_add_up() -> None:
    lows = [confidence_sequence(arrivals([0.02] * count), 0.95).low for count in range(1, 30)]
    assert lows == sorted(lows)  # type: ignore[type-var]
    assert confidence_sequence(arrivals([0.02] * 20), 0.95).exceeds(0.01)
    assert not confidence_sequence(arrivals([0.02] * 20), 0.95).exceeds(0.015)


def test_few_groups_widen_it_as_student_says() -> None:
    assert critical_value(5, 2, 0.95) > critical_value(5, 20, 0.95) > critical_value(5, CERTAIN, 0.95)


@pytest.mark.parametrize(
    "gains",
    [
        pytest.param(arrivals([0.5], error=None), id="a day alone"),
        pytest.param(arrivals([0.02] * 7, error=None), id="days that all say the same"),
        pytest.param(arrivals([0.02] * 7, error=0.0), id="errors of zero"),
        pytest.param(arrivals([0.0] * 7, error=0.0), id="two models that predict the same"),
    ],
)
def test_what_does_not_vary_has_no_bounds_and_convinces_nobody(gains: list[ArrivalGain]) -> None:
    sequence = confidence_sequence(gains, 0.6)
    assert (sequence.gain, sequence.low, sequence.high) == (pytest.approx(gains[0].gain), None, None)
    assert not sequence.exceeds(0)


def test_without_arrivals_there_is_no_sequence() -> None:
    with pytest.raises(ValueError, match="needs an arrival"):
        confidence_sequence([], 0.95)


def test_days_of_one_group_are_judged_by_their_spread() -> None:
    sequence = confidence_sequence(arrivals([0.021, 0.019, 0.02, 0.022, 0.018, 0.02], error=None), 0.95)
    assert sequence.exceeds(0)
    assert str(sequence).startswith("+0.0200 [+0.0")
    assert str(sequence).endswith("over 6 arrivals")
    assert not confidence_sequence(arrivals([0.06, -0.05, 0.05, -0.04, 0.1], error=None), 0.8).exceeds(0)


# --- the published boundaries


def mixture(variance: float, prior: float, alpha: float) -> float:
    """The half-normal mixture's one-sided boundary, solved; in standard errors (Howard et al. 2021, 3.2)."""

    def log_martingale(total: float) -> float:
        spread = variance + prior
        likelihood = total**2 / (2 * spread) + log_ndtr(total / np.sqrt(spread))
        return float(np.log(2) + 0.5 * np.log(prior / spread) + likelihood + np.log(alpha))

    return float(brentq(log_martingale, 0, 1e4) / np.sqrt(variance))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("growth", [1, 3, 10, 40, 400])
def test_the_closed_form_is_a_little_wider_than_the_solved_mixture(confidence: float, growth: float) -> None:
    logs = -2 * np.log(1 - confidence)
    solved = mixture(growth, TIGHTEST / (logs + np.log1p(logs)), 1 - confidence)
    assert solved <= critical_value(growth, CERTAIN, confidence) <= 1.09 * solved


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("groups", [30, 300, 3000])
def test_many_groups_give_the_asymptotic_confidence_sequence(alpha: float, groups: int) -> None:
    """The two-sided formula (Waudby-Smith et al. 2024, eq. 11): each of our bounds has half of its alpha."""
    logs = -2 * np.log(alpha / 2)
    prior = (logs + np.log1p(logs)) / TIGHTEST
    scaled = groups * prior
    published = np.sqrt(2 * (scaled + 1) / scaled * np.log(np.sqrt(scaled + 1) / alpha))
    assert critical_value(groups, CERTAIN, 1 - alpha / 2) == pytest.approx(published, rel=0.01)


def test_the_boundary_is_tightest_after_a_few_arrivals() -> None:
    growth = np.arange(1, 100)
    # In units of the mean: how the sequence narrows relative to a fixed interval.
    assert 4 <= growth[np.argmin(critical_value(growth, CERTAIN, 0.95))] <= 8


# --- how often it ever errs

Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(3, size=shape) / np.sqrt(3)


def sequences(noise: Noise, days: tuple[int, int], unequal: float, effect: float = 0.0) -> np.ndarray:
    """(SEQUENCES, ARRIVALS): each an arrival's gain as a structured array of gain, error, dof and rows.

    Groups are days: a gain per day, as rows of a day share its error. Arrivals have `days` from - to days,
    whose rows differ by the factor exp(unequal * normal), as the arrivals' own do.
    """
    rng, most = np.random.default_rng(17), days[1]
    count = rng.integers(days[0], most + 1, size=(SEQUENCES, ARRIVALS))
    there = np.arange(most) < count[..., None]
    sizes = rng.normal(size=(SEQUENCES, ARRIVALS, 1)) + 0.5 * rng.normal(size=there.shape)
    rows = np.ceil(200 * np.exp(unequal * sizes)) * there
    gains = (noise(rng, there.shape) + effect) * there
    total = rows.sum(-1)
    gain = (rows * gains).sum(-1) / total
    squares = ((rows * (gains - gain[..., None]) / total[..., None]) ** 2 * there).sum(-1)
    with np.errstate(all="ignore"):
        error = np.sqrt(squares * count / (count - 1))
    drawn = np.zeros(total.shape, dtype=[(name, float) for name in ("gain", "error", "dof", "rows")])
    drawn["gain"], drawn["error"], drawn["dof"], drawn["rows"] = gain, error, count - 1, total
    return drawn


def ever(drawn: np.ndarray, confidence: float) -> tuple[float, float]:
    """The share of sequences that ever exceed zero: by the confidence sequence, and by a fixed level."""
    if (drawn["dof"] == 0).any():
        standardised, growth, dof = _by_spread(drawn)
    else:
        variances = (drawn["rows"] * drawn["error"]) ** 2
        total = variances.cumsum(1)
        dof = total**2 / (variances**2 / drawn["dof"]).cumsum(1)
        growth = total / variances[:, :1]
        standardised = (drawn["rows"] * drawn["gain"]).cumsum(1) / np.sqrt(total)
    anytime = (standardised > critical_value(growth, dof, confidence)).any(1)
    fixed = (standardised > stdtrit(dof, confidence)).any(1)
    return float(anytime.mean()), float(fixed.mean())


def _by_spread(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, gain = drawn["rows"], drawn["gain"]
    total, squares = rows.cumsum(1), (rows**2).cumsum(1)
    mean = (rows * gain).cumsum(1) / total
    with np.errstate(all="ignore"):
        spread = ((rows * gain**2).cumsum(1) / total - mean**2) / (1 - squares / total**2)
        standardised = total * mean / np.sqrt(spread * squares)
    dof = np.broadcast_to(np.arange(rows.shape[1], dtype=float), rows.shape)
    return standardised[:, 1:], (squares / rows[:, :1] ** 2)[:, 1:], dof[:, 1:]


@pytest.mark.parametrize("days", [pytest.param((3, 7), id="days"), pytest.param((1, 1), id="one")])
def test_the_simulation_computes_what_the_function_does(days: tuple[int, int]) -> None:
    drawn = sequences(normal, days, 1.0, effect=0.5)[:40, :6]
    said = []
    for sequence in drawn:
        gains = [
            ArrivalGain(
                each["gain"], each["error"] if each["dof"] else None, each["dof"] or None, each["rows"]
            )
            for each in sequence
        ]
        said.append(any(confidence_sequence(gains[:count], 0.8).exceeds(0) for count in range(1, 7)))
    assert [bool(ever(sequence[None], 0.8)[0]) for sequence in drawn] == said
    assert 0 < sum(said) < 40


@pytest.mark.parametrize("confidence", [0.95, 0.8])
@pytest.mark.parametrize("noise", [normal, heavy])
@pytest.mark.parametrize(
    ("days", "unequal"),
    [
        pytest.param((28, 31), 0.0, id="months of days"),
        pytest.param((3, 7), 0.0, id="few days"),
        pytest.param((3, 7), 1.0, id="few days, unequal arrivals"),
        pytest.param((2, 2), 1.0, id="two days"),
        pytest.param((1, 1), 0.0, id="a day, judged by the spread of days"),
        pytest.param((1, 1), 1.0, id="unequal days"),
    ],
)
def test_equal_models_are_ever_told_apart_at_most_at_the_stated_rate(
    days: tuple[int, int], unequal: float, noise: Noise, confidence: float
) -> None:
    anytime, fixed = ever(sequences(noise, days, unequal), confidence)
    print(f"{days} days, {noise.__name__}, {confidence}: ever {anytime:.3f}, at a fixed level {fixed:.3f}")
    assert anytime <= binom.ppf(0.999, SEQUENCES, 1 - confidence) / SEQUENCES
    assert fixed > 2.5 * (1 - confidence)


@pytest.mark.parametrize(
    ("effect", "least"),
    [pytest.param(0.5, 0.99, id="half a deviation a day"), pytest.param(0.2, 0.4, id="a fifth")],
)
def test_a_better_model_is_told_within_forty_arrivals(effect: float, least: float) -> None:
    power, _ = ever(sequences(normal, (3, 7), 0.0, effect), 0.95)
    print(f"power at {effect} of a day's deviation: {power:.3f}")
    assert power > least
