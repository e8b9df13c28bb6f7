"""Which predictions monitor judges together, and how sure it must be of a decay at each look at them.

Labels come late and in small lots, so monitor looks again every hour. A watch has a fixed start and only
grows, and its bounds hold at all looks. The mean over a good year would hide a decay for long; so a new watch
starts every monitor.days, and the chances to err of all watches add up to 1 - confidence.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np


@dataclass(frozen=True)
class Watch:
    """Predictions of the last `days` days and today; `confidence`: of each bound, over all looks at them."""

    days: int
    confidence: float


def watch_at(today: date, took_office: date, length: int, confidence: float) -> Watch:
    """The latest watch that is at least `length` days old, or the first; dates are in UTC.

    A watch is judged from that age on until the next one has it, as labels of its first days come late.
    """
    age = max((today - took_office).days, 0)
    number = max(age // length, 1)
    return Watch(age - (number - 1) * length, 1 - (1 - confidence) / (number * (number + 1)))


def equal_groups(rows: np.ndarray) -> np.ndarray:
    """How many groups of equal size tell as much (Kish 1965); rows: (groups, ...), some above 0.

    Today's group has few labels yet. Counted as a whole one it would make the error look well known.
    """
    return rows.sum(axis=0) ** 2 / (rows.astype(float) ** 2).sum(axis=0)
