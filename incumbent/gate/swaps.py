"""Do two columns look as if their names were swapped? Each is then as the other was, and not as itself."""

from collections.abc import Mapping

from incumbent.gate.certain import Extremes
from incumbent.gate.figures import ColumnReference
from incumbent.gate.profile import ColumnProfile
from incumbent.gate.units import CLOSE, FAR, MANY, distance

LIKE = 0.25
"""The share of rows by which the frequencies of values may differ from the usual ones."""

Known = tuple[Extremes, ColumnReference]


def swapped_with(name: str, columns: Mapping[str, ColumnProfile], past: Mapping[str, Known]) -> str | None:
    """The column that this one may be swapped with; None if there is no such. past: by column."""
    if name not in columns or name not in past or _is_like(columns[name], past[name]):
        return None
    others = (
        other
        for other in past
        if other != name
        and other in columns
        and _is_like(columns[name], past[other])
        and _is_like(columns[other], past[name])
        and any(_is_unlike(columns[each], past[each]) for each in (name, other))
    )
    return next(others, None)


def _is_unlike(column: ColumnProfile, known: Known) -> bool:
    """Is it farther from what it was than one that only moved? What is news may be near another column."""
    extremes, _ = known
    if column.quantiles and extremes.quantiles:
        return distance(column.quantiles, extremes.quantiles) > max(FAR, MANY * extremes.step)
    return not _is_like(column, known)


def _is_like(column: ColumnProfile, known: Known) -> bool:
    extremes, reference = known
    if column.quantiles and extremes.quantiles:
        return distance(column.quantiles, extremes.quantiles) <= max(CLOSE, extremes.step)
    if column.categories is None or not reference.partitions:
        return False
    usual = {name: total / reference.partitions for name, (total, _) in reference.shares.items()}
    return sum(min(share, usual.get(name, 0.0)) for name, share in column.categories.items()) >= 1 - LIKE
