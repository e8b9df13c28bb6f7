"""What past partitions teach, and what it says of a new one.

A person's suites stand above it: what they limit of a column, this does not.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from incumbent.gate.certain import REPEATED, USUAL, Extremes, certain, overlap
from incumbent.gate.figures import TABLE, ColumnReference, Figure, Key, figures, reference_of
from incumbent.gate.limits import Limit, learn
from incumbent.gate.profile import QUANTILES, Profile
from incumbent.gate.report import HISTORY, PROBATION, Finding
from incumbent.gate.sensors import DOMAIN
from incumbent.gate.wording import describe, number
from incumbent.tables.convert import stem_of

ROW_COUNT = "expect_table_row_count_to_be_between"
PAIR = "with "
MOST_NAMED = 3
SKETCHES = 24
"""The latest partitions that a new one may repeat."""

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


@dataclass(frozen=True)
class Learned:
    """What the history says: limits, what figures are relative to, and extremes that nothing benign
    passes."""

    partitions: tuple[str, ...]
    limits: tuple[Limit, ...]
    reference: Mapping[str, ColumnReference]
    extremes: Mapping[str, Extremes]
    repeated: float
    contents: Mapping[str, tuple[int, ...]]


def learned_from(history: Mapping[str, Profile], false_alarms: float, season: int) -> Learned:
    """Of profiles by partition, in order of arrival. false_alarms, season: as in limits.learn."""
    profiles = list(history.values())
    names = {name: None for each in profiles for name in each.columns}
    extremes = {
        name: Extremes.of([each.columns[name] for each in profiles])
        for name in names
        if all(name in each.columns for each in profiles)
    }
    latest = list(history.items())[-SKETCHES:]
    contents = {name: each.content for name, each in latest}
    pairs = pairwise(each.content for each in profiles[-SKETCHES:])
    repeated = max([each.repeated for each in profiles] + [overlap(*pair) for pair in pairs])
    limits = tuple(learn(profiles, false_alarms, season))
    return Learned(tuple(history), limits, reference_of(profiles), extremes, repeated, contents)


def judge_profile(
    partition: str,
    profile: Profile,
    columns: Iterable[str],
    learned: Learned,
    suites: Sequence[dict[str, Any]],
) -> list[Finding]:
    """One finding for each column that is not as the history says, and for the table; none where all is.

    columns: all that the file has; suites: a person's. Critical where no harmless cause is likely, PROBATION
    beyond a limit that a partition like the past passes once in many, else a warning.
    """
    missing = frozenset(learned.extremes) - set(columns)
    overruled = set(_overruled(suites))
    broken = list(_broken(profile, learned, overruled))
    blocking = [
        each
        for each in certain(profile, learned.extremes, missing)
        if (each.column, each.figure) not in overruled
    ]
    explained = {each.column for each in blocking}
    return [
        *(
            Finding(
                partition,
                each.expected,
                "critical",
                False,
                each.observed,
                about=each.expected,
                figure=(each.column, each.figure),
            )
            for each in blocking
        ),
        *_repetition(partition, profile, learned),
        *(_finding(partition, profile, each, learned) for each in _by_cause(broken, explained)),
    ]


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


def _broken(profile: Profile, learned: Learned, overruled: set[Key]) -> Iterator[Broken]:
    measured = figures(profile, learned.reference)
    for limit in learned.limits:
        figure = measured.get((limit.column, limit.figure))
        if figure is None or (limit.column, limit.figure) in overruled:
            continue
        severity = limit.severity(figure)
        if severity != "usual":
            yield Broken("warning" if severity == "unusual" else PROBATION, limit, figure)


def _by_cause(broken: Sequence[Broken], explained: set[str]) -> list[list[Broken]]:
    """Grouped by the column that is at fault; what follows from a column that is explained is left out.

    A correlation belongs to the column that breaks most of them, unless one of the two has another fault; the
    target's relation to single columns belongs to its relation to all, where that is broken, too.
    """
    groups: dict[str, list[Broken]] = {}
    whole = any(each.limit.figure == "slopes" for each in broken)
    for each in broken:
        if not each.pair and each.limit.column not in explained:
            column = "*slopes" if whole and each.limit.figure in ("slope", "slopes") else each.limit.column
            groups.setdefault(column, []).append(each)
    pairs = [each for each in broken if each.pair and explained.isdisjoint(each.pair)]
    pairs = [each for each in pairs if groups.keys().isdisjoint(each.pair)]
    while pairs:
        [(column, _)] = Counter(name for each in pairs for name in each.pair).most_common(1)
        groups[column] = [each for each in pairs if column in each.pair]
        pairs = [each for each in pairs if column not in each.pair]
    return list(groups.values())


def _finding(partition: str, profile: Profile, broken: Sequence[Broken], learned: Learned) -> Finding:
    """The figure that is farthest out speaks; the others are named."""
    severe = [each for each in broken if each.severity == PROBATION] or broken
    worst = next(
        (each for each in severe if each.limit.figure == "slopes"), max(severe, key=lambda b: b.distance)
    )
    limit, value = worst.limit, worst.figure.value
    low, high = map(number, limit.past)
    partitions = f"in {limit.partitions} partitions" if limit.partitions > 1 else "in one partition"
    news = _new_values(profile, limit.column, learned) if any(b.limit.figure == "new" for b in broken) else ()
    named = f"; new: {', '.join(news)}" if news else ""
    telling = f"; by {', '.join(profile.telling)}" if limit.figure == DOMAIN and profile.telling else ""
    return Finding(
        partition,
        f"{describe(limit.figure, limit.column)} should be {_range(limit)}",
        worst.severity,
        False,
        f"{number(value)}; it was {low if low == high else f'{low} to {high}'} {partitions}{telling}{named}"
        f"{_others(broken, worst)}",
        about=f"{HISTORY}{': '.join([limit.column, *news])}",
        value=value,
        figure=(limit.column, limit.figure),
    )


def _new_values(profile: Profile, column: str, learned: Learned) -> tuple[str, ...]:
    """The commonest values of a column that no earlier partition has, in the order of the alphabet."""
    known = learned.reference[column].shares
    shares = profile.columns[column].categories or {}
    new = sorted((value for value in shares if value not in known), key=lambda value: -shares[value])
    return tuple(sorted(f"'{value}'" for value in new[:MOST_NAMED]))


def _others(broken: Sequence[Broken], worst: Broken) -> str:
    names = list(
        dict.fromkeys(
            f"'{each.limit.column}'"
            if each.limit.figure == "slope"
            else describe(each.limit.figure, short=True)
            for each in sorted(broken, key=lambda b: -b.distance)
            if each is not worst
        )
    )
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"; also {', '.join(names[:MOST_NAMED])}{more}" if names else ""


def _range(limit: Limit) -> str:
    if math.isinf(limit.low):
        return f"at most {number(limit.high)}"
    if math.isinf(limit.high):
        return f"at least {number(limit.low)}"
    return f"between {number(limit.low)} and {number(limit.high)}"


def _repetition(partition: str, profile: Profile, learned: Learned) -> Iterator[Finding]:
    """Most of the file stands in it twice, or in an earlier partition, under other keys."""
    if learned.repeated > USUAL:
        return
    if profile.repeated >= REPEATED:
        observed = (
            f"{profile.repeated:.0%} of {profile.rows:,} rows repeat another's content under other keys"
        )
        yield Finding(
            partition, "rows must not repeat", "critical", False, observed, figure=(TABLE, "repeated")
        )
    for other, content in learned.contents.items():
        if (
            stem_of(Path(other)) != stem_of(Path(partition))
            and (share := overlap(profile.content, content)) >= REPEATED
        ):
            observed = f"about {share:.0%} of its different rows are in {other}, too"
            yield Finding(
                partition, "rows must not repeat an earlier partition's", "critical", False, observed
            )


def _overruled(suites: Iterable[Mapping[str, Any]]) -> Iterator[Key]:
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
