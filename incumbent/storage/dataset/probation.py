"""Which partitions are on probation: expectations/probation.yaml, part of the data version's own commit.

Absent, nobody is on probation. incumbent/gate/probation.py has the rules.
"""

import getpass
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML, YAMLError

from incumbent.errors import BadInput, NotFound
from incumbent.gate.documents import plain
from incumbent.gate.probation import A_PERSON, BY_PERSON, Changes, Record, Release, Suspension, applied, held
from incumbent.storage.dataset.arrivals import Document
from incumbent.storage.dataset.git import file_at, git
from incumbent.storage.dataset.versions import PROBATION
from incumbent.storage.s3.documents import now
from incumbent.tables.partitions import DataVersion

_RECORD = TypeAdapter(dict[str, Suspension])
HEADER = (
    "# Partitions that looked wrong but may be news: kept and scored, trained on once they are released.\n"
)


def record_at(project: Path, rev: str = "HEAD") -> dict[str, Suspension]:
    """The record of a commit; empty if it has none. Raises BadInput if it can't be read."""
    return _parse(file_at(project, rev, PROBATION), project)


def record_here(project: Path) -> dict[str, Suspension]:
    """The record of the work tree, for `dvc repro`. Raises BadInput as record_at does."""
    path = project / PROBATION
    return _parse(path.read_text(encoding="utf-8") if path.exists() else None, project)


def changing(project: Path, changes: Changes) -> Mapping[str, Document]:
    """The document of these changes, for a commit; entries that another clone made meanwhile stay."""
    if not changes:
        return {}
    return {PROBATION: lambda text: _dump(applied(_parse(text, project), changes))}


def accepted(project: Path, version: DataVersion) -> tuple[str, ...]:
    """The partitions of a version that are not on probation, by name; among them those that were released.

    What the gate blocks is no part of a version, unless a person pushed it.
    """
    waiting = held(record_at(project, version.rev), version.digests)
    return tuple(each.name for each in version.partitions if each.name not in waiting)


def digest_in(version: DataVersion, partition: str) -> str:
    """The md5 of a partition, by its name. Raises NotFound if it is not in the data."""
    if partition not in version.digests:
        raise NotFound(
            f"nothing in quarantine or in the data is called '{partition}'; see `incumbent quarantine list`"
        )
    return version.digests[partition]


def released_by_a_person(project: Path, why: str) -> Release:
    return Release(f"{A_PERSON}{_name(project)}", why, now())


def _name(project: Path) -> str:
    try:
        return git(project, "config", "user.name")
    except BadInput:
        return getpass.getuser()


def _parse(text: str | None, project: Path) -> dict[str, Suspension]:
    if text is None:
        return {}
    try:
        return _RECORD.validate_python(YAML(typ="safe").load(text) or {})
    except YAMLError as error:
        line, problem = _where_no_yaml(error, text)
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(map(str, detail["loc"]))
        line, problem = _line_of(text, detail["loc"]), ": ".join(filter(None, (place, plain(detail["msg"]))))
    raise BadInput(
        f"{project / PROBATION} can't be read: line {line}: {problem}; correct that line, or take the file "
        f"back as it was with 'git checkout COMMIT -- {PROBATION}' (commits: 'git log -- {PROBATION}'), and "
        "commit it"
    )


def _where_no_yaml(error: YAMLError, text: str) -> tuple[int, str]:
    """The line, from 1, and what is wrong there."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    line = min(mark.line + 1, len(text.splitlines())) if mark else 1  # what is never closed ends after all
    return line, f"no YAML: {problem.splitlines()[0]}"


def _line_of(text: str, place: Sequence[int | str]) -> int:
    """The line, from 1, of the deepest part of `place`, keys and positions, that the document has."""
    node: Any = YAML().load(text)
    line = 1
    for step in place:
        if isinstance(node, list):
            start = node.lc.item(step)  # type: ignore[attr-defined]
        elif isinstance(node, dict) and step in node:
            start = node.lc.key(step)  # type: ignore[attr-defined]
        else:
            break
        line, node = start[0] + 1, node[step]
    return line


def _dump(record: Record) -> str | None:
    """None for nobody: then the file is removed."""
    if not record:
        return None
    yaml, written = YAML(), io.StringIO(HEADER)
    yaml.width, yaml.default_flow_style = 10_000, False
    written.seek(0, io.SEEK_END)
    yaml.dump(_RECORD.dump_python(dict(record), mode="json", exclude_defaults=True), written)
    return written.getvalue()


def entries(record: Record) -> list[dict[str, Any]]:
    """The record as `incumbent quarantine list` shows it, beside what is in quarantine."""
    return [
        {
            "entry": name,
            "kind": "probation",
            "md5": entry.md5,
            "at": entry.since,
            "reasons": list(entry.reasons),
            "released": entry.released and vars(entry.released),
            **({"note": BY_PERSON} if entry.by_person and not entry.released else {}),
        }
        for name, entry in sorted(record.items())
    ]
