"""A workspace: the S3 of its projects, and of each project a line with what is wrong."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from incumbent.cli.doctor.data import check_s3
from incumbent.cli.doctor.finding import TIMEOUT, Doubtful, Finding, tried
from incumbent.cli.doctor.project import check_project
from incumbent.cli.options import command
from incumbent.cli.workspace import nobody_takes
from incumbent.local.names import params_of
from incumbent.local.workspace import place_of, projects_of, without_data
from incumbent.params import Params, load_params
from incumbent.storage.dataset.landing import unclaimed
from incumbent.storage.dataset.remotes import reach_dvc_remote

AT_ONCE = 8  # projects; most of each is waiting for git and S3


def searchers(root: Path) -> int:
    """The most workers that one search of any project has."""
    return max((params.search.workers for params in params_of(projects_of(root))), default=1)


def check_storage(root: Path) -> Iterator[Finding]:
    """Each S3 that has registries of the projects, and what landed there for none of them."""
    known = params_of(projects_of(root))
    lands = {params.registry.address for params in known if params.landing.address}
    for address in dict.fromkeys(params.registry.address for params in known):
        yield from check_s3(address, lands=address in lands)
    if lands:
        yield tried("landing", lambda: _landing(known))


def _landing(projects: Sequence[Params]) -> str:
    if strays := [nobody_takes(address) for address in unclaimed(projects)]:
        raise Doubtful("; ".join(strays))
    return "each folder there is a project's"


def check_projects(root: Path) -> Iterator[Finding]:
    """Each project, also one that is no member for want of its data.dvc."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(_in_short, [*projects_of(root), *without_data(root)])


def _in_short(project: Path) -> Finding:
    """The worst of what its own doctor finds without its stack."""
    name = place_of(project)
    params = tried(name, lambda: load_params(project).dataset.name)
    findings = [params]
    if params.state == "ok":
        findings += [*check_project(project), tried(name, lambda: reach_dvc_remote(project, TIMEOUT))]
    states: tuple[Literal["failed", "warning"], ...] = ("failed", "warning")
    for state in states:
        if says := [each.says for each in findings if each.state == state]:
            return Finding(name, state, "; ".join(says))
    return Finding(name, "ok", f"'{command('doctor', project)}' asks more")
