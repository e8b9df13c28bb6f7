"""See to what a look at the projects has shown; what fails in one alerts people, and holds up no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment

from incumbent.errors import IncumbentError
from incumbent.errors.machine import explain
from incumbent.local.workspace import place_of
from incumbent.params import load_params, own_code
from tasks.events import emit
from tasks.glance import Glance, look_around
from tasks.step import without_tracebacks

MONITOR = "monitor/monitor"


@task(cache_policy=NO_CACHE)
def look(workspace: Path) -> dict[Path, Glance | Exception]:
    """A look at each project of the workspace, by path, or why it can't be looked after."""
    without_tracebacks()
    return look_around(workspace)


@contextmanager
def telling(project: Path, problems: dict[str, str]) -> Iterator[None]:
    """Tell people of what fails in the block, once a day, and note it in `problems`, by project."""
    try:
        with own_code.apart():
            yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the other projects are looked after
        reason = explain(error) or (str(error) if isinstance(error, IncumbentError) else repr(error))
        problems[place_of(project)] = reason
        get_run_logger().error("%s: %s", place_of(project), reason)
        _tell(project, reason)


def _tell(project: Path, reason: str) -> None:
    place, day = place_of(project), datetime.now(UTC).date()
    name = project.resolve().name if place == "." else place
    emit(
        project,
        "project.failed",
        f"incumbent.project.{place}",
        name,
        once=f"{reason} {day}",
        payload={"reason": reason},
    )


def announce_undecided(project: Path, inputs: str) -> None:
    """Announce the version of HEAD again, once an hour: its event or its run was lost, or it failed."""
    from incumbent.storage.dataset.versions import resolve
    from incumbent.tables.partitions import Diff
    from tasks.announcement import Version

    version, name = Version(resolve(project), Diff()), load_params(project).dataset.name
    once = f"{inputs} at {_hour()}"
    emit(project, "dataset.version.created", f"incumbent.dataset.{name}", name, once, version.to_json())


def start_monitor(project: Path) -> None:
    """Start a run of monitor, which needs the model and so the project's own code; once an hour."""
    place = place_of(project)
    parameters: dict[str, Any] = {"project": place}
    run_deployment(MONITOR, parameters=parameters, timeout=0, idempotency_key=f"{place} {_hour()}")


def _hour() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H")
