"""The kept profiles of the partitions as tables with small pictures over time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.cli.options import percent, table
from incumbent.cli.sparkline import sparkline
from incumbent.errors import BadInput
from incumbent.gate.figures import TABLE, Key
from incumbent.gate.limits import LONGEST
from incumbent.gate.profile import ColumnProfile, Profile
from incumbent.gate.traces import MEAN, Trace, traces
from incumbent.gate.wording import amount, between, count, describe_short, number
from incumbent.params import Params

LATEST = 12
"""Partitions in the pictures of all columns; those of one column have LONGEST."""

LETTERS = 24
"""Of the commonest value."""


@dataclass(frozen=True)
class Profiles:
    """Partitions by name, in order of arrival: profiles, which are on probation, and their figures.

    learned: how many of them the limits were learned from.
    """

    dataset: str
    partitions: Mapping[str, Profile]
    on_probation: frozenset[str]
    learned: int
    figures: Sequence[Trace]

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "partitions": [
                {"partition": name, "rows": each.rows, "on_probation": name in self.on_probation}
                for name, each in self.partitions.items()
            ],
            "learned_from": self.learned,
            "figures": [each.to_json() for each in self.figures],
        }


def profiles_of(project: Path, params: Params, column: str | None = None) -> Profiles:
    """Of the project's files alone; all columns, or one. Raises BadInput if there are none."""
    from incumbent.gate.probation import held
    from incumbent.storage.dataset.history import kept_history, learned_here
    from incumbent.storage.dataset.probation import record_here
    from incumbent.storage.dataset.versions import PROFILES

    kept, learned = kept_history(project), learned_here(project, params)
    if not kept:
        raise BadInput(f"no profiles in {project / PROFILES}; 'incumbent expectations learn' makes them")
    waiting = held(record_here(project), {name: each.md5 for name, each in kept.items()})
    profiles = {name: each.profile for name, each in [*kept.items()][-LONGEST:]}
    figures = list(traces(profiles, learned).values())
    columns = {each.column for each in figures}
    if column is not None and column not in columns:
        raise BadInput(f"no profile has a column '{column}'; they have {sorted(columns - {TABLE})}")
    chosen = [each for each in figures if column in (None, each.column)]
    known = len(learned.partitions) if learned else 0
    return Profiles(params.dataset.name, profiles, frozenset(waiting), known, chosen)


def as_text(profiles: Profiles) -> str:
    """Partitions, the table's figures, and a line for each column."""
    of_table = [each for each in profiles.figures if each.column == TABLE]
    return "\n\n".join(
        [_title(profiles), _partitions(profiles), _figures(of_table, profiles), _columns(profiles)]
    )


def one_column(profiles: Profiles) -> str:
    """All figures of the only column."""
    return "\n\n".join([_title(profiles), _figures(profiles.figures, profiles)])


def _title(profiles: Profiles) -> str:
    names = [*profiles.partitions]
    which = f"{len(names)} partitions, {names[0]} to {names[-1]}" if len(names) > 1 else names[0]
    learned = profiles.learned
    limits = f"limits learned from {count(learned, 'partition')}" if learned else "no limits are learned yet"
    return f"{profiles.dataset}: {which}; {limits}"


def _partitions(profiles: Profiles) -> str:
    rows = [
        [
            name,
            f"{each.rows:,}",
            percent(each.repeated),
            "on probation" if name in profiles.on_probation else "",
        ]
        for name, each in profiles.partitions.items()
    ]
    return table(["partition", "rows", "repeated", ""], rows)


def _figures(figures: Iterable[Trace], profiles: Profiles) -> str:
    rows = [
        [
            describe_short(each.figure),
            sparkline([*each.values.values()]),
            _latest(each),
            *ranges(each.figure, each.limits),
        ]
        for each in figures
    ]
    if profiles.on_probation:
        marks = ("▲" if name in profiles.on_probation else " " for name in profiles.partitions)
        rows.append(["on probation", "".join(marks), "", "", ""])
    return table(["figure", "over time", "latest", "should be", "suspicious outside"], rows)


def _columns(profiles: Profiles) -> str:
    names = [*profiles.partitions][-LATEST:]
    figures = {(each.column, each.figure): each for each in profiles.figures}
    columns = {each.column: None for each in profiles.figures if each.column != TABLE}
    rows = []
    for column in columns:
        last = [each for name in names if (each := profiles.partitions[name].columns.get(column))][-1:]
        rows += [_column(column, each, names, figures) for each in last]
    return table(["column", "kind", "empty", "", "different", "", "typical", ""], rows)


def _column(name: str, last: ColumnProfile, names: Sequence[str], figures: Mapping[Key, Trace]) -> list[str]:
    """last: the latest profile of the column."""
    typical = MEAN if last.mean is not None else "commonest"
    share = f" {last.shares.get('commonest', 0):.0%}" if last.filled else ""
    text = last.commonest or "–"
    commonest = f"{text if len(text) <= LETTERS else text[:LETTERS] + '…'}{share}"
    pictures = [
        sparkline([each.values[partition] for partition in names])
        if (each := figures.get((name, figure)))
        else ""
        for figure in ("empty", "distinct", typical)
    ]
    values = [
        percent(last.empty),
        f"{last.distinct:,}",
        commonest if last.mean is None else f"mean {number(last.mean)}",
    ]
    cells = [cell for pair in zip(pictures, values, strict=True) for cell in pair]
    return [name, last.kind or "–", *cells]


def _latest(trace: Trace) -> str:
    value = [*trace.values.values()][-1]
    return "–" if value is None else amount(trace.figure, value)


def ranges(figure: str, limits: Mapping[str, float | None] | None) -> tuple[str, str]:
    """Where the next value should be, and where it is not suspicious; empty without limits."""
    if limits is None:
        return "", ""
    return (
        between(figure, limits["low"], limits["high"]),
        between(figure, limits["least"], limits["greatest"]),
    )
