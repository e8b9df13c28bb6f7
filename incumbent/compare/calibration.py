"""Do the probabilities mean what they say? The reliability curve and its expected error."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bin:
    """`predicted`: the mean probability of its rows; `observed`: how often the event happened among them."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """`error`: the expected calibration error (ECE), the bins' |predicted - observed| averaged by rows."""

    bins: tuple[Bin, ...]
    error: float


def calibration(y: np.ndarray, prediction: np.ndarray, bins: int = 10) -> Calibration:
    """The reliability curve over equally filled bins (Guo et al. 2017 with quantile bins).

    y: (n,) of 0 and 1 with prediction (n,), or class codes with prediction (n, K); then the event is that
    the likeliest class is right and its probability is the confidence (top-label). n >= 1.

    Rows of one probability share a bin, so there may be fewer bins than asked. Noise alone gives a bin of m
    rows an error of about sqrt(p (1 - p) / m): the ECE of a perfect model is above zero.
    """
    many = prediction.ndim == 2
    confidence = prediction.max(axis=1) if many else prediction
    event = (prediction.argmax(axis=1) == y if many else y == 1).astype(float)
    inner = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(inner, confidence)
    rows = np.bincount(place)
    filled = rows > 0
    count = rows[filled]
    predicted = np.bincount(place, confidence)[filled] / count
    observed = np.bincount(place, event)[filled] / count
    error = float(np.average(np.abs(predicted - observed), weights=count))
    curve = zip(predicted.tolist(), observed.tolist(), count.tolist(), strict=True)
    return Calibration(tuple(Bin(*each) for each in curve), error)
