"""What past partitions teach, and what it says of a new one.

A person's suites stand above it: what they limit of a column, this does not.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from incumbent.gate.causes import Broken, by_cause
from incumbent.gate.certain import MEDIAN, REPEATED, USUAL, Extremes, certain, overlap
from incumbent.gate.documents import Share
from incumbent.gate.figures import (
    DOMAIN,
    RECENT_MODEL,
    SLOPES,
    TABLE,
    ColumnReference,
    Key,
    figures,
    from_scale,
    reference_of,
)
from incumbent.gate.limits import NOTHING, Limit, learn
from incumbent.gate.overruled import overruled_by
from incumbent.gate.profile import Profile
from incumbent.gate.report import HISTORY, PROBATION, Finding
from incumbent.gate.swaps import swapped_with
from incumbent.gate.wording import amount, between, count, describe, describe_short, number
from incumbent.tables.convert import stem_of

MOST_NAMED = 3
REMAINS = 0.25
"""If less than this share remains of how the target went with the columns, labels are more likely shuffled or
negated than that the world turned round; over many real arrivals it was 0.27 at least."""

BY_CHANCE = 0.5
SKETCHES = 24
"""The latest partitions that a new one may repeat."""


@dataclass(frozen=True)
class Learned:
    """What the history says: limits, what figures are relative to, and extremes that nothing benign
    passes."""

    partitions: tuple[str, ...]
    limits: tuple[Limit, ...]
    reference: Mapping[str, ColumnReference]
    extremes: Mapping[str, Extremes]
    repeated: Share
    contents: Mapping[str, tuple[int, ...]]

    @property
    def by_column(self) -> dict[str, tuple[Extremes, ColumnReference]]:
        return {name: (each, self.reference[name]) for name, each in self.extremes.items()}

    @property
    def apart(self) -> dict[str, list[str]]:
        """Partitions that widen no limit of these columns, as they are far from all others there."""
        columns: dict[str, dict[str, None]] = {}
        for limit in self.limits:
            for partition in limit.apart:
                columns.setdefault(partition, {})[limit.column] = None
        return {partition: list(columns[partition]) for partition in sorted(columns)}


def learned_from(history: Mapping[str, Profile], false_alarms: float, season: int) -> Learned:
    """Of profiles by partition, in order of arrival. false_alarms, season: as in limits.learn."""
    profiles = list(history.values())
    names = {name: None for each in profiles for name in each.columns}
    limits = tuple(learn(history, false_alarms, season))
    # Partitions in which a column's numbers lie far from those of all others.
    apart = {each.column: each.apart for each in limits if each.figure == MEDIAN}
    extremes = {
        name: Extremes.of({part: each.columns[name] for part, each in history.items()}, apart.get(name, {}))
        for name in names
        if all(name in each.columns for each in profiles)
    }
    latest = list(history.items())[-SKETCHES:]
    contents = {name: each.content for name, each in latest}
    pairs = pairwise(each.content for each in profiles[-SKETCHES:])
    repeated = max([each.repeated for each in profiles] + [overlap(*pair) for pair in pairs])
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
    overruled = set(overruled_by(suites))
    broken = list(_broken(profile, learned, overruled))
    blocking = [
        each
        for each in certain(profile, learned.extremes, missing)
        if (each.column, each.figure) not in overruled
        # Swapped columns look as if in other units, but are told with each other.
        and not (each.is_unit and swapped_with(each.column, profile.columns, learned.by_column))
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
        *(
            _finding(partition, profile, each, learned)
            for each in by_cause(broken, explained, target_explained=profile.target in explained)
        ),
    ]


def _broken(profile: Profile, learned: Learned, overruled: set[Key]) -> Iterator[Broken]:
    measured = figures(profile, learned.reference)
    for limit in learned.limits:
        figure = measured.get((limit.column, limit.figure))
        if figure is None or (limit.column, limit.figure) in overruled:
            continue
        severity = limit.severity(figure)
        if severity != "usual":
            yield Broken("warning" if severity == "unusual" else PROBATION, limit, figure)


def _finding(partition: str, profile: Profile, broken: Sequence[Broken], learned: Learned) -> Finding:
    """The figure that is farthest out speaks, the column's own before its correlations; the others are
    named."""
    severe = [each for each in broken if each.severity == PROBATION] or broken
    worst = next(
        (each for each in severe if each.limit.figure == SLOPES),
        max(severe, key=lambda b: (not b.pair, b.distance)),
    )
    limit, value = worst.limit, worst.figure.value
    news = _new_values(profile, limit.column, learned) if any(b.limit.figure == "new" for b in broken) else ()
    named = sorted(news[:MOST_NAMED])
    new = f"; new: {', '.join(named)}{_more(news)}" if news else ""
    swapped = swapped_with(limit.column, profile.columns, learned.by_column)
    perhaps = f"; perhaps swapped with '{swapped}'" if swapped else ""
    telling = f"; by {', '.join(profile.telling)}" if limit.figure == DOMAIN and profile.telling else ""
    return Finding(
        partition,
        f"{describe(limit.figure, limit.column)} should be {_expected(limit, value)}",
        worst.severity,
        False,
        f"{amount(limit.figure, value)}; it was {_past(limit)}"
        f"{telling}{new}{perhaps}{_others(broken, worst)}",
        about=f"{HISTORY}{': '.join([limit.column, *named])}",
        value=value,
        figure=(limit.column, limit.figure),
        by_person=swapped is not None
        or any(map(_target_is_lost, broken))
        or _on_another_scale(profile, limit.column, learned),
    )


def _expected(limit: Limit, value: float) -> str:
    if limit.low <= value <= limit.high:  # which are wide
        by_chance = NOTHING.get(limit.figure)
        return f"at least {number(limit.fewest)}" if by_chance is None else f"clearly above {by_chance:g}"
    return between(limit.figure, *(None if math.isinf(end) else end for end in (limit.low, limit.high)))


def _on_another_scale(profile: Profile, name: str, learned: Learned) -> bool:
    """Are the column's numbers as before, but for one factor? A unit is no news by coming twice."""
    column, extremes = profile.columns.get(name), learned.extremes.get(name)
    return column is not None and extremes is not None and extremes.on_another_scale(column)


