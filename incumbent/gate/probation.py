"""Probation: a suspicious partition is kept and scored, but nothing is learned from it until it is released.

A person releases it, or the next arrival that shows the same does: one is noise, two are news. Only a person
releases what looks like a fault, such as labels that nothing tells any more. What was released teaches: a
later partition that shows the same is not suspended.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from incumbent.gate.report import HISTORY, PROBATION, Finding, GateReport

NEAR = 0.25
"""Two observed values are near each other if they differ by this share of the greater one at most."""
A_PERSON = "a person: "
TWO_ARE_NEWS = "two are news"
BY_PERSON = "more like a fault than news, so a second one like it does not release it"
MOST_REASONS = 3


def _moment(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value)  # YAML reads a time without quotes
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no time; write one like 2026-05-31T14:30:00+00:00") from None
    return text


Moment = Annotated[str, BeforeValidator(_moment)]
"""ISO 8601, UTC."""


@dataclass(frozen=True)
class Suspicion:
    """A suspicious finding as it is kept; `about`, `value` and `by_person` as in Finding."""

    about: str
    expectation: str
    observed: str
    value: float | None = None
    by_person: bool = False

    def __str__(self) -> str:
        return f"{self.expectation}: {self.observed}"


@dataclass(frozen=True)
class Release:
    """Who ended a probation, why, and when."""

    by: str
    why: str
    at: Moment

    @property
    def is_news(self) -> bool:
        """Did another partition show the same? Else a person released it."""
        return not self.by.startswith(A_PERSON)

    def __str__(self) -> str:
        if self.is_news:
            return f"{self.by}: {self.why}"
        return f"{self.by.removeprefix(A_PERSON)} let it pass: {self.why}"


@dataclass(frozen=True)
class Suspension:
    """A partition that was put on probation: its bytes (md5, hex), since when, and why."""

    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    since: Moment
    suspicions: tuple[Suspicion, ...]
    released: Release | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(map(str, self.suspicions))

    @property
    def by_person(self) -> bool:
        """Can nobody else release it? What looks like a fault in the labels is no news by coming twice."""
        return any(each.by_person for each in self.suspicions)


Record = Mapping[str, Suspension]
"""Partition -> its suspension, held or released."""
Changes = Mapping[str, Suspension | None]
"""What becomes of entries of a record; None: it is removed."""


def held(record: Record, digests: Mapping[str, str]) -> dict[str, Suspension]:
    """The partitions of a version (name -> md5) that are on probation, by name.

    A partition whose bytes were replaced since is another one.
    """
    return {
        name: entry
        for name, entry in sorted(record.items())
        if entry.released is None and digests.get(name) == entry.md5
    }


def let_pass(record: Record, digests: Mapping[str, str]) -> dict[str, str]:
    """The partitions of a version (name -> md5) that were released: name -> by whom, and why."""
    return {
        name: str(entry.released)
        for name, entry in record.items()
        if entry.released and digests.get(name) == entry.md5
    }


def news(record: Record, digests: Mapping[str, str]) -> dict[str, str]:
    """The partitions of a version (name -> md5) that another one released: name -> what both of them show."""
    return {
        name: f"{entry.released.by} as {name}: {_shortened(entry.reasons)}"
        for name, entry in sorted(record.items())
        if entry.released and entry.released.is_news and digests.get(name) == entry.md5
    }


def shows_the_same(new: Suspension, earlier: Suspension, *, next_one: bool = False) -> bool:
    """Does a partition show all that made the earlier one suspicious, with values near those of that one?

    next_one: nothing that is trusted came between them. Then what the history finds need only be in the same
    columns: the first partition of a new time is often half of the old.
    """
    return bool(earlier.suspicions) and all(
        any(_alike(each, known) or (next_one and _of_one_column(each, known)) for each in new.suspicions)
        for known in earlier.suspicions
    )


def _of_one_column(one: Suspicion, other: Suspicion) -> bool:
    return one.about == other.about and one.about.startswith(HISTORY)


def _alike(one: Suspicion, other: Suspicion) -> bool:
    if one.about != other.about:
        return False
    if one.value is None or other.value is None:
        return one.value is other.value
    return abs(one.value - other.value) <= NEAR * max(abs(one.value), abs(other.value))


def settle(
    report: GateReport,
    record: Record,
    digests: Mapping[str, str],
    at: str,
    judged_again: Collection[str] = (),
) -> tuple[dict[str, str], Changes]:
    """Which suspicious partitions of the report are excused (name -> why), and which entries change?

    One that shows the same as a partition on probation is excused with it; one that shows nothing but what
    released partitions showed is excused. All others are put on the record. digests: the partitions of the
    version that they are part of, name -> md5; at: now (ISO 8601, UTC); judged_again: partitions that
    arrived: one on probation whose bytes are no longer suspicious, as a suite was edited, leaves it.
    """
    waiting, released = held(record, digests), let_pass(record, digests)
    changes, excused = dict[str, Suspension | None](), dict[str, str]()
    for name in report.on_probation:
        if name in waiting:
            continue
        new = Suspension(digests[name], at, suspicions_of(report, name))
        trusted = digests.keys() - waiting.keys() - {*report.on_probation}
        if known := released.get(name) or _as_released(new, record):
            excused[name] = known
        elif same := [
            other
            for other, entry in waiting.items()
            # The same bytes under another name are no second arrival.
            if entry.md5 != new.md5
            and not (new.by_person or entry.by_person)
            and shows_the_same(new, entry, next_one=not any(other < each < name for each in trusted))
        ]:
            changes[name] = replace(new, released=_news(" and ".join(same), at))
            excused[name] = str(_news(" and ".join(same), at))
            changes |= {other: replace(waiting[other], released=_news(name, at)) for other in same}
        else:
            changes[name] = new
    for name, entry in record.items():
        cleared = name in judged_again and name not in report.on_probation
        if entry.released is None and (cleared or name not in waiting):
            changes.setdefault(name, None)  # no longer suspicious, replaced, or removed
    return excused, changes


def for_a_person(report: GateReport) -> tuple[str, ...]:
    """The partitions on probation that another one does not release."""
    return tuple(
        name for name in report.on_probation if any(each.by_person for each in suspicions_of(report, name))
    )


def released_too(changes: Changes, arrived: Collection[str]) -> tuple[str, ...]:
    """The earlier partitions that an arrival releases, as it shows the same."""
    return tuple(name for name, entry in changes.items() if entry and entry.released and name not in arrived)


def suspicions_of(report: GateReport, name: str) -> tuple[Suspicion, ...]:
    """Why a partition is on probation by this report."""
    return tuple(
        Suspicion(each.about or each.expectation, each.expectation, each.observed, each.value, each.by_person)
        for each in report.failed
        if each.partition == name and each.severity == PROBATION
    )


def _news(others: str, at: str) -> Release:
    return Release(f"{others} shows the same", TWO_ARE_NEWS, at)


def _as_released(new: Suspension, record: Record) -> str | None:
    """Which released partitions showed all of it, and who released them; None if something is new."""
    released = {name: entry for name, entry in sorted(record.items()) if entry.released}
    known: dict[str, None] = {}
    for suspicion in new.suspicions:
        if suspicion.about.startswith(HISTORY):
            return None  # what was released widened the limits, and this is beyond them
        like = [
            name for name, entry in released.items() if any(_alike(suspicion, e) for e in entry.suspicions)
        ]
        if not like:
            return None
        known[like[0]] = None
    return "; ".join(f"{name} showed the same: {released[name].released}" for name in known)


def applied(record: Record, changes: Changes) -> dict[str, Suspension]:
    """The record after these changes, by name."""
    after = {**record, **changes}
    return {name: entry for name, entry in sorted(after.items()) if entry is not None}


def judge_probation(
    report: GateReport,
    record: Record,
    digests: Mapping[str, str],
    at: str,
    arrivals: Sequence[Collection[str]],
    fresh: Collection[str] = (),
) -> GateReport:
    """The report on partitions of a version (name -> md5) with what the record says of them.

    arrivals: the suspicious ones as they came, the oldest first. Those that came without `ingest` are on
    probation for this run, unless they are news, of which the report tells where they are about `fresh` ones.
    """
    for arrival in arrivals:
        arrived = tuple(each for each in report.findings if each.partition in arrival)
        excused, changes = settle(replace(report, findings=arrived), record, digests, at)
        freed = {name: str(entry.released) for name, entry in changes.items() if entry and entry.released}
        report, record = report.excusing(excused | freed), applied(record, changes)
    fresh_news = tuple(text for name, text in news(record, digests).items() if name in fresh)
    return replace(_with_held(report, record, digests), news=fresh_news)


def _with_held(report: GateReport, record: Record, digests: Mapping[str, str]) -> GateReport:
    """The suspicions of an arrival may need history that a version is not judged by."""
    missing = (
        Finding(
            name, each.expectation, PROBATION, False, each.observed,
            about=each.about, value=each.value, by_person=each.by_person,
        )
        for name, entry in held(record, digests).items()
        if name not in report.on_probation
        for each in entry.suspicions
    )  # fmt: skip
    return replace(report, findings=(*report.findings, *missing))


def how_to_release(report: GateReport) -> tuple[str, ...]:
    """A sentence for each partition on probation: why it is, and how a person ends that."""
    sentences = []
    for name in report.on_probation:
        suspicions = suspicions_of(report, name)
        twice = f"{BY_PERSON}; if it is right, " if any(each.by_person for each in suspicions) else ""
        sentences.append(
            f"{name} is on probation: {_shortened(list(map(str, suspicions)))}; {twice}release it with "
            f"'incumbent quarantine release {name} --reason TEXT'"
        )
    return tuple(sentences)


def _shortened(reasons: Sequence[str]) -> str:
    more = len(reasons) - MOST_REASONS
    return "; ".join(reasons[:MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")
