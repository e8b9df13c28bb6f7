"""Do an arrival's times lie where its name and the clock say? The last partition by name is the latest."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from incumbent.errors import BadData
from incumbent.gate.report import PROBATION, Finding
from incumbent.params import DatasetParams
from incumbent.tables.convert import stem_of
from incumbent.tables.parquet import schema_of
from incumbent.tables.periods import Span, span_of

FAR_AHEAD = "column '{}' must not lie more than a year ahead"
AHEAD = timedelta(days=366)
"""A time that lies farther ahead is more often a typing error than a plan."""


def judge_times(name: str, path: Path, recent: Mapping[str, Path], dataset: DatasetParams) -> list[Finding]:
    """At most one finding on when, and one on the order; nothing for what has no times.

    recent: the latest partitions by name, whose times may lie ahead, too.
    """
    times = _span(path, dataset)
    if times is None:
        return []
    stem = stem_of(Path(name))
    files = {Path(other).stem: file for other, file in recent.items()}
    others = {
        other: span for other, file in files.items() if other != stem and (span := _span(file, dataset))
    }
    return [*_far_ahead(name, times, [*others.values()], dataset), *_order(name, stem, times, others)]


def _span(path: Path, dataset: DatasetParams) -> Span | None:
    if dataset.time is None or dataset.time not in schema_of(path).names:
        return None
    try:
        first, last = span_of(path, dataset.time)
    except BadData:
        return None  # no times: whoever needs them says so
    return (first, last) if first <= last else None  # an empty column has none


def _far_ahead(name: str, times: Span, others: Sequence[Span], dataset: DatasetParams) -> Iterator[Finding]:
    limit = (datetime.now(UTC) + AHEAD).replace(tzinfo=None)
    if times[1] <= limit or any(last > limit for _, last in others):
        return
    yield Finding(
        name,
        FAR_AHEAD.format(dataset.time),
        PROBATION,
        False,
        f"its times go up to {times[1]}; the partition would be the latest for years",
        by_person=True,
    )


def _order(name: str, stem: str, times: Span, others: dict[str, Span]) -> Iterator[Finding]:
    before = max((each for each in others if each < stem), default=None)
    after = min((each for each in others if each > stem), default=None)
    if before is not None and times[1] < others[before][0]:
        place, other, where = "after", before, "before"
    elif after is not None and times[0] > others[after][1]:
        place, other, where = "before", after, "after"
    else:
        return
    observed = (
        f"by its name it comes {place} {other}, and its times, {times[0]} to {times[1]}, lie {where} that "
        "one's; the last partition by name counts as the latest: rename the file"
    )
    yield Finding(name, "partitions should sort by name as they do by time", "warning", False, observed)
