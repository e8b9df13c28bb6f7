"""Peak memory of a full run against the size of its data, which grows.

For each number of rows a project of its own (`incumbent init`) on a local stack of its own; then `incumbent
retrain` with a search of two trials. Measured twenty times a second: the resident memory of the run's process
and all its children together. `frame` is what pandas needs for all rows of the data. The smallest table shows
what Python, Prefect, DVC and the libraries take; `growth` is what a larger one takes beyond that, per byte of
its frame.

    python bench/memory.py flights-3m.parquet [--rows 10000 300000 1000000]

The file: see flights_2001.py.
"""

import argparse
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil
from flights_2001 import load
from orchestration import say
from ruamel.yaml import YAML

from incumbent.local import stack
from incumbent.local.environment import environment

MB = 2**20
PARTITIONS = 12
EVERY = 0.05


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("flights", type=Path)
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 300_000, 1_000_000])
    asked = arguments.parse_args()
    print(f"{'rows':>10}{'frame MB':>10}{'peak MB':>9}{'peak / frame':>14}{'growth':>8}{'wall s':>8}")
    least: tuple[int, int] | None = None
    for rows in asked.rows:
        with TemporaryDirectory() as folder:
            size, peak, wall = bench(load(asked.flights, rows), Path(folder))
        least = least or (size, peak)
        growth = (peak - least[1]) / (size - least[0]) if size > least[0] else 0.0
        print(
            f"{rows:>10,}{size / MB:>10.1f}{peak / MB:>9.0f}{peak / size:>14.1f}{growth:>8.1f}{wall:>8.0f}",
            flush=True,
        )


def bench(frame: pd.DataFrame, folder: Path) -> tuple[int, int, float]:
    """Bytes of the frame, bytes at the peak, seconds of the run."""
    size = int(frame.memory_usage(deep=True).sum())
    (folder / "parts").mkdir()
    step = -(-len(frame) // PARTITIONS)
    for number in range(PARTITIONS):
        part = frame.iloc[number * step : (number + 1) * step]
        part.to_parquet(folder / "parts" / f"part-{number:02d}.parquet", index=False)
    project = make_project(folder)
    stack.up(project, say)
    try:
        command = [sys.executable, "-m", "incumbent", "retrain", "--project", str(project)]
        peak, wall = memory(command, {**os.environ, **environment(project)})
    finally:
        stack.down(project, say)
    return size, peak, wall


def make_project(folder: Path) -> Path:
    project = folder / "flights"
    given = ["--data", folder / "parts", "--target", "late", "--time", "date", "--project", project]
    subprocess.run(
        [sys.executable, "-m", "incumbent", "init", *map(str, given)], check=True, stdout=subprocess.DEVNULL
    )
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    params.setdefault("search", {})["trials"] = 2
    with (project / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    return project


def memory(command: list[str], environ: dict[str, str]) -> tuple[int, float]:
    """The most bytes that were resident, of the process and its children together; seconds."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    began, top, peak = time.perf_counter(), psutil.Process(process.pid), 0
    while process.poll() is None:
        peak = max(peak, resident(top))
        time.sleep(EVERY)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak, time.perf_counter() - began


def resident(top: psutil.Process) -> int:
    total, program = 0, None
    for each in (top, *top.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            command = each.cmdline()
            # A child that is not yet another program still has its parent's memory, which would count twice.
            if command != program:
                total += each.memory_info().rss
            program = program or command
    return total


if __name__ == "__main__":
    main()
