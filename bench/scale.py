"""CPU, time and memory of a full run and of an update while the table grows to ten million rows.

For each number of rows a synthetic table of 16 features (ten numbers; six categories of 5 to 3,000 values)
and groups of customers, in ten partitions, becomes a project of its own (`incumbent init`) on a local stack
of its own; then `incumbent retrain` in full, and once more with an eleventh partition as an update. Beside
them, in a process of its own, one bare LightGBM fit with the winner's options and rounds on the same rows:
reading the Parquet files, binning, training. CPU seconds are those of the process and its children, without
the servers; peak: their resident memory together, measured twenty times a second. binned: bytes of LightGBM's
binned table.

    python bench/scale.py [--rows 10000 100000 1000000] [--trials 8] [--picture docs/images/scale.png]
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from memory import MB, memory
from orchestration import say
from ruamel.yaml import YAML
from workspace import without_schedules

from incumbent.local import stack
from incumbent.local.environment import environment
from incumbent.storage.dataset.arrivals import track_all

PARTITIONS, NUMBERS, SIZES = 10, 10, (5, 12, 40, 200, 1000, 3000)
CUSTOMER_ROWS, ROUNDS = 5, 100
HEADER = ("rows", "what", "CPU s", "/ fit", "wall s", "peak MB", "binned MB", "metric", "rounds")


@dataclass(frozen=True)
class Line:
    rows: int
    what: str
    cpu: float
    wall: float
    peak: float
    binned: float = 0.0
    score: str = ""
    rounds: int = 0

    def text(self, fit: float) -> str:
        cells = (f"{self.rows:,}", self.what, f"{self.cpu:.1f}", f"{self.cpu / fit:.2f}", f"{self.wall:.0f}")
        rest = (f"{self.peak:.0f}", f"{self.binned:.1f}", self.score, str(self.rounds))
        return "".join(f"{cell:>12}" for cell in (*cells, *rest))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    arguments.add_argument("--trials", type=int, default=8)
    arguments.add_argument("--lines", type=Path, help="JSON file that each size adds its lines to")
    arguments.add_argument("--picture", type=Path, help="drawn of all lines in that file")
    arguments.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.bare:
        fit_bare(asked.bare)
        return
    print("".join(f"{name:>12}" for name in HEADER))
    lines = read(asked.lines)
    for rows in asked.rows:
        with TemporaryDirectory() as folder:
            lines += bench(rows, asked.trials, Path(folder))
        if asked.lines:
            asked.lines.write_text(json.dumps([asdict(line) for line in lines], indent=1))
    if asked.picture:
        draw(lines, asked.picture)


def read(path: Path | None) -> list[Line]:
    return [Line(**line) for line in json.loads(path.read_text())] if path and path.exists() else []


def table(part: int, rows: int, customers: int) -> pd.DataFrame:
    """Labels follow from sums, waves and one product of the features, and noise; categories are skewed."""
    rng = np.random.default_rng(part)
    frame, signal = dict[str, Any](), np.zeros(rows)
    for number in range(NUMBERS):
        value = rng.normal(size=rows)
        frame[f"number_{number}"] = value
        signal += (np.sin(value * number / 3) if number % 2 else value) * 0.8**number
    for number, size in enumerate(SIZES):
        codes = np.minimum(rng.zipf(1.5, rows), size) - 1
        words = np.array([f"{code:04d}" for code in range(size)], dtype=object)
        frame[f"category_{number}"] = pd.Categorical.from_codes(codes, words).astype("str")
        signal += 0.6 * np.random.default_rng(1000 + number).normal(size=size)[codes]
    signal += frame["number_0"] * frame["number_1"]
    customer = rng.integers(0, customers, rows)
    return pd.DataFrame({**frame, "customer": customer, "outcome": signal + rng.normal(0, 2, rows) > 2})


def bench(rows: int, trials: int, folder: Path) -> list[Line]:
    each, customers = rows // PARTITIONS, rows // CUSTOMER_ROWS
    project = make_project(folder, each, customers, trials)
    stack.up(project, say)
    try:
        os.environ |= environment(project)
        full, manifest = retrain(rows, "full", project)
        order = folder / "order.json"
        order.write_text(json.dumps({"manifest": manifest, "project": str(project)}))
        fit = spent(rows, "fit", [sys.executable, __file__, "--bare", str(order)])
        binned = json.loads((folder / "binned.json").read_text()) / MB
        lines = [full, Line(**{**asdict(fit), "binned": binned, "rounds": manifest["rounds"]})]
        for line in lines:
            print(line.text(fit.cpu), flush=True)
        table(PARTITIONS, each, customers).to_parquet(project / "data" / "part-10.parquet", index=False)
        track_all(project, "an arrival")
        update, _ = retrain(rows, "incremental", project)
        print(update.text(fit.cpu), flush=True)
    finally:
        stack.down(project, say)
    return [*lines, update]


def make_project(folder: Path, each: int, customers: int, trials: int) -> Path:
    project, parts = folder / "project", folder / "parts"
    parts.mkdir()
    for part in range(PARTITIONS):
        table(part, each, customers).to_parquet(parts / f"part-{part:02d}.parquet", index=False)
    given = ["--data", parts, "--target", "outcome", "--project", project]
    subprocess.run(
        [sys.executable, "-m", "incumbent", "init", *map(str, given)], check=True, stdout=subprocess.DEVNULL
    )
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    params["split"]["by"], params["dataset"]["drop"] = ["customer"], ["customer"]
    params["search"]["trials"], params["learner"]["rounds"] = trials, ROUNDS
    params["retrain"]["max_unseen"] = 1.0  # small tables have not seen all 3,000 values
    with (project / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    without_schedules(project / "prefect.yaml")
    return project


def retrain(rows: int, kind: str, project: Path) -> tuple[Line, dict[str, Any]]:
    """The run, and what its challenger's files say."""
    here = ["--project", str(project), "--strategy", kind]
    line = spent(rows, kind, [sys.executable, "-m", "incumbent", "retrain", *here])
    latest = max((project / ".incumbent" / "runs").iterdir())
    made = json.loads((latest / "challenger.json").read_text())
    score = f"{made['cv']['mean']:.4f}" if made["cv"] else ""
    return Line(**{**asdict(line), "score": score, "rounds": made["rounds"]}), made


def spent(rows: int, what: str, command: list[str]) -> Line:
    before = os.times()
    peak, wall = memory(command, dict(os.environ))
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Line(rows, what, cpu, wall, peak / MB)


def fit_bare(order: Path) -> None:
    """All rows in one frame, one Dataset, one training on all cores."""
    import lightgbm as lgb

    asked = json.loads(order.read_text())
    options, rounds = asked["manifest"]["options"], asked["manifest"]["rounds"]
    paths = sorted((Path(asked["project"]) / "data").glob("*.parquet"))
    frame = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    y = frame.pop("outcome").to_numpy(dtype=np.float32)
    frame = frame.drop(columns="customer")
    X = np.column_stack([
        pd.factorize(frame[name], sort=True)[0].astype(np.float32) if name.startswith("c") else frame[name]
        for name in frame
    ]).astype(np.float32)  # fmt: skip
    categorical = [at for at, name in enumerate(frame) if name.startswith("c")]
    params = {**options, "objective": "binary", "verbosity": -1, "num_threads": os.cpu_count()}
    binned = lgb.Dataset(X, y, categorical_feature=categorical, params=params).construct()
    lgb.train(params, binned, rounds)
    file = order.parent / "binned.bin"
    binned.save_binary(file)
    (order.parent / "binned.json").write_text(str(file.stat().st_size))


def draw(lines: list[Line], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    for what, label in (
        ("full", "full run"),
        ("fit", "one bare fit"),
        ("incremental", "update, a tenth new"),
    ):
        points = sorted((line.rows, line.cpu, line.peak) for line in lines if line.what == what)
        rows, cpu, peak = zip(*points, strict=True)
        left.plot(rows, cpu, marker="o", label=label)
        right.plot(rows, peak, marker="o", label=label)
    for axes, title in ((left, "CPU seconds"), (right, "peak memory, MB")):
        axes.set(xscale="log", xlabel="rows", title=title)
        axes.grid(alpha=0.3)
    left.set_yscale("log")
    left.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
