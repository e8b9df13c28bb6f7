"""The deployments of prefect.yaml: are they on the server, as they are here, with their triggers?"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from incumbent.cli.doctor.finding import Doubtful, Finding, tried
from incumbent.cli.doctor.prefect_api import PrefectServer
from incumbent.errors import BadInput
from incumbent.storage.dataset.remotes import is_same_project, is_same_repository

HEARTBEAT = "prefect.flow-run.heartbeat"
SOON = timedelta(minutes=2)  # in which the server looks at new schedules


@dataclass(frozen=True)
class Declared:
    """A deployment as prefect.yaml has it. `name`: as Prefect writes it, FLOW/DEPLOYMENT."""

    name: str
    entrypoint: str
    pool: str
    queue: str | None
    parameters: dict[str, Any]
    tags: list[str]
    triggers: int
    switched_off: frozenset[str]  # the events of triggers that prefect.yaml itself disables
    schedules: int

    @property
    def starts_by_itself(self) -> bool:
        """By an event or a schedule, and not only by a person or another run."""
        return bool(self.triggers or self.schedules)


def declared(root: Path) -> list[Declared]:
    """The deployments of the workspace's prefect.yaml, a project alone being one; none without that file."""
    file = root / "prefect.yaml"
    if not file.is_file():
        return []
    return [_read(each) for each in YAML(typ="safe").load(file.read_text(encoding="utf-8"))["deployments"]]


def _read(entry: dict[str, Any]) -> Declared:
    # A flow is named as its function is, unless the code says otherwise; ours never does.
    flow = re.split(r"[.:]", entry["entrypoint"])[-1].replace("_", "-")
    triggers = entry.get("triggers") or []
    off = (event for each in triggers if each.get("enabled") is False for event in each.get("expect", ()))
    return Declared(
        name=f"{flow}/{entry['name']}",
        entrypoint=entry["entrypoint"],
        pool=entry["work_pool"]["name"],
        queue=entry["work_pool"].get("work_queue_name"),
        parameters=entry.get("parameters") or {},
        tags=entry.get("tags") or [],
        triggers=len(triggers),
        switched_off=frozenset(off),
        schedules=len(entry.get("schedules") or []),
    )


def check_deployments(
    server: PrefectServer, deployments: Sequence[Declared], root: Path
) -> Iterator[Finding]:
    """All of prefect.yaml, this workspace's own, and started by enabled automations."""
    flows = {flow["id"]: flow["name"] for flow in server.all("/flows/filter")}
    every = {
        f"{flows.get(each['flow_id'])}/{each['name']}": each for each in server.all("/deployments/filter")
    }
    served = {each.name: every[each.name] for each in deployments if each.name in every}
    redeploy = f"in {root}, {server.command('prefect deploy --all')}"
    yield tried("deployments", lambda: _deployments(deployments, served, redeploy))
    automations = server.all("/automations/filter")
    if served:
        yield tried("deployments' project", lambda: _project(server, deployments, served, root))
        if any(each.schedules for each in deployments):
            yield tried("schedules", lambda: _schedules(server, deployments, served))
        yield tried("triggers", lambda: _triggers(deployments, served, automations, redeploy))
    yield tried("silent runs", lambda: _silence(server, automations))


def _deployments(deployments: Sequence[Declared], served: dict[str, dict[str, Any]], redeploy: str) -> str:
    if missing := [each.name for each in deployments if each.name not in served]:
        raise BadInput(f"not on the server: {', '.join(missing)}; {redeploy} deploys them")
    if paused := [name for name, each in served.items() if _is_paused(each)]:
        raise Doubtful(
            f"paused: schedules of {', '.join(paused)}; 'prefect deployment schedule ls {paused[0]}' lists "
            f"them, and 'prefect deployment schedule resume {paused[0]} ID' lets one go on"
        )
    old = {each.name: found for each in deployments if (found := _differences(each, served[each.name]))}
    if old:
        listed = "; ".join(f"{name} in {' and '.join(found)}" for name, found in old.items())
        raise Doubtful(f"not as prefect.yaml has them here: {listed}; {redeploy} updates them")
    return f"all {len(deployments)} of prefect.yaml, as they are there"


def _is_paused(deployment: dict[str, Any]) -> bool:
    return not all(schedule["active"] for schedule in deployment["schedules"])


def _differences(here: Declared, there: dict[str, Any]) -> list[str]:
    pairs = {
        "entrypoint": (here.entrypoint, there["entrypoint"]),
        "work pool": (here.pool, there["work_pool_name"]),
        "queue": (here.queue or there["work_queue_name"], there["work_queue_name"]),
        "parameters": (here.parameters, there["parameters"]),
        "tags": (sorted(here.tags), sorted(there["tags"])),
        "schedules": (here.schedules, len(there["schedules"])),
    }
    return [name for name, (ours, theirs) in pairs.items() if ours != theirs]


