"""Evidence that may be looked at after every arrival: a confidence sequence for the mean gain.

An interval of 95 % errs in 5 % of single looks, and after forty looks far more often. The bounds here hold
after all arrivals at once, so one may act on the first that convinces and go on looking when none does.

The sum of gains, each times its rows, is a random walk whose variance is known arrival by arrival. Its
boundary is that of the normal mixture in variance time (Robbins 1970; Howard et al. 2021, one-sided and in
closed form); with estimated variances it is an asymptotic confidence sequence (Waudby-Smith et al. 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from incumbent.compare.sufficiency import ROUNDING

TIGHTEST = 5
"""The boundary is tightest once the variance has grown to this many times that of the first arrival.

Verdicts are wanted after a few arrivals. At a confidence of 0.95 the price elsewhere is small: 10 % wider
than the tightest possible at the first arrival, 4 % after twenty alike, 12 % after a hundred.
"""


@dataclass(frozen=True)
class ArrivalGain:
    """The gain of a rival over the champion on one arrival, in units of the metric; positive: it is better.

    rows: its weight. standard_error, dof: by groups; None when the arrival is a single group, as a day's file
    often is.
    """

    gain: float
    standard_error: float | None
    dof: float | None
    rows: int


@dataclass(frozen=True)
class ConfidenceSequence:
    """Where a confidence sequence is: the mean gain so far, weighted by rows, with its bounds.

    Each bound holds with the stated confidence, however many arrivals are looked at before or after. None: no
    spread is known, as of a single group.
    """

    arrivals: int
    rows: int
    gain: float
    low: float | None
    high: float | None

    def exceeds(self, margin: float) -> bool:
        """Is the gain shown to be above `margin`?"""
        return self.low is not None and self.low > margin

    def reversed(self) -> "ConfidenceSequence":
        """The gain of the other model, with its bounds."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return ConfidenceSequence(self.arrivals, self.rows, -self.gain, low, high)

    def __str__(self) -> str:
        bounds = "" if self.low is None else f" [{self.low:+.4f}, {self.high:+.4f}]"
        return f"{self.gain:+.4f}{bounds} over {self.arrivals} arrival{'s' if self.arrivals != 1 else ''}"


def confidence_sequence(gains: Sequence[ArrivalGain], confidence: float) -> ConfidenceSequence:
    """The mean gain of the arrivals, in their order, and its bounds; `confidence` is that of each bound.

    Arrivals may be judged by different rivals: if none of them is better than the champion, the lower bound
    ever exceeds zero with a chance of at most 1 - confidence. If every arrival has a standard error, these
    are combined, with degrees of freedom by Welch and Satterthwaite; else the spread between arrivals gives
    the error. Raises ValueError for no arrivals.
    """
    if not gains:
        raise ValueError("a confidence sequence needs an arrival")
    rows = np.array([each.rows for each in gains], dtype=float)
    mean = float(rows @ [each.gain for each in gains] / rows.sum())
    variances, dof = _variances(gains, rows, mean)
    error = float(np.sqrt(variances.sum()) / rows.sum())
    if error <= ROUNDING * abs(mean):  # nothing varies, so nothing is known of the error
        return ConfidenceSequence(len(gains), int(rows.sum()), mean, None, None)
    growth = variances.sum() / variances[variances > 0][0]
    half = float(critical_value(growth, dof, confidence) * error)
    return ConfidenceSequence(len(gains), int(rows.sum()), mean, mean - half, mean + half)


def critical_value(
    growth: float | np.ndarray, dof: float | np.ndarray, confidence: float
) -> float | np.ndarray:
    """How many standard errors a bound is from the estimate, to hold at all looks.

    growth: the variance of the sum so far, divided by that of the first arrival. dof: degrees of freedom of
    the standard error. Student's t exceeds the returned value as often as a normal one does the boundary.
    """
    alpha = 1 - confidence
    # The mixture that is tightest at variance 1 (Howard et al. 2021, section 3.5), stretched to TIGHTEST.
    time = growth * (2 * np.log(1 / alpha) + np.log1p(2 * np.log(1 / alpha))) / TIGHTEST
    normal = np.sqrt(2 * (1 + 1 / time) * np.log1p(np.sqrt(1 + time) / (2 * alpha)))
    return -stdtrit(dof, ndtr(-normal))


def _satterthwaite(variances: np.ndarray, dofs: np.ndarray) -> float:
    """Degrees of freedom of a sum of estimated variances; (k,) each."""
    return float(variances.sum() ** 2 / (variances**2 / dofs).sum())


def _variances(gains: Sequence[ArrivalGain], rows: np.ndarray, mean: float) -> tuple[np.ndarray, float]:
    """What each arrival adds to the variance of the sum of rows * gain, (k,), and the degrees of freedom."""
    errors = [each.standard_error for each in gains]
    if None not in errors:
        variances = (rows * np.array(errors, dtype=float)) ** 2
        dofs = np.array([each.dof or 1.0 for each in gains])
        return variances, _satterthwaite(variances, dofs) if variances.any() else 1.0
    if len(gains) == 1:
        return np.zeros(1), 1.0
    # Independent gains that have the same unknown variance, whatever their rows.
    shares = rows / rows.sum()
    squares = (np.array([each.gain for each in gains]) - mean) ** 2
    return rows**2 * float(shares @ squares / (1 - shares @ shares)), len(gains) - 1.0
