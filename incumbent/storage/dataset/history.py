"""The gate's history: a profile of each partition, and the suite learned from them, versioned with the data.

expectations/profiles/<partition>.json is made once, when the partition arrives, and
expectations/<dataset>.learned.json anew with each data version. Both are part of its commit, so a clone
judges alike without older rows.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from incumbent.errors import BadInput
from incumbent.gate.learned import Learned, learned_from
from incumbent.gate.learned_suite import (
    from_suite,
    is_learned,
    not_learned,
    own_suites,
    partitions_of,
    to_suite,
)
from incumbent.gate.limits import LONGEST
from incumbent.gate.probation import Record, held
from incumbent.gate.profile import Profile, profile, profile_and_sample
from incumbent.gate.sensors import RECENT, with_sensors
from incumbent.params import Params
from incumbent.storage.dataset.probation import record_at
from incumbent.storage.dataset.versions import LEARNED_SUITE, PROFILES, fetch
from incumbent.tables.partitions import DataVersion, digest_of

SENSED = 12
"""The latest partitions of a new project that the sensors read: each costs some tenths of a second."""

MONTHS, DAYS = re.compile(r"\d{4}-\d{2}"), re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Profiled:
    """A partition's bytes (md5, hex) and their profile."""

    md5: str
    profile: Profile

    @staticmethod
    def of(path: Path, measured: Profile) -> "Profiled":
        """With the figures as they are kept, so that the same is learned from them later."""
        return Profiled(digest_of(path), Profile.from_json(measured.to_json()))


History = Mapping[str, Profiled]
"""Partitions by name, in order of arrival."""


@dataclass(frozen=True)
class Past:
    """What the next partition is judged against: accepted ones, the files of the latest, and the suites."""

    params: Params
    history: History
    recent: Mapping[str, Path]
    given: tuple[dict[str, Any], ...]

    @cached_property
    def suites(self) -> list[dict[str, Any]]:
        """A person's, and the one that the history teaches."""
        learned = [suite for suite in self.given if is_learned(suite)]
        if [partitions_of(suite) for suite in learned] == [tuple(self.history)]:
            return [*self.given]
        own = own_suites(self.given)
        return [*own, _learned(self.history, self.params)] if self.history else own

    def after(self, name: str, path: Path, measured: Profile) -> "Past":
        """The same, once this partition is accepted."""
        history = {**self.history, name: Profiled.of(path, measured)}
        recent = [*{**self.recent, name: path}.items()][-RECENT:]
        return Past(self.params, _latest(history), dict(recent), self.given)


def past_of(project: Path, params: Params, version: DataVersion, suites: Sequence[dict[str, Any]]) -> Past:
    """Before anything arrives. suites: all of the project. Fetches the latest partitions."""
    record = record_at(project)
    history = history_of(project, params, version, record)
    return Past(params, history, recent_files(project, version, record), tuple(suites))


def recent_files(project: Path, version: DataVersion, record: Record) -> dict[str, Path]:
    """The latest partitions of a version that are not on probation, the last one last, and their files, which
    have other names; empty without data."""
    waiting = held(record, version.digests)
    names = [name for name in sorted(version.digests) if name not in waiting][-RECENT:]
    return dict(zip(names, fetch(project, version, names), strict=True)) if names else {}


def history_of(
    project: Path,
    params: Params,
    version: DataVersion,
    record: Record,
    arrived: History = MappingProxyType({}),
) -> dict[str, Profiled]:
    """The latest partitions of a version, and of what `arrived` on top, that are not on probation.

    Reads a partition only where its profile is not kept.
    """
    digests = version.digests | {name: each.md5 for name, each in arrived.items()}
    waiting = held(record, digests)
    names = [name for name in sorted(digests) if name not in waiting][-LONGEST:]
    known = {
        name: each for name in names if (each := _kept(project, name, digests[name]) or arrived.get(name))
    }
    missing = [name for name in names if name not in known]
    for name, path in zip(missing, fetch(project, version, missing), strict=True):
        known[name] = Profiled.of(path, profile(path, params.dataset, params.task, params.clean))
    return {name: known[name] for name in names}


def kept_history(project: Path) -> dict[str, Profiled]:
    """All profiles in the work tree, in order of arrival. Raises BadInput for one that can't be read."""
    folder = project / PROFILES
    paths = {
        f"{path.relative_to(folder).as_posix().removesuffix('.json')}.parquet": path
        for path in folder.rglob("*.json")
    }
    return {name: _read(paths[name]) for name in sorted(paths)}


