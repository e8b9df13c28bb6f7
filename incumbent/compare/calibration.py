"""Calibration of probabilities: the reliability curve and the expected calibration error."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bin:
    """`predicted`: the mean probability of its rows; `observed`: the share of them with the event."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """`error`: the expected calibration error (ECE), the mean of |predicted - observed| weighted by rows."""

    bins: tuple[Bin, ...]
    error: float


def calibration(y: np.ndarray, prediction: np.ndarray, bins: int = 10) -> Calibration:
    """The reliability curve over equally filled bins (Guo et al. 2017 with quantile bins).

    y: (n,) of 0 and 1 with prediction (n,), or class codes with prediction (n, K). With K classes the event
    is that the likeliest class is right, and its probability is the confidence (top-label). n >= 1.

    Rows of equal probability share a bin, so there may be fewer bins than `bins`. Noise alone gives a bin of
    m rows an error of about sqrt(p (1 - p) / m): the ECE of a perfect model is above zero.
    """
    many = prediction.ndim == 2
    confidence = prediction.max(axis=1) if many else prediction
    event = (prediction.argmax(axis=1) == y if many else y == 1).astype(float)
    inner = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(inner, confidence)
    rows = np.bincount(bin_of)
    filled = rows > 0
    count = rows[filled]
    predicted = np.bincount(bin_of, confidence)[filled] / count
    observed = np.bincount(bin_of, event)[filled] / count
    error = float(np.average(np.abs(predicted - observed), weights=count))
    curve = zip(predicted.tolist(), observed.tolist(), count.tolist(), strict=True)
    return Calibration(tuple(Bin(*each) for each in curve), error)