def _project(
    server: PrefectServer,
    deployments: Sequence[Declared],
    served: dict[str, dict[str, Any]],
    root: Path,
) -> str:
    """Deployments are known by their names alone: another project's of the same name take their place."""
    pools = {pool["name"]: pool for pool in server.all("/work_pools/filter")}
    places: set[str] = set()
    for each in deployments:
        if (there := served.get(each.name)) is None:
            continue
        place = _place(there, pools.get(there["work_pool_name"], {}))
        if there["entrypoint"] != each.entrypoint or _is_foreign(place, root):
            where = f" in {place}" if place else ""
            raise BadInput(
                f"{each.name} on this server is somebody else's: it runs {there['entrypoint']}{where}; "
                "deploying here would replace it: give each its own server by PREFECT_API_URL, or put both "
                "projects into one workspace (docs/workspace.md)"
            )
        if place:
            places.add(place)
    if away := [place for place in places if place.startswith("/") and not Path(place).is_dir()]:
        raise Doubtful(
            f"they start in {', '.join(away)}, which is not on this machine; run 'incumbent doctor' where "
            "the workers are, to see whether that is this project"
        )
    return f"this one, in {', '.join(sorted(places))}" if places else "this one"


def _place(deployment: dict[str, Any], pool: dict[str, Any]) -> str | None:
    """The folder or the repository that its runs start in; None if nothing says it."""
    for step in deployment["pull_steps"] or ():
        for inputs in step.values():
            if known := inputs.get("directory") or inputs.get("repository"):
                return str(known)
    properties = pool.get("base_job_template", {}).get("variables", {}).get("properties", {})
    given = deployment["job_variables"].get("repository")
    return given or properties.get("repository", {}).get("default")


def _is_foreign(place: str | None, root: Path) -> bool:
    if place is None:
        return False
    if not place.startswith("/"):
        return not is_same_repository(root, place)
    return Path(place).is_dir() and not is_same_project(root, Path(place))


def _schedules(
    server: PrefectServer, deployments: Sequence[Declared], served: dict[str, dict[str, Any]]
) -> str:
    """Does the server make runs of them?"""
    scheduled = [served[each.name] for each in deployments if each.schedules and each.name in served]
    idle = [each for each in scheduled if not _is_paused(each) and not _runs_ahead(server, each["id"])]
    if any(datetime.now(UTC) - datetime.fromisoformat(each["updated"]) < SOON for each in idle):
        raise Doubtful("deployed just now, and nothing is scheduled yet; ask again in two minutes")
    if idle:
        raise BadInput(
            f"the server makes no runs of {', '.join(each['name'] for each in idle)}, though they have "
            "schedules; read its log. If it has Prefect 3.8 and SQLAlchemy 2.1, which don't fit: pip install "
            "'sqlalchemy<2.1' there, and start it again"
        )
    return f"{len(scheduled)}, and the server makes their runs"


def _runs_ahead(server: PrefectServer, deployment: str) -> int:
    body = {
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    return int(server.request("POST", "/flow_runs/count", body).json())


def _triggers(
    deployments: Sequence[Declared],
    served: dict[str, dict[str, Any]],
    automations: Sequence[dict[str, Any]],
    redeploy: str,
) -> str:
    wanted = {served[each.name]["id"]: each for each in deployments if each.triggers and each.name in served}
    starting = [(action.get("deployment_id"), each) for each in automations for action in each["actions"]]
    for identity, each in wanted.items():
        own = [automation for deployment, automation in starting if deployment == identity]
        if len(own) < each.triggers:
            raise BadInput(
                f"{each.name} has {len(own)} of its {each.triggers} triggers, so some events start nothing; "
                f"{redeploy} makes them"
            )
        if asleep := [
            automation["name"]
            for automation in own
            if not automation["enabled"] and not _switched_off(automation, each)
        ]:
            raise BadInput(
                f"disabled: {', '.join(asleep)}, so their events start nothing; "
                f"'prefect automation resume {asleep[0]}' lets it go on"
            )
    return f"{sum(each.triggers for each in wanted.values())}, enabled as prefect.yaml says"


def _switched_off(automation: dict[str, Any], deployment: Declared) -> bool:
    """Whether prefect.yaml has it so."""
    expected = automation["trigger"].get("expect")
    return bool(expected) and deployment.switched_off.issuperset(expected)


def _silence(server: PrefectServer, automations: Sequence[dict[str, Any]]) -> str:
    watching = [each for each in automations if HEARTBEAT in each["trigger"].get("after", ())]
    if not any(each["enabled"] for each in watching):
        mend = (
            f"'prefect automation resume \"{watching[0]['name']}\"' lets it go on"
            if watching
            else f"{server.command('prefect automation create --from-file silent-runs.yaml')} makes it "
            "(docs/team.md has the file)"
        )
        raise Doubtful(
            f"no enabled automation ends runs that fell silent, so one would hold its place for ever; {mend}"
        )
    return f"'{watching[0]['name']}' ends them"