def learned_here(project: Path, params: Params) -> Learned | None:
    """What the learned suite of the work tree says, if there is one. Raises BadInput if it can't be read."""
    path = project / learned_path(params)
    if not path.exists():
        return None
    try:
        return from_suite(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(not_learned(path, error)) from error


def judged_on_arrival(project: Path, digests: Mapping[str, str]) -> frozenset[str]:
    """The partitions (name -> md5) whose profile is kept: the history judged them when they came."""
    return frozenset(name for name, md5 in digests.items() if _kept(project, name, md5))


def history_documents(
    project: Path,
    params: Params,
    version: DataVersion,
    record: Record,
    arrived: History = MappingProxyType({}),
) -> dict[str, str]:
    """For the commit of a data version: profiles that are not kept yet, and the suite learned from all.

    version, record: the data before, and who is on probation after; `arrived` comes on top.
    """
    history = history_of(project, params, version, record, arrived)
    new = {name: each for name, each in {**history, **arrived}.items() if not _kept(project, name, each.md5)}
    documents = {profile_path(name): profile_text(each) for name, each in new.items()}
    return documents | ({learned_path(params): learned_text(history, params)} if history else {})


def anew(project: Path, params: Params, version: DataVersion, record: Record) -> dict[str, str]:
    """As history_documents, and missing profiles of the latest partitions with what the sensors read."""
    waiting = held(record, version.digests)
    names = [name for name in sorted(version.digests) if name not in waiting][-LONGEST:]
    made = dict[str, Profiled]()
    for place, name in enumerate(names):
        md5 = version.digests[name]
        if place >= len(names) - SENSED and not _kept(project, name, md5):
            path, *recent = fetch(project, version, [name, *names[max(0, place - RECENT) : place]])
            made[name] = Profiled.of(path, _sensed(path, recent, params))
    return history_documents(project, params, version, record, made)


def start_history(paths: Sequence[Path], params: Params) -> dict[str, str]:
    """The documents of a first data version, of these Parquet partitions in order of arrival."""
    history: dict[str, Profiled] = {}
    for place, path in enumerate(paths):
        if place >= len(paths) - SENSED:
            measured = _sensed(path, paths[max(0, place - RECENT) : place], params)
        else:
            measured = profile(path, params.dataset, params.task, params.clean)
        history[path.name] = Profiled.of(path, measured)
    documents = {profile_path(name): profile_text(each) for name, each in history.items()}
    return documents | {learned_path(params): learned_text(_latest(history), params)}


def _sensed(path: Path, recent: Sequence[Path], params: Params) -> Profile:
    """The profile of a partition, with sensors."""
    return with_sensors(*profile_and_sample(path, params.dataset, params.task, params.clean), recent, params)


def profile_text(profiled: Profiled) -> str:
    return _text({"md5": profiled.md5, **profiled.profile.to_json()})


def learned_text(history: History, params: Params) -> str:
    return _text(_learned(history, params))


def learned_path(params: Params) -> str:
    return f"expectations/{params.dataset.name}{LEARNED_SUITE}"


def profile_path(partition: str) -> str:
    return f"{PROFILES}/{partition.removesuffix('.parquet')}.json"


def _text(document: Any) -> str:
    return _lines(document, depth=3) + "\n"


def _lines(value: Any, depth: int, indent: str = "\n") -> str:
    """JSON with a line for each entry down to a depth, so that git's differences are small and readable."""
    inner = f"{indent} "
    if depth and value and isinstance(value, dict):
        entries = (
            f"{inner}{_lines(name, 0)}: {_lines(each, depth - 1, inner)}" for name, each in value.items()
        )
        return f"{{{','.join(entries)}{indent}}}"
    if depth and value and isinstance(value, list):
        return f"[{','.join(inner + _lines(each, depth - 1, inner) for each in value)}{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _learned(history: History, params: Params) -> dict[str, Any]:
    profiles = {name: each.profile for name, each in history.items()}
    learned = learned_from(profiles, params.gate.false_alarms, season_of(tuple(profiles)))
    return to_suite(params.dataset.name, learned, params.task)


def season_of(partitions: Sequence[str]) -> int:
    """How many partitions a season has, by their names: 12 months, 7 days, or 0, none that we know."""
    names = [name.removesuffix(".parquet") for name in partitions]
    for form, season in ((MONTHS, 12), (DAYS, 7)):
        if names and all(form.fullmatch(name) for name in names):
            return season
    return 0


def _latest(history: History) -> History:
    return {name: history[name] for name in sorted(history)[-LONGEST:]}


def _kept(project: Path, partition: str, md5: str) -> Profiled | None:
    """The kept profile of a partition with these bytes."""
    path = project / profile_path(partition)
    if not path.exists():
        return None
    profiled = _read(path)
    return profiled if profiled.md5 == md5 else None


def _read(path: Path) -> Profiled:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path} is no profile of a partition: {error!r}; remove it, and 'incumbent expectations learn' "
            "makes it anew"
        ) from error


@lru_cache(maxsize=2 * LONGEST)
def _parsed(text: str) -> Profiled:
    """Once in a command, which needs the history before and after an arrival."""
    document = json.loads(text)
    return Profiled(document.pop("md5"), Profile.from_json(document))
