"""Look at all projects of a workspace, and see to what is new in any of them."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.glance import Glance
from tasks.poll import announce_undecided, look, start_monitor, telling


@flow(name="poll")
def poll(workspace: Path = Path()) -> dict[str, Any]:
    """Look at every project, and see to those with something new; returns how many, and what failed.

    Landed files become versions, pushed data are announced, late labels judged, and a version that waits for
    its decision too long is announced again.
    """
    problems: dict[str, str] = {}
    looks = look(workspace)
    busy = [project for project, each in looks.items() if each != NOTHING]
    for project in sorted(busy, key=lambda project: files_in(looks[project])):
        with telling(project, problems):
            see_to(project, looks[project])
    return {"projects": len(looks), "busy": len(busy), "problems": problems}


NOTHING = Glance(landed=0, moved=False, undecided=None, feedback=False)


def files_in(glance: Glance | Exception) -> int:
    """A flood of files in one project comes last, after all others."""
    return glance.landed if isinstance(glance, Glance) else 0


def see_to(project: Path, glance: Glance | Exception) -> None:
    """Raises what a look at the project raised, or what ingest and watch raise."""
    if isinstance(glance, Exception):
        raise glance
    # Imported where something is new: pandas and DVC cost seconds.
    if glance.landed:
        from flows.ingest import ingest

        ingest(project)
    if glance.moved:
        from flows.watch import watch

        watch(project)
    if glance.undecided:
        announce_undecided(project, glance.undecided)
    if glance.feedback:
        start_monitor(project)
