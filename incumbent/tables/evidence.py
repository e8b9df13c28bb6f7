"""How many partitions it takes to have enough rows for a verdict."""

import math
from collections.abc import Sequence
from statistics import median

# An interval from much fewer rows is so wide that nearly every challenger is held.
ROWS = 4000
LEAST, MOST = 3, 100  # partitions; a verdict reads them all


def partitions_for_a_verdict(rows: Sequence[int], share: float = 1.0) -> int:
    """Partitions of which a `share` of the rows is ROWS; `rows`: of each partition so far.

    By the median, as the first and the last partition of a table are often incomplete.
    """
    return min(max(LEAST, math.ceil(ROWS / (median(rows) * share))), MOST)
