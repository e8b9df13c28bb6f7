"""How figures went over the partitions: the history that findings were judged by, for people to look at."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from incumbent.gate.figures import Key, Reference, figures, reference_of
from incumbent.gate.learned import Learned
from incumbent.gate.limits import Limit
from incumbent.gate.profile import Profile
from incumbent.gate.report import Finding
from incumbent.gate.wording import describe

MEAN = "mean"
"""Stands beside the figures and has no limit: the quantiles tell more."""

ENDS = ("low", "high", "least", "greatest")


@dataclass(frozen=True)
class Trace:
    """A figure over partitions: values by partition, in order of arrival, None where one has no such figure.

    column: TABLE for none of them alone; limit: of the next partition, None where the figure is not watched.
    """

    column: str
    figure: str
    values: Mapping[str, float | None]
    limit: Limit | None = None

    @property
    def limits(self) -> dict[str, float | None] | None:
        """By ENDS; None where there is no bound."""
        if self.limit is None:
            return None
        ends = {name: getattr(self.limit, name) for name in ENDS}
        return {name: None if math.isinf(end) else end for name, end in ends.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "figure": self.figure,
            "words": describe(self.figure, self.column),
            "values": dict(self.values),
            "limits": self.limits,
        }


@dataclass(frozen=True)
class Explanation:
    """A finding, the history that it was judged by, and the new partition's value; None if it has none."""

    finding: Finding
    trace: Trace
    value: float | None

    @property
    def broken(self) -> dict[str, float | None] | None:
        """The limits, if the value breaks them; None where another rule judged."""
        limit = self.trace.limit
        within = limit is None or self.value is None or limit.low <= self.value <= limit.high
        return None if within else self.trace.limits

    def to_json(self) -> dict[str, Any]:
        finding = {"partition": self.finding.partition, "finding": str(self.finding)}
        return {**finding, "severity": self.finding.severity, "value": self.value, **self.trace.to_json()}


def traces(profiles: Mapping[str, Profile], learned: Learned | None = None) -> dict[Key, Trace]:
    """All figures of these partitions, in order of arrival, by column and figure.

    learned: has the limits, and what figures are relative to: without it these partitions together.
    """
    known = tuple(profiles) if learned is None else learned.partitions
    reference = reference_of([*profiles.values()]) if learned is None else learned.reference
    limits = {(each.column, each.figure): each for each in (learned.limits if learned else ())}
    measured = {
        name: _measured(each, reference, part_of_it=name in known and len(known) > 1)
        for name, each in profiles.items()
    }
    keys = dict.fromkeys(key for values in measured.values() for key in values)
    return {
        key: Trace(*key, {name: each.get(key) for name, each in measured.items()}, limits.get(key))
        for key in keys
    }


def _measured(profile: Profile, reference: Reference, *, part_of_it: bool) -> dict[Key, float]:
    values = {key: each.value for key, each in figures(profile, reference, part_of_it=part_of_it).items()}
    means = {(name, MEAN): each.mean for name, each in profile.columns.items() if each.mean is not None}
    return values | means


def explain(
    findings: Iterable[Finding], new: Profile, past: Mapping[str, Profile], learned: Learned
) -> list[Explanation]:
    """The history behind each of these findings on a new partition; nothing of those that another judges.

    past: the partitions that were `learned` from.
    """
    measured, known = figures(new, learned.reference), traces(past, learned)
    return [
        Explanation(
            each, known[each.figure], measured[each.figure].value if each.figure in measured else None
        )
        for each in findings
        if each.figure in known
    ]