def _target_is_lost(broken: Broken) -> bool:
    """Does little remain of how the target went with the columns, or is it the other way round?"""
    limit, value = broken.limit, broken.figure.value
    if limit.figure == SLOPES:
        return value <= REMAINS
    # A model also ranks by chance where a column that it knows went elsewhere: only the opposite counts.
    usual = from_scale(limit.family, limit.center, limit.scale) - BY_CHANCE
    return limit.figure == RECENT_MODEL and value - BY_CHANCE <= -usual / 2


def _past(limit: Limit) -> str:
    """What the figure was, and in how many partitions."""
    low, high = (amount(limit.figure, value) for value in limit.past)
    apart = (f"{amount(limit.figure, value)} in {partition}" for partition, value in limit.apart.items())
    usual = f"{low if low == high else f'{low} to {high}'} in {count(limit.partitions, 'partition')}"
    return ", and ".join([usual, *apart])


def _new_values(profile: Profile, column: str, learned: Learned) -> tuple[str, ...]:
    """The values of a column that no earlier partition has, the commonest first."""
    known = learned.reference[column].shares
    shares = profile.columns[column].categories or {}
    new = sorted((value for value in shares if value not in known), key=lambda value: -shares[value])
    return tuple(f"'{value}'" for value in new)


def _more(names: Sequence[str]) -> str:
    """How many are not named."""
    return f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""


def _others(broken: Sequence[Broken], worst: Broken) -> str:
    others = sorted((each for each in broken if each is not worst), key=lambda b: -b.distance)
    # Of the target's relation to all columns only the columns need be named.
    by_column = worst.limit.figure == SLOPES
    names = list(dict.fromkeys(_other(each, by_column=by_column) for each in others))
    which = "most of all by" if by_column else "also unusual:"
    return f"; {which} {', '.join(names[:MOST_NAMED])}{_more(names)}" if names else ""


def _other(broken: Broken, *, by_column: bool) -> str:
    if by_column and broken.limit.figure == "slope":
        return f"'{broken.limit.column}'"
    if broken.pair:
        return "the one of '{}' with '{}'".format(*broken.pair)
    return describe_short(broken.limit.figure)


def _repetition(partition: str, profile: Profile, learned: Learned) -> Iterator[Finding]:
    """Most of the file stands in it twice, or in an earlier partition, under other keys."""
    if learned.repeated > USUAL:
        return
    if profile.repeated >= REPEATED:
        many = f"{profile.repeated:.0%} of {profile.rows:,} rows"
        observed = f"{many} repeat the content of an earlier row, the key aside"
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
