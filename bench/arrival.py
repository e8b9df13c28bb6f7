"""What an arrival costs while the history grows from 10 to 1,000 partitions.

Each history is a git repository with its data in DVC on an S3 server of its own; the arrivals come to
clones that never pulled it. Ours is what `incumbent ingest` and the run that follows do up to the plan, in
one process with everything imported: gate, keys, diff and drift apart from what DVC and git do there. The
peer does the latter only, as a person would: dvc add, dvc push, git commit, git push. CPU seconds, with
those of child processes; a partition is 900 flights.

    python bench/arrival.py [--partitions 10 100 1000] [--arrivals 5]
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from registry import s3_server

from incumbent.challenger import REPLAY, make_full, open_challenger
from incumbent.demo.flights import load_flights
from incumbent.evaluation.drift import drift
from incumbent.gate.sift import sift, without_history
from incumbent.gate.suites import load_suites
from incumbent.local import s3 as local_s3
from incumbent.local.state import Stack
from incumbent.models.model import Model, importances
from incumbent.params import load_params
from incumbent.search.tune import StudyResult
from incumbent.storage.dataset.arrivals import add_partitions, track_all
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.known_keys import KnownKeys
from incumbent.storage.dataset.versions import resolve
from incumbent.tables.partitions import difference

ROOT = Path(__file__).parents[1]
ROWS = 900
PARTS = ("gate", "keys", "diff", "drift")


@dataclass(frozen=True)
class Champion:
    """What drift is measured against."""

    model: Model
    sample: pd.DataFrame
    gains: dict[str, float]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--partitions", type=int, nargs="+", default=[10, 100, 1000])
    arguments.add_argument("--arrivals", type=int, default=5)
    asked = arguments.parse_args()
    print(f"{asked.arrivals} arrivals of {ROWS} flights each, CPU seconds, median")
    print(f"{'partitions':>10}{''.join(f'{part:>8}' for part in PARTS)}{'ours':>8}"
          f"{'DVC + git':>11}{'DVC by command':>16}{'against ours':>14}{'and DVC + git':>15}")  # fmt: skip
    with TemporaryDirectory() as folder, s3_server(Path(folder)):
        os.environ |= local_s3.client_settings(Stack(Path(folder)))
        champion = make_champion(Path(folder))
        homes = {count: make_history(Path(folder) / str(count), count) for count in asked.partitions}
        spent = [
            (count, arrive(home, count + 2 * number, champion))
            for number in range(asked.arrivals + 1)
            for count, home in homes.items()  # in turn: what else the machine does hits all of them alike
        ]
    ours = {}
    for count in asked.partitions:
        each = [parts for its, parts in spent if its == count][1:]  # the first one imports
        part = {name: statistics.median(parts[name] for parts in each) for name in each[0]}
        ours[count] = statistics.median(sum(parts[name] for name in PARTS) for parts in each)
        print(f"{count:>10}{''.join(f'{part[name]:>8.3f}' for name in PARTS)}"
              f"{ours[count]:>8.3f}{part['added']:>11.3f}{part['command']:>16.3f}"
              f"{part['command'] / ours[count]:>12.1f} x"
              f"{part['command'] / (ours[count] + part['added']):>13.1f} x", flush=True)  # fmt: skip
    slope = np.polyfit(np.log10(list(ours)), np.log(list(ours.values())), 1)[0] if len(ours) > 1 else 0.0
    print(f"our own part grows by {np.expm1(slope):+.1%} per tenfold history")


def arrive(home: Path, number: int, champion: Champion) -> dict[str, float]:
    """CPU seconds of each part of one arrival at either clone."""
    params, suites = load_params(ROOT), load_suites(ROOT / "expectations")
    ours, by_hand = home / "ours", home / "by-hand"
    file = write(home, number)
    before = resolve(ours)
    known = {partition.name: partition.md5 for partition in before.partitions}
    keys = KnownKeys(ours, params.dataset.key, before)

    def ask() -> None:
        assert not keys.repeated(file)
        keys.add(file)

    spent = {
        "gate": cpu(lambda: sift(file.name, file, home / "made", suites, params, without_history)),
        "keys": cpu(ask),
        "added": cpu(lambda: add_partitions(ours, [file])),
    }
    version = resolve(ours)
    spent["diff"] = cpu(lambda: difference(known, version.partitions))
    spent["drift"] = cpu(
        lambda: drift(champion.model.schema, champion.sample, [pd.read_parquet(file)], champion.gains)
    )
    spent["command"] = cpu(lambda: add_by_hand(by_hand, write(home, number + 1)))
    return spent


def add_by_hand(clone: Path, file: Path) -> None:
    (clone / "data").mkdir(exist_ok=True)
    shutil.copyfile(file, clone / "data" / file.name)
    dvc = [sys.executable, "-m", "dvc"]
    for command in (
        [*dvc, "add", "--quiet", f"data/{file.name}"],
        [*dvc, "push", "--quiet"],
        ["git", "commit", "--quiet", "--all", "--message", file.stem],
        ["git", "push", "--quiet"],
    ):
        subprocess.run(command, cwd=clone, check=True)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process and of the children that it waited for."""
    before = _cpu()
    work()
    return _cpu() - before


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def make_history(home: Path, count: int) -> Path:
    """A remote with so many partitions, and two clones, each with a remote of its own from here on."""
    home.mkdir()
    git(home, "init", "--quiet", "--bare", "--initial-branch", "main", "origin.git")
    first = home / "first"
    make_clone(home / "origin.git", first)
    (first / ".dvc").mkdir()
    (first / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    autostage = true\n    remote = store\n"
        f"['remote \"store\"']\n    url = s3://bench/dvc-{count}\n"
    )
    (first / ".gitignore").write_text(".incumbent/\n")
    git(first, "add", "--all")
    git(first, "commit", "--quiet", "--message", "Start")
    git(first, "push", "--quiet", "--set-upstream", "origin", "main")
    (first / "data").mkdir()
    for number in range(count):
        write(first / "data", number)
    track_all(first, "History")
    for clone in (home / "ours", home / "by-hand"):
        shutil.copytree(home / "origin.git", clone.with_suffix(".git"))
        make_clone(clone.with_suffix(".git"), clone)
    return home


def make_clone(origin: Path, clone: Path) -> None:
    git(origin, "clone", "--quiet", str(origin), str(clone))
    git(clone, "config", "user.name", "bench")
    git(clone, "config", "user.email", "bench@incumbent.invalid")


def write(folder: Path, number: int) -> Path:
    """Some flights of a January that nobody else has: no key comes twice."""
    path = folder / f"part-{number:05d}.parquet"
    flights = JANUARY.sample(ROWS, random_state=number).sort_index()
    flights = flights.assign(time_hour=flights["time_hour"] - pd.Timedelta(days=31 * number))
    flights.to_parquet(path, index=False)
    return path


def make_champion(folder: Path) -> Champion:
    """A model on January with its sample of history, 20,000 rows."""
    home, params = folder / "champion", load_params(ROOT)
    home.mkdir()
    JANUARY.to_parquet(home / "january.parquet", index=False)
    study = StudyResult({"num_leaves": 15}, 30, ())
    made = make_full([home / "january.parquet"], params, study, home, estimate=False)
    model = open_challenger(made, params, home, "v1")
    gains = importances(model.trained, [feature.name for feature in model.schema.features])
    return Champion(model, pd.read_parquet(home / REPLAY), gains)


JANUARY = load_flights().query("month == 1")

if __name__ == "__main__":
    main()
