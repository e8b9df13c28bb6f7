"""Many models on one stack: a burst of arrivals, one for each, and what it costs when nothing is new.

Small projects in one folder, a stack that is started once. Arrivals: a new data version of each project,
all announced within a minute; the time from each event to its decision. Idle: CPU seconds an hour of the
stack and its polls, when no project has anything new; of all projects, and of one alone.

    taskset -c 0,1 python bench/workspace.py [--projects 100] [--idle 120]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from ruamel.yaml import YAML

from incumbent.cli.new_project import create
from incumbent.cli.project_files import write_deployments
from incumbent.cli.workspace import share_data
from incumbent.local import processes, stack
from incumbent.local.environment import environment
from incumbent.local.loopback import ask_prefect
from incumbent.params import DatasetParams, load_params
from incumbent.storage.dataset.arrivals import add_partitions
from incumbent.storage.dataset.git import git
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.s3.address import open_store
from incumbent.tables.partitions import DataVersion, Diff
from tasks.announcement import Version, tell_of

QUICK = {"search": {"trials": 2, "folds": 3}}
ROWS = 400
POLLS_AN_HOUR = 12
ACTIVE = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
PATIENCE = 2 * 3600.0
POLL = "import sys; from pathlib import Path; from flows.poll import poll; print(poll(Path(sys.argv[1])))"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--projects", type=int, default=100)
    arguments.add_argument("--idle", type=int, default=120, help="seconds to watch the idle stack")
    asked = arguments.parse_args()
    for who in ("AUTHOR", "COMMITTER"):
        os.environ |= {f"GIT_{who}_NAME": "bench", f"GIT_{who}_EMAIL": "bench@incumbent.invalid"}
    with TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        root.mkdir()
        write_deployments(root)
        without_schedules(root / "prefect.yaml")
        with timed("up"):
            stack.up(root, say)
        try:
            os.environ |= environment(root)
            names = [f"shop-{number:03d}" for number in range(asked.projects)]
            with timed(f"init of {len(names)} projects"), ProcessPoolExecutor(2) as pool:
                projects = list(pool.map(partial(new_project, root), names))
            with timed("their data to the DVC remote"):
                share_data(root)
            bench_arrivals(projects)
            bench_idle(root, projects, asked.idle)
            with timed(f"incumbent status of {len(projects)}"):
                status = ["status", "--json", "--project", str(root)]
                subprocess.run([sys.executable, "-m", "incumbent", *status], check=True, capture_output=True)
        finally:
            stack.down(root, say)


def bench_arrivals(projects: list[Path]) -> None:
    with timed(f"{len(projects)} new data versions"), ProcessPoolExecutor(2) as pool:
        versions = list(pool.map(new_version, projects))
    sent: dict[Path, float] = {}
    servers = environment(projects[0])
    here = {setting: servers[setting.name] for setting in (PREFECT_API_URL, PREFECT_API_AUTH_STRING)}
    with timed("their events"), temporary_settings(here):
        for project, version in zip(projects, versions, strict=True):
            sent[project] = time.time()
            tell_of(project, Version(version, Diff(added=("part-1.parquet",))))
    decided = wait_for_decisions(projects)
    spent = [decided[project] - sent[project] for project in projects if project in decided]
    kinds = Counter(kind for project in projects for kind in kinds_of(project))
    own = sum(is_own(project, version) for project, version in zip(projects, versions, strict=True))
    print(f"\n{len(projects)} arrivals on {len(os.sched_getaffinity(0))} cores: {len(decided)} decisions")
    print(f"one decision each, by the project's own model, on its own data: {own}")
    print(f"kinds: {dict(kinds)}")
    print(f"event to decision, seconds: p50 {statistics.median(spent):.0f}, max {max(spent):.0f}", flush=True)


def wait_for_decisions(projects: list[Path]) -> dict[Path, float]:
    """When the first decision of each was written, by S3's clock; without those that have none in time."""
    decided: dict[Path, float] = {}
    deadline = time.monotonic() + PATIENCE
    while len(decided) < len(projects) and time.monotonic() < deadline:
        time.sleep(15)
        for project in projects:
            if project not in decided and (at := decision_at(project)):
                decided[project] = at
    return decided


