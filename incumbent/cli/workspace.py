"""The workspace's side of commands: what `up` starts, which folder `down` stops, what `init` joins."""

from pathlib import Path
from typing import Annotated

import typer

from incumbent.cli.options import command, say
from incumbent.cli.project_files import write_deployments
from incumbent.errors import BadInput, IncumbentError
from incumbent.local.environment import environment, only
from incumbent.local.names import explained, others_named, shared_names
from incumbent.local.workspace import (
    DEPLOYMENTS,
    DEPTH,
    PARAMS,
    is_workspace,
    out_of_reach_of,
    place_of,
    projects_below,
    projects_of,
    root_of,
)

Workspace = Annotated[
    Path | None,
    typer.Option("--workspace", help="A folder of projects that share one stack, instead of one project."),
]
PASS_THE_PROJECT = (
    "no trigger says which project a run is for; give on-new-data and on-decay the parameter "
    'project: "{{ event.payload.project }}"'
)
SHOWN = 3  # projects that a message names


def folder_to_start(project: Path, workspace: Path | None) -> Path:
    """Folder of the stack to start: the workspace, which is made where it is none yet, else the project.

    Raises BadInput when it is neither.
    """
    from incumbent.storage.dataset.new_project import require_project

    if workspace is not None:
        return _made(workspace.resolve())
    root = root_of(project)
    if is_workspace(root) and not (project / PARAMS).exists():
        return _made(root)
    if root == project and not (project / PARAMS).exists() and any(projects_below(project)):
        return _made(project)
    require_project(project)
    require_in_reach(project)
    return root


def _made(folder: Path) -> Path:
    """The folder as a workspace, with deployments of its own. Raises BadInput where it can't be one."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}")
    if (folder / PARAMS).exists():
        raise BadInput(
            f"{folder} is a project, as it has {PARAMS}; a workspace is a folder of projects, such as "
            f"{folder.parent}"
        )
    if not is_workspace(folder):
        if (folder / DEPLOYMENTS).exists():
            raise BadInput(
                f"{folder / DEPLOYMENTS} is not incumbent's, so the folder can't be a workspace; name another"
            )
        write_deployments(folder)
        say(f"{folder} is a workspace now: {DEPLOYMENTS} has the deployments for all projects in it")
    _require_different_names(projects_of(folder))
    return folder


def _require_different_names(projects: list[Path]) -> None:
    for name, sharing in shared_names(projects).items():
        raise BadInput(explained(name, sharing))


def require_no_folder_of_projects(folder: Path) -> None:
    """Raise BadInput for a folder of projects that `up` would make a workspace."""
    if not (folder / PARAMS).exists() and any(projects_below(folder)):
        raise BadInput(
            f"{folder.resolve()} is a folder of projects and no workspace yet; '{command('up', folder)}' "
            "makes it one, and starts their stack"
        )


def require_in_reach(project: Path) -> None:
    """Raise BadInput where the project is below a workspace, and too deep to be its member."""
    if workspace := out_of_reach_of(project):
        raise BadInput(too_deep(project, workspace))


def too_deep(project: Path, workspace: Path) -> str:
    """The message for a project that its workspace does not come to."""
    levels = len(project.resolve().relative_to(workspace).parts)
    return (
        f"{project} is {levels} levels below the workspace {workspace}, which has its projects up to {DEPTH} "
        "levels down; give it a folder nearer to it, or one outside"
    )


def share_data(root: Path) -> None:
    """Push what was made here to the stack's DVC remote; of a workspace, people hear of one that fails."""
    from incumbent.storage.dataset.new_project import push_what_is_here

    # The shell may name another S3, of another project: these data are not for it.
    with only(environment(root)):
        for project in projects_of(root):
            place = f"{place_of(project)}: " if is_workspace(root) else ""
            try:
                if push_what_is_here(project):
                    say(f"{place}the data version of HEAD is on the DVC remote")
            except IncumbentError as error:
                if not is_workspace(root):
                    raise
                say(f"{place}{error}")


def share(project: Path) -> bool:
    """Let a new member's data reach the stack, if that is up; return whether."""
    from incumbent.local import prefect_server, s3, stack
    from incumbent.storage.dataset.new_project import push_what_is_here

    running = stack.status(project)["services"]
    if not all(running[name]["healthy"] for name in (s3.NAME, prefect_server.NAME)):
        return False
    stack.join(project)
    with only(environment(project)):
        push_what_is_here(project)
    return True


def notices(root: Path) -> list[str]:
    """What to know of the projects in a workspace: who is no member, whose files are not used."""
    if not is_workspace(root):
        return []
    below, members = list(projects_below(root)), projects_of(root)
    apart = [each.relative_to(root).as_posix() for each in below if each not in members]
    text = (root / DEPLOYMENTS).read_text(encoding="utf-8")
    unused = [place_of(each) for each in members if (each / DEPLOYMENTS).exists()]
    return [
        *([] if "event.payload.project" in text else [f"{root / DEPLOYMENTS}: {PASS_THE_PROJECT}"]),
        *([f"no member of this workspace, as there is a stack of its own: {named(apart)}"] if apart else []),
        *([f"{DEPLOYMENTS} is not deployed from {named(unused)}, only the workspace's is"] if unused else []),
    ]


def nobody_takes(address: str) -> str:
    """The message for files that landed for no project."""
    return (
        f"files wait at {address}, and no project here has that dataset.name, so nobody takes them in; move "
        "them to a project's folder, or make the project"
    )


def named(places: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(places) - SHOWN
    return ", ".join(places[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def folder_to_stop(project: Path, workspace: Path | None) -> Path:
    """Folder of the stack to stop. Raises BadInput in a member, as other projects use its stack."""
    if workspace is not None:
        return workspace.resolve()
    root = root_of(project)
    if root != project and (project / PARAMS).exists():
        others = len(projects_of(root)) - 1
        raise BadInput(
            f"the stack of {project} is that of the workspace {root}, which {others} other projects use; "
            f"stop it for all of them with '{command('down', root)}'"
        )
    return root


def require_free_name(project: Path, name: str) -> None:
    """Raise BadInput where another project of the workspace has a dataset of this name."""
    for other in others_named(project, name):
        raise BadInput(
            f"the workspace {root_of(project)} has a dataset '{name}' already, in {other}; a new project's "
            "is named after its folder: name another with --project"
        )
