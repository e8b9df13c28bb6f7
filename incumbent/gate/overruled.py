"""What a person's expectations limit, the history does not."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from incumbent.gate.figures import TABLE, Key
from incumbent.gate.profile import QUANTILES

ROW_COUNT = "expect_table_row_count_to_be_between"
ASPECTS: Mapping[str, tuple[str, ...]] = {
    "empty": ("not_be_null", "be_null", "non_null"),
    "quantile": ("values_to_be_between", "mean", "median", "quantile"),
    "deviation": ("stdev",),
    "distinct": ("unique_value_count", "proportion_of_unique", "distinct"),
    "new": ("in_set",),
    "moved": ("kl_divergence", "in_set"),
    "length": ("lengths",),
    "rows": ("row_count",),
}
"""The part of a type's name by which a person's expectation takes the place of a figure's limit."""


def overruled_by(suites: Iterable[Mapping[str, Any]]) -> Iterator[Key]:
    """The figures that a person's expectations limit; that there are rows, as drafts say, is no limit."""
    for suite in suites:
        for each in suite["expectations"]:
            if each["type"] == ROW_COUNT and each["kwargs"].get("max_value") is None:
                continue
            column = each["kwargs"].get("column", TABLE)
            for figure, parts in ASPECTS.items():
                if any(part in each["type"] for part in parts):
                    yield from ((column, name) for name in _figures_of(figure))


def _figures_of(aspect: str) -> Iterator[str]:
    if aspect == "quantile":
        yield from (f"quantile {place}" for place in QUANTILES)
    else:
        yield aspect