def decision_at(project: Path) -> float | None:
    params = load_params(project)
    store = open_store(f"{params.registry.address}/{params.dataset.name}")
    written = (each.written for each in store.listing("runs/") if each.key.endswith("/decision.json"))
    first = next(written, None)
    return first.timestamp() if first else None


def kinds_of(project: Path) -> list[str]:
    """What its runs decided, skips too."""
    decisions = open_registry(load_params(project), project).decisions(range(1, 10))
    return [str(each["kind"]) for each in decisions.values()]


def is_own(project: Path, version: DataVersion) -> bool:
    """Is there one decision, and a version of this model that was trained on this data version?"""
    registry = open_registry(load_params(project), project)
    [manifest] = registry.versions() or [{"data": {"md5": None}}]
    return len(kinds_of(project)) == 1 and manifest["data"]["md5"] == version.md5


def bench_idle(root: Path, projects: list[Path], seconds: int) -> None:
    """The stack without polls for some seconds, then one poll of all projects, and of one."""
    while ask_prefect(environment(root), "flow_runs/count", {"flow_runs": ACTIVE}):
        time.sleep(5)  # the last run tells the server that it has ended
    before = stack_cpu(root)
    time.sleep(seconds)
    after = stack_cpu(root)
    an_hour = sum(after[pid] - before.get(pid, 0.0) for pid in after) * 3600 / seconds
    poll_cpu(root)  # the first one remembers where each branch is
    polls = {"all": poll_cpu(root), "one": poll_cpu(projects[0])}
    print(f"\nidle, CPU seconds an hour: stack without polls {an_hour:.0f}")
    for name, spent in polls.items():
        print(f"{name:>4}: a poll {spent:.2f}, with the stack {an_hour + POLLS_AN_HOUR * spent:.0f}")
    more = (polls["all"] - polls["one"]) / max(len(projects) - 1, 1)
    print(f"each further project: {1000 * more:.1f} ms a poll", flush=True)


def stack_cpu(root: Path) -> dict[int, float]:
    """pid -> CPU seconds so far, of all processes of the stack."""
    services = (processes.running(stack.Stack(root), name) for name in stack.OF_A_WORKSPACE)
    alive = [each for process in services if process for each in (process, *process.children(recursive=True))]
    return {each.pid: sum(each.cpu_times()[:2]) for each in alive}


def poll_cpu(workspace: Path) -> float:
    """CPU seconds of a poll's process and its children, which are git's."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", POLL, str(workspace)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def new_project(root: Path, name: str) -> Path:
    project = root / name
    create(table(root.parent, name, 0), DatasetParams(name="new", target="buys", key=["id"]), project)
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    for section, values in QUICK.items():
        params[section].update(values)
    with (project / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    git(project, "commit", "--quiet", "--all", "--message", "Search less")
    return project


def new_version(project: Path) -> DataVersion:
    return add_partitions(project, [table(project.parents[1], project.name, 1)])


def table(folder: Path, name: str, number: int) -> Path:
    """Customers of a shop, of the same kind each time."""
    path = folder / "tables" / name / f"part-{number}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([number, *name.encode()])
    age, price = rng.integers(18, 80, ROWS), rng.random(ROWS) * 100
    buys = rng.random(ROWS) < 1 / (1 + np.exp(-(age - 45) / 8 - (price - 50) / 25))
    columns = {"id": number * ROWS + np.arange(ROWS), "age": age, "price": price, "buys": buys.astype(int)}
    pd.DataFrame(columns).to_parquet(path, index=False)
    return path


def without_schedules(deployments: Path) -> None:
    """The bench says when to poll."""
    yaml = YAML()
    document = yaml.load(deployments.read_text())
    for deployment in document["deployments"]:
        deployment.pop("schedules", None)
    with deployments.open("w") as stream:
        yaml.dump(document, stream)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
