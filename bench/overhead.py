"""What Prefect, DVC, the gate, the verdict and the registry cost around bare training, for one run.

A project of its own on a local stack of its own, with the parameters of this repository. `incumbent retrain`
on six months of flights makes a full training, with the seventh an update; after each a bare process trains
the same: choose the window, search, cross-validate, fit; or continue from the first model. Both begin with a
Python that has imported nothing, and must end with the same bytes. CPU seconds are those of the run's process
and its children, without the servers, which others share.

    python bench/overhead.py [--trials 8]
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration import cpu, make_project, say

from incumbent.challenger import Challenger, make_full, make_update, open_challenger, search
from incumbent.demo.flights import load_flights, write_months
from incumbent.local import stack
from incumbent.local.environment import environment
from incumbent.params import load_params
from incumbent.search.window import choose_window
from incumbent.storage.dataset.arrivals import track_all
from incumbent.training.lineage import Parent

KNOWN = 6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=8)
    arguments.add_argument("--bare", help=argparse.SUPPRESS)
    arguments.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.bare:
        train_bare(asked.bare, asked.project)
        return
    with TemporaryDirectory() as folder:
        project = make_project(Path(folder), {"search": {"trials": asked.trials}})
        stack.up(project, say)
        try:
            os.environ |= environment(project)
            months = write_months(load_flights(), Path(folder) / "months")
            print(f"{'':<14}{'':>14}{'CPU s':>8}{'wall s':>8}")
            bench(project, "full", months[:KNOWN])
            bench(project, "incremental", months[KNOWN : KNOWN + 1])
        finally:
            stack.down(project, say)


def bench(project: Path, kind: str, arriving: list[Path]) -> None:
    (project / "data").mkdir(exist_ok=True)
    for month in arriving:
        (project / "data" / month.name).write_bytes(month.read_bytes())
    track_all(project, f"{len(arriving)} months")
    here = ["--project", str(project)]
    run = spent([sys.executable, "-m", "incumbent", "retrain", "--strategy", kind, "--json", *here])
    bare = spent([sys.executable, __file__, "--bare", kind, *here])
    latest = max((project / ".incumbent" / "runs").iterdir())
    assert (latest / "model.txt").read_bytes() == (project / kind / "model.txt").read_bytes()
    around = [whole - part for whole, part in zip(run, bare, strict=True)]
    for name, (cpus, walls) in (("the run", run), ("bare training", bare), ("around it", around)):
        print(f"{kind:<14}{name:>14}{cpus:>8.1f}{walls:>8.1f}")
    print(f"{kind:<14}{'share':>14}{around[0] / run[0]:>8.0%}{around[1] / run[1]:>8.0%}")
    timings = json.loads((latest / "timings.json").read_text())
    print(f"{kind:<14}steps of the run, wall s: {timings}", flush=True)


def spent(command: list[str]) -> tuple[float, float]:
    """CPU and wall-clock seconds."""
    began = time.perf_counter()
    return cpu(command), time.perf_counter() - began


def train_bare(kind: str, project: Path) -> None:
    params, months = load_params(project), sorted((project / "data").glob("*.parquet"))
    folder, full = project / kind, project / "full"
    folder.mkdir()
    if kind == "full":
        window = choose_window(months, params)
        made = make_full(months, params, search(months, params, window), folder, window)
    else:
        before = Challenger.from_json(json.loads((full / "made.json").read_text()))
        champion = open_challenger(before, params, full, "champion")
        parent = Parent(champion, full, before.lineage.balance, before.options, before.rows)
        made = make_update(parent, months[KNOWN:], params, folder)
    (folder / "made.json").write_text(json.dumps(made.to_json(), default=str))


if __name__ == "__main__":
    main()
