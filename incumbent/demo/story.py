"""The demo's steps: half a year makes the first champion, months arrive, one broken, a network challenges."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from ruamel.yaml import YAML

from incumbent.demo.flights import break_month, load_flights, write_months
from incumbent.errors import BadInput, IncumbentError, NotFound
from incumbent.local import stack
from incumbent.local.environment import environment
from incumbent.local.loopback import ask_prefect
from incumbent.local.state import make_private
from incumbent.params import load_params
from incumbent.storage.dataset.arrivals import track_all
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.new_project import require_project
from incumbent.storage.registry.registry import Registry, open_registry

Say = Callable[[str], None]

SMALL_NETWORK = {"name": "torch", "rounds": 4, "members": 4, "batch": 1024}
DATASET = "flights"
FIRST = 6
ARRIVALS = 3
PATIENCE_SECONDS = 600


def tell(checkout: Path, say: Say) -> dict[str, Any]:
    """Run the demo in a scratch clone of the checkout's HEAD; returns a row for every arrival.

    The stack keeps running afterwards, for a look at the UI; not after a failure or Ctrl-C.
    """
    started = time.monotonic()
    _require_the_demos_project(checkout)
    project = _scratch_clone(checkout, say)
    say("Preparing 327,346 flights of 2013 with their weather ...")
    months = write_months(load_flights(), project / ".incumbent" / "months")
    addresses = stack.up(project, say)
    os.environ.update(environment(project))
    try:
        rows = _play(project, months, say)
    except BaseException:
        stack.down(project, say)
        raise
    return {
        "arrivals": rows,
        "seconds": round(time.monotonic() - started),
        "ui": addresses.ui_url,
        "report": str(project / ".incumbent" / "runs" / f"{rows[-3]['run']:012d}" / "report.html"),
        "project": str(project),
    }


def _play(project: Path, months: list[Path], say: Say) -> list[dict[str, Any]]:
    say("Months 1 to 6 become the first data version; the first champion is trained by hand ...")
    _first_version(project, months[:FIRST])
    rows = [_first_champion(project, months[:FIRST], say)]
    for month in months[FIRST : FIRST + ARRIVALS]:
        say(f"{month.stem} arrives ...")
        rows.append(_arrival(project, month, say))
    broken = project / ".incumbent" / "broken" / months[FIRST + ARRIVALS].name
    break_month(months[FIRST + ARRIVALS], broken)
    say(f"{broken.stem} arrives; its source has lost 40 % of a column ...")
    rows.append(_blocked(project, broken, say))
    say("A network challenges the trees, trained on the latest three months ...")
    rows.append(_network(project, months[FIRST + ARRIVALS - 3 : FIRST + ARRIVALS], say))
    return rows


def _require_the_demos_project(checkout: Path) -> None:
    require_project(checkout)
    about = load_params(checkout).dataset.name
    if about != DATASET:
        raise BadInput(
            f"the demo plays in a clone of incumbent's own repository, and {checkout} is about '{about}'; "
            "run it there"
        )


def _scratch_clone(checkout: Path, say: Say) -> Path:
    project, origin = checkout / ".incumbent" / "demo", checkout / ".incumbent" / "demo.git"
    if project.exists():
        stack.down(project, say)
    for folder in (project, origin):
        shutil.rmtree(folder, ignore_errors=True)
    say(f"Cloning {checkout} into {project} ...")
    make_private(checkout / ".incumbent")
    origin.mkdir()
    git(origin, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(origin, "fetch", "--quiet", str(checkout), "HEAD:refs/heads/main")
    git(origin, "clone", "--quiet", str(origin), str(project))
    git(project, "config", "user.name", "incumbent demo")
    git(project, "config", "user.email", "demo@incumbent.invalid")
    return project


def _first_version(project: Path, months: list[Path]) -> None:
    for month in months:
        (project / "data").mkdir(exist_ok=True)
        shutil.copyfile(month, project / "data" / month.name)
    track_all(project, "Add the first half of 2013 to the data")


def _first_champion(project: Path, months: list[Path], say: Say) -> dict[str, Any]:
    start = time.monotonic()
    outcome = _incumbent(project, "retrain", "--json")
    _show_timings(outcome["timings"], say)
    return _row(f"{months[0].stem} to {months[-1].stem[-2:]}", _count(months), outcome, start)


def _arrival(project: Path, month: Path, say: Say) -> dict[str, Any]:
    start = time.monotonic()
    registry = open_registry(load_params(project), project)
    before = _last_run(registry)
    version = _incumbent(project, "ingest", str(month), "--json")["data"]
    say(f"  data version {version['name']} is pushed and its event sent; a worker takes over ...")
    outcome = _wait_for_decision(project, registry, before, version["rev"], say)
    return _row(month.stem, _count([month]), outcome, start)


def _blocked(project: Path, month: Path, say: Say) -> dict[str, Any]:
    start = time.monotonic()
    outcome = _incumbent(project, "ingest", str(month), "--json", expected=3)
    for reason in outcome["decision"]["reasons"]:
        say(f"  {reason}")
    return _row(month.stem, _count([month]), outcome, start)


def _network(project: Path, months: list[Path], say: Say) -> dict[str, Any]:
    start, yaml = time.monotonic(), YAML()
    path = project / "params.yaml"
    params = yaml.load(path)
    params["learner"] = SMALL_NETWORK
    params["search"] |= {"trials": 1, "folds": 3}
    params["retrain"]["window"] = len(months)
    yaml.dump(params, path)
    git(project, "commit", "--quiet", "--all", "--message", "Try a network")
    outcome = _incumbent(project, "retrain", "--json")
    _show_timings(outcome["timings"], say)
    return _row(f"{months[-1].stem}, torch", _count(months), outcome, start)


def _wait_for_decision(project: Path, registry: Registry, before: int, rev: str, say: Say) -> dict[str, Any]:
    shown: set[str] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.5)
        _raise_if_failed(project)
        run = before + 1
        try:
            start = json.loads(registry.read_record(run, "start.json"))
        except NotFound:
            continue
        if start["data"]["rev"] != rev:
            before = run
            continue
        timings = project / ".incumbent" / "runs" / f"{run:012d}" / "timings.json"
        if timings.exists():
            _show_timings(json.loads(timings.read_text()), say, shown)
        try:
            return dict(json.loads(registry.read_record(run, "decision.json")))
        except NotFound:
            continue
    raise IncumbentError(
        f"no decision on {rev[:10]} within {PATIENCE_SECONDS} s; the run's log is in "
        f"{project / '.incumbent' / 'logs'}"
    )


def _raise_if_failed(project: Path) -> None:
    """Raise for a failed flow run at once, instead of waiting for a decision that it will not write."""
    bad = {"flow_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}}}
    for run in ask_prefect(environment(project), "flow_runs/filter", bad) or []:
        raise IncumbentError(
            f"flow run '{run['name']}' {run['state_name'].lower()}: {run['state']['message']}"
        )


def _last_run(registry: Registry) -> int:
    champion = registry.champion()
    last = champion.run_seq if champion else 0
    while True:
        try:
            registry.read_record(last + 1, "start.json")
        except NotFound:
            return last
        last += 1


def _incumbent(project: Path, *args: str, expected: int = 0) -> dict[str, Any]:
    """Run the command as a user would; write its log to a file, return its JSON document."""
    log = project / ".incumbent" / "logs" / "demo.log"
    with log.open("a") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "incumbent", *args, "--project", str(project)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
    if done.returncode != expected:
        tail = "\n".join(log.read_text().splitlines()[-5:])
        raise IncumbentError(f"'incumbent {args[0]}' ended with {done.returncode}; from {log}:\n{tail}")
    return dict(json.loads(done.stdout))


def _row(month: str, rows: int, outcome: dict[str, Any], start: float) -> dict[str, Any]:
    metric, plan = outcome["metric"], outcome["plan"]
    return {
        "month": month,
        "rows": f"{rows:,}",
        "started by": outcome["started_by"].partition(" ")[0] if "event" in outcome["started_by"] else "hand",
        "verdict": outcome["verdict"],
        "plan": plan["kind"] if plan else "–",
        "why": "; ".join(plan["reasons"]) if plan else "",
        "champion": _interval(metric["champion"]) if metric else "–",
        "challenger": _interval(metric["challenger"]) if metric else "–",
        "judged on": f"{metric['rows']:,} rows of {metric['groups']:,} groups" if metric else "–",
        "decision": outcome["decision"]["kind"],
        "because": "; ".join(outcome["decision"]["reasons"]),
        "seconds": round(time.monotonic() - start),
        "run": outcome["run"],
    }


def _interval(score: dict[str, float]) -> str:
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


def _show_timings(timings: dict[str, float], say: Say, shown: set[str] | None = None) -> None:
    shown = set() if shown is None else shown
    for name, seconds in timings.items():
        if name not in shown:
            say(f"  {name:<10}{seconds:6.1f} s")
            shown.add(name)


def _count(files: list[Path]) -> int:
    return sum(pq.ParquetFile(file).metadata.num_rows for file in files)
