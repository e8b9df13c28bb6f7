"""A row of numbers as a picture of one line."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
MISSING = "·"


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, from the least to the greatest; MISSING where there is none."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return MISSING * len(values)
    low, high = min(numbers), max(numbers)
    return "".join(MISSING if value is None else _bar(value, low, high) for value in values)


def _bar(value: float, low: float, high: float) -> str:
    # Halves, as the greatest and the least float together are infinite.
    span = high / 2 - low / 2
    return BARS[round((value / 2 - low / 2) / span * (len(BARS) - 1))] if span > 0 else BARS[0]
