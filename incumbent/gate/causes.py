"""The limits that a partition breaks, by the column that is at fault."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from incumbent.gate.figures import OF_TARGET, SLOPES, Figure
from incumbent.gate.limits import Limit
from incumbent.gate.report import PROBATION

PAIR = "with "


@dataclass(frozen=True)
class Broken:
    """A limit that the figure breaks."""

    severity: str
    limit: Limit
    figure: Figure

    @property
    def distance(self) -> float:
        """From the center, in deviations."""
        return abs(self.figure.scaled - self.limit.center) / self.limit.deviation

    @property
    def pair(self) -> tuple[str, ...]:
        """The columns of a correlation; else none."""
        name = self.limit.figure
        return (self.limit.column, name.removeprefix(PAIR)) if name.startswith(PAIR) else ()


def by_cause(broken: Sequence[Broken], explained: set[str], *, target_explained: bool) -> list[list[Broken]]:
    """Grouped by the column that is at fault; what follows from a column that is explained is left out.

    A correlation belongs to the column that has another fault, the graver one if both have, else to the one
    that breaks most of them; the target's relation to single columns belongs to its relation to all, where
    that is broken, too.
    """
    groups: dict[str, list[Broken]] = {}
    broken = [each for each in broken if not (target_explained and each.limit.figure in OF_TARGET)]
    whole = any(each.limit.figure == SLOPES for each in broken)
    for each in broken:
        if not each.pair and each.limit.column not in explained:
            column = "*slopes" if whole and each.limit.figure in ("slope", SLOPES) else each.limit.column
            groups.setdefault(column, []).append(each)
    pairs = [each for each in broken if each.pair and explained.isdisjoint(each.pair)]
    farthest = {name: max(map(_how_far, group)) for name, group in groups.items()}
    for each in pairs:
        if faulty := farthest.keys() & each.pair:
            groups[max(faulty, key=lambda name: (farthest[name], name))].append(each)
    pairs = [each for each in pairs if farthest.keys().isdisjoint(each.pair)]
    while pairs:
        [(column, _)] = Counter(name for each in pairs for name in each.pair).most_common(1)
        groups[column] = [each for each in pairs if column in each.pair]
        pairs = [each for each in pairs if column not in each.pair]
    return list(groups.values())


def _how_far(broken: Broken) -> tuple[bool, float]:
    return broken.severity == PROBATION, broken.distance
