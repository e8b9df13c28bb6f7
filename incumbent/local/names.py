"""Each dataset of a workspace has a name of its own, as model, landing folder and events are named by it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from incumbent.errors import BadInput, BadParams
from incumbent.local.workspace import PARAMS, is_workspace, place_of, projects_of, root_of
from incumbent.params import Params, load_params


def require_own_name(project: Path) -> None:
    """Raise BadInput where another project of the workspace has a dataset of the same name."""
    name = load_params(project).dataset.name
    if others := others_named(project, name):
        raise BadInput(explained(name, [project.resolve(), *others]))


def others_named(project: Path, name: str) -> list[Path]:
    """The other projects of the workspace whose dataset has this name; milliseconds for a hundred."""
    project, root = project.resolve(), root_of(project)
    return [
        other
        for other in (projects_of(root) if is_workspace(root) else ())
        if other != project and _mentions(other, name) and dataset_of(other) == name
    ]


def shared_names(projects: Iterable[Path]) -> Mapping[str, Sequence[Path]]:
    """The names of datasets that several projects have, each with these projects."""
    named: dict[str, list[Path]] = defaultdict(list)
    for project in projects:
        if (name := dataset_of(project)) is not None:
            named[name].append(project)
    return {name: sharing for name, sharing in named.items() if len(sharing) > 1}


def params_of(projects: Iterable[Path]) -> list[Params]:
    """The parameters of those projects whose params.yaml is valid."""
    return [params for project in projects if (params := _valid(project)) is not None]


def dataset_of(project: Path) -> str | None:
    """dataset.name; None where params.yaml is not valid, of which the poll and the doctor tell people."""
    params = _valid(project)
    return params.dataset.name if params else None


def explained(name: str, projects: Iterable[Path]) -> str:
    """The message for projects that share a name."""
    return (
        f"dataset.name = '{name}' in {' and '.join(sorted(map(place_of, projects)))}: they would overwrite "
        f"each other's champion; rename one in its {PARAMS}"
    )


def _valid(project: Path) -> Params | None:
    try:
        return load_params(project)
    except BadParams:
        return None


def _mentions(project: Path, name: str) -> bool:
    # To parse a hundred files takes a second.
    try:
        text = (project / PARAMS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(rf"\bname\W+{re.escape(name)}(?![\w-])", text) is not None
