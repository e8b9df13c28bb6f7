"""What the orchestration costs: a run that finds nothing to do, and the way from an event to its run.

A project of its own on a local stack of its own, with two months of flights.

Idle: `incumbent retrain` on a version that was decided before, against a Prefect flow with as many empty
tasks, the same parameters and one artifact; CPU seconds of the process, in turn.

Latency: from the event to the flow's first line, our deployment and worker against the same flow deployed
with Prefect's defaults: a process pool whose worker polls as often, and starts runs, as Prefect has it.

    python bench/orchestration.py [--runs 10]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from incumbent.demo.flights import load_flights, write_months
from incumbent.local import prefect_server, stack
from incumbent.local.environment import environment
from incumbent.storage.dataset.arrivals import track_all
from incumbent.storage.dataset.git import git

ROOT = Path(__file__).parents[1]
QUICK = {"search": {"trials": 2, "folds": 3}, "learner": {"rounds": 40}}
EMPTY = """
from pathlib import Path
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client

@task
def begin(): pass

@task
def record(): create_markdown_artifact(key="decision", markdown="skip")

@flow(name="empty")
def empty(project: Path, data_rev: str, strategy: str, started_by: str, dry_run: bool):
    begin()
    record()

if __name__ == "__main__":
    with get_client(sync_client=True) as client:
        client.request("GET", "/health")
    empty(Path(), "HEAD", "auto", "by hand", False)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=10)
    asked = arguments.parse_args()
    with TemporaryDirectory() as folder:
        project = make_project(Path(folder), QUICK)
        stack.up(project, say)
        try:
            os.environ |= environment(project)
            first_champion(project, Path(folder))
            bench_idle(project, asked.runs)
            bench_latency(project, asked.runs)
        finally:
            stack.down(project, say)


def bench_idle(project: Path, runs: int) -> None:
    (project / "empty.py").write_text(EMPTY)
    ours = [sys.executable, "-m", "incumbent", "retrain", "--json", "--project", str(project)]
    empty = [sys.executable, str(project / "empty.py")]
    spent: dict[str, list[float]] = {"nothing to do": [], "an empty flow": []}
    for _ in range(runs):
        done = json.loads(subprocess.run(ours, capture_output=True, check=True).stdout)
        assert done["decision"]["kind"] == "skip", done
        spent["nothing to do"].append(cpu(ours))
        spent["an empty flow"].append(cpu(empty))
    ours_, theirs = (statistics.median(seconds) for seconds in spent.values())
    print(f"\nidle run, CPU seconds, median of {runs}")
    for name, seconds in spent.items():
        print(f"{name:<26}{statistics.median(seconds):>8.2f}   {min(seconds):.2f} to {max(seconds):.2f}")
    print(f"{'beyond Prefect':<26}{ours_ - theirs:>8.2f}   {ours_ / theirs:.2f} x", flush=True)


def cpu(command: list[str]) -> float:
    """CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def bench_latency(project: Path, runs: int) -> None:
    worker, rev = deploy_defaults(project), git(project, "rev-parse", "HEAD").strip()
    try:
        ways = {"ours": "dataset.version.created", "Prefect's defaults": "bench.defaults"}
        spent = {name: [latency(event, rev) for _ in range(runs)] for name, event in ways.items()}
    finally:
        worker.terminate()
        worker.wait()
    print(f"\nevent to the flow's start, wall seconds, {runs} each")
    print(f"{'':<26}{'p50':>8}{'max':>8}")
    for name, seconds in spent.items():
        print(f"{name:<26}{statistics.median(seconds):>8.1f}{max(seconds):>8.1f}")
    ours, theirs = (statistics.median(seconds) for seconds in spent.values())
    print(f"Prefect's defaults take {theirs / ours:.1f} times as long")


def latency(event: str, rev: str) -> float:
    """Seconds from an event to the start of the run that it triggers, by the server's clock; then its end."""
    mark = str(uuid.uuid4())
    sent = datetime.now(UTC)
    document = {
        "id": mark,
        "occurred": sent.isoformat(),
        "event": event,
        "resource": {"prefect.resource.id": "incumbent.dataset.bench"},
        "payload": {"rev": rev},
    }
    post("events", [document])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = post("flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})
        for run in found:
            if mark in str(run["parameters"]) and run["state_type"] == "COMPLETED":
                return (datetime.fromisoformat(run["start_time"]) - sent).total_seconds()
        time.sleep(0.5)
    raise TimeoutError(f"no run for {event}")


def post(path: str, body: Any) -> Any:
    from prefect.client.orchestration import SyncPrefectClient

    api, login = os.environ["PREFECT_API_URL"], os.environ["PREFECT_API_AUTH_STRING"]
    with SyncPrefectClient(api, auth_string=login) as client:
        answer = client.request("POST", f"/{path}", json=body)
    return answer.json() if answer.content else None


def deploy_defaults(project: Path) -> "subprocess.Popen[bytes]":
    """The same flow in a pool of Prefect's own kind; returns its worker."""
    deployment = {
        "name": "defaults",
        "entrypoint": "flows.retrain.retrain",
        "work_pool": {"name": "defaults"},
        "triggers": [
            {
                "type": "event",
                "match": {"prefect.resource.id": "incumbent.dataset.*"},
                "expect": ["bench.defaults"],
                "posture": "Reactive",
                "threshold": 1,
                "within": 0,
                "parameters": {"started_by": "event {{ event.id }}"},
            }
        ],
    }
    file = project / "defaults.yaml"
    with file.open("w") as stream:
        YAML().dump({"name": "bench", "deployments": [deployment]}, stream)
    prefect = list(prefect_server.PREFECT)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {"cwd": project, "env": {**os.environ, "PATH": path}, "stdout": subprocess.DEVNULL}
    subprocess.run([*prefect, "work-pool", "create", "defaults", "--type", "process"], check=True, **own)
    subprocess.run(
        [*prefect, "--no-prompt", "deploy", "--all", "--prefect-file", str(file)], check=True, **own
    )
    worker = subprocess.Popen(
        [*prefect, "worker", "start", "--pool", "defaults"], stderr=subprocess.DEVNULL, **own
    )
    time.sleep(15)  # until it polls
    return worker


def make_project(folder: Path, changes: Mapping[str, Mapping[str, Any]]) -> Path:
    """A clone of this repository's HEAD with other parameters; without schedules, which would add runs."""
    origin, project = folder / "origin.git", folder / "flights"
    git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git(origin, "fetch", "--quiet", str(ROOT), "HEAD:refs/heads/main")
    git(origin, "clone", "--quiet", str(origin), str(project))
    git(project, "config", "user.name", "bench")
    git(project, "config", "user.email", "bench@incumbent.invalid")
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    for section, values in changes.items():
        params[section] |= values
    deployed = yaml.load((project / "prefect.yaml").read_text())
    for deployment in deployed["deployments"]:
        deployment["schedules"] = []
    for name, tree in (("params.yaml", params), ("prefect.yaml", deployed)):
        with (project / name).open("w") as stream:
            yaml.dump(tree, stream)
    git(project, "commit", "--quiet", "--all", "--message", "Other parameters, no schedules")
    return project


def first_champion(project: Path, folder: Path) -> None:
    months = write_months(load_flights(), folder / "months")
    (project / "data").mkdir(exist_ok=True)
    for month in months[:2]:
        (project / "data" / month.name).write_bytes(month.read_bytes())
    track_all(project, "Two months")
    command = [sys.executable, "-m", "incumbent", "retrain", "--project", str(project)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
