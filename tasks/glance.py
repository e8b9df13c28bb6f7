"""A look at each project of a workspace, at milliseconds each: what is there to do?

Files, two S3 requests, and what git knows; no data, no DVC, and none of the project's own code.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from incumbent.errors import BadInput
from incumbent.local.workspace import POINTER, projects_of
from incumbent.params import Params, load_params
from incumbent.storage.dataset.branch import newest_version, remember, remembered, repository_of, tips
from incumbent.storage.dataset.inputs import changed_at, inputs_digest
from incumbent.storage.dataset.landing import open_landing
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.registry.retrainings import Retrainings
from incumbent.storage.serving.new_feedback import feedback_digest, is_monitored
from tasks.runs import LEASE_SECONDS

AT_ONCE = 8  # looks; most of each is waiting for git and S3
# Seconds since the last change of data or parameters. The event that it sent may still wait for its run.
PATIENCE = 3600

T = TypeVar("T")


@dataclass(frozen=True)
class Glance:
    """What there is to do. landed: files; undecided: digest of the inputs without a decision for long."""

    landed: int
    moved: bool
    undecided: str | None
    feedback: bool


def look_around(workspace: Path) -> dict[Path, Glance | Exception]:
    """A look at each project, by path, or why it can't be looked after."""
    projects = projects_of(workspace)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        params = dict(zip(projects, pool.map(_tried(load_params), projects), strict=True))
        repositories = list(dict.fromkeys(map(repository_of, projects)))
        branches = dict(zip(repositories, pool.map(_tried(tips), repositories), strict=True))
        doubled = _doubled(params)

        def look(project: Path) -> Glance:
            if project in doubled:
                raise doubled[project]
            return glance(project, _got(params[project]), lambda: _got(branches[repository_of(project)]))

        return dict(zip(projects, pool.map(_tried(look), projects), strict=True))


def glance(project: Path, params: Params, branch: Callable[[], str]) -> Glance:
    """One project. Raises what git and S3 raise."""
    landing = open_landing(params)
    feedback = feedback_digest(project, params)
    return Glance(
        landed=len(landing.waiting()) if landing else 0,
        moved=_moved(project, branch()),
        undecided=_undecided(project, params),
        feedback=feedback is not None and not is_monitored(project, feedback),
    )


def _moved(project: Path, at_tips: str) -> bool:
    """Is there a data version that nobody announced from here?"""
    announced, known = remembered(project)
    if known == at_tips:
        return False
    if newest_version(project, at_tips) != announced:
        return True
    remember(project, announced, at_tips)
    return False


def _undecided(project: Path, params: Params) -> str | None:
    if not (project / POINTER).exists():
        return None
    retrainings, inputs = Retrainings(open_registry(params, project)), inputs_digest(project, params)
    last = retrainings.last_decided()
    if (last is not None and last.inputs == inputs) or time.time() - changed_at(project, params) < PATIENCE:
        return None
    return inputs if retrainings.at_work(LEASE_SECONDS) is None else None


def _doubled(params: dict[Path, Params | Exception]) -> dict[Path, BadInput]:
    """Projects whose dataset has the name of another's: they would overwrite each other's champion."""
    named: dict[str, list[Path]] = defaultdict(list)
    for project, known in params.items():
        if isinstance(known, Params):
            named[known.dataset.name].append(project)
    return {
        project: BadInput(f"dataset.name = '{name}' is also that of {_others(project, sharing)}; rename one")
        for name, sharing in named.items()
        for project in sharing
        if len(sharing) > 1
    }


def _others(project: Path, sharing: Sequence[Path]) -> str:
    return ", ".join(str(each) for each in sharing if each != project)


def _tried(function: Callable[[Path], T]) -> Callable[[Path], T | Exception]:
    def tried(path: Path) -> T | Exception:
        try:
            return function(path)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is this project's alone
            return error

    return tried


def _got(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer
