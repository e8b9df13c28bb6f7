"""The gate on a large partition: 25 expectations by us, Great Expectations, pandera and DuckDB alone.

Each contender runs in a process of its own, on one file where all is well and on one with seeded faults. CPU
counts from after the imports; memory is the peak on the good file over what the imports left. The last column
says for how many of the 50 verdicts a contender agrees with Great Expectations. "all of it" is what `ingest`
does: the same expectations, a profile, limits learned from eight earlier partitions, and the sensors. "its
part of all" is Great Expectations with those limits that it has a type for.

    python bench/gate.py [--rows 1000000] [--repetitions 2]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import psutil
from gate_contenders import CARRIERS, CONTENDERS, DATASET, EXPECTATIONS, Verdicts


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--repetitions", type=int, default=2)
    arguments.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    arguments.add_argument("--files", type=Path, nargs=2, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.contender:
        print(json.dumps(measured(CONTENDERS[asked.contender], *asked.files)))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "good.parquet", Path(folder) / "faulty.parquet"]
        good = simulated(asked.rows)
        good.to_parquet(files[0], index=False)
        faulty(good).to_parquet(files[1], index=False)
        del good
        learn(Path(folder))
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
        for _ in range(asked.repetitions):
            for name in CONTENDERS:
                runs[name].append(in_its_own_process(name, files))
    report(runs, asked.rows)


PAST = 100_000
"""Rows of each earlier partition."""


def learn(folder: Path) -> None:
    """Write eight earlier partitions, and the suite learned from them."""
    from incumbent.gate.learned import learned_from
    from incumbent.gate.learned_suite import to_suite
    from incumbent.gate.profile import profile

    profiles = {}
    for number in range(8):
        path = folder / f"past-{number}.parquet"
        simulated(PAST, number + 1).to_parquet(path, index=False)
        profiles[path.name] = profile(path, DATASET, "binary")
    suite = to_suite("bench", learned_from(profiles, 0.05, 0), "binary")
    (folder / "learned.json").write_text(json.dumps(suite))


def report(runs: dict[str, list[dict[str, Any]]], rows: int) -> None:
    figures = {
        name: {what: median(run[what] for run in several) for what in ("good", "faulty", "memory")}
        for name, several in runs.items()
    }
    ours, expected = figures["incumbent"], runs["great expectations"][0]["verdicts"]
    print(f"{rows:,} rows, {len(EXPECTATIONS)} expectations; CPU seconds and peak MB; ratio = theirs / ours")
    heads = [f"{head:>9}" for head in ("good s", "ratio", "faulty s", "ratio", "MB", "ratio", "agrees")]
    print(f"{'':<20}" + "".join(heads))
    for name, its in figures.items():
        cells = [f"{its[what]:>9.2f}{its[what] / ours[what]:>9.1f}" for what in ("good", "faulty")]
        cells.append(f"{its['memory']:>9.0f}{its['memory'] / ours['memory']:>9.1f}")
        verdicts = runs[name][0]["verdicts"]
        agreed = sum(a == b for a, b in zip(verdicts, expected, strict=True))
        print(f"{name:<20}" + "".join(cells) + f"{agreed:>6}/{len(expected)}")
    print(f"Of the faulty file's {len(EXPECTATIONS)} expectations {expected.count(False)} fail.")


def simulated(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    seconds = pd.to_timedelta(rng.integers(0, 31 * 86_400, rows), unit="s")
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "code": [f"{number:08x}" for number in rng.permutation(rows)],
            "origin": rng.choice(["EWR", "JFK", "LGA"], rows),
            "dest": rng.choice([f"D{number:02d}" for number in range(100)], rows),
            "carrier": rng.choice(CARRIERS, rows),
            "time": pd.Timestamp("2013-01-01") + seconds,
            "distance": rng.integers(80, 5000, rows),
            "temp": np.where(rng.random(rows) < 0.02, np.nan, rng.normal(50, 15, rows)),
            "price": rng.gamma(2, 100, rows),
            "stops": rng.integers(0, 4, rows).astype("int32"),
            "weight": rng.normal(70, 5, rows).astype("float32"),
            "late": rng.random(rows) < 0.16,
        }
    )


def faulty(good: pd.DataFrame) -> pd.DataFrame:
    """A repeated id, an unknown airport, a negative price and a code in capitals; each on a few rows."""
    few = np.random.default_rng(1).random((4, len(good))) < 0.001
    return good.assign(
        id=good["id"].mask(few[0], 7),
        origin=good["origin"].mask(few[1], "PHL"),
        price=good["price"].mask(few[2], -1.0),
        code=good["code"].mask(few[3], good["code"].str.upper() + "!"),
    )


def in_its_own_process(contender: str, files: Sequence[Path]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--contender", contender, "--files", *map(str, files)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(prepare: Callable[[], Callable[[Path], Verdicts]], good: Path, bad: Path) -> dict[str, Any]:
    judge = prepare()
    before, began = psutil.Process().memory_info().rss, cpu()
    verdicts = list(judge(good))
    between = cpu()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    verdicts += judge(bad)
    return {
        "good": between - began,
        "faulty": cpu() - between,
        "memory": (peak - before) / 2**20,
        "verdicts": [bool(verdict) for verdict in verdicts],
    }


def cpu() -> float:
    """Of this process and the children that it waited for."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    main()
