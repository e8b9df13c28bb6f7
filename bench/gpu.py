"""What a GPU gives to networks, with its own checks: one script of under eight minutes.

    contract    the contract suite of tests/learners for torch on the GPU: checkpoints, updates, ONNX
    tabm        a network on three million flights: the GPU in bfloat16, the CPU, LightGBM
    batches     512 to 65,536 rows a step: time, memory of the GPU
    compile     learner.compile on and off
    ray         Ray with one worker that has the GPU, by DDP and with learner.shard
    slots       two processes, two flow runs of the pool gpu: who gets the GPU, and when

Each section is a process of its own with seconds of its own; one that fails stops no other. The last lines
are a Markdown table of all checks, for docs/scale.md. Ends with 1 if a check failed. The flights are made up,
unless a file of real ones is given (see flights_2001.py).

    python bench/gpu.py [--flights build/flights-3m.parquet] [--only tabm ray]
    python bench/gpu.py --device cpu --rows small [--patience 3]     # does the script work? no GPU needed
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gpu_networks
import gpu_runs
from gpu_rows import SIZES, Findings, Place
from orchestration import say


@dataclass(frozen=True)
class Section:
    checks: Callable[[Place], Findings]
    seconds: int


SECTIONS = {
    "contract": Section(gpu_networks.check_contract, 90),
    "tabm": Section(gpu_networks.check_tabm, 90),
    "batches": Section(gpu_networks.check_batches, 40),
    "compile": Section(gpu_networks.check_compile, 65),
    "ray": Section(gpu_runs.check_ray, 75),
    "slots": Section(gpu_runs.check_slots, 115),
}


@dataclass(frozen=True)
class Check:
    """ok: None where this machine can't tell."""

    section: str
    what: str
    ok: bool | None
    figures: str

    @property
    def verdict(self) -> str:
        if self.ok is None:
            return "not measured"
        return "ok" if self.ok else "failed"


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    arguments.add_argument("--rows", choices=list(SIZES), default="full")
    arguments.add_argument("--flights", type=Path)
    arguments.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    arguments.add_argument("--patience", type=float, default=1.0, help="times the seconds of each section")
    arguments.add_argument("--section", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    place = Place(asked.device, asked.rows, asked.flights)
    if asked.section:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it started is stopped
        work(asked.section, place)
        return
    checks = [check for name in asked.only for check in run(name, place, asked.patience)]
    print("\n| section | check | figures | |\n| --- | --- | --- | --- |")
    for check in checks:
        print(f"| {check.section} | {check.what} | {check.figures} | {check.verdict} |")
    sys.exit(any(check.ok is False for check in checks))


def run(name: str, place: Place, patience: float) -> list[Check]:
    """A section in a process of its own, ended when its time is up."""
    began, budget = time.perf_counter(), SECTIONS[name].seconds * patience
    command = [sys.executable, __file__, "--section", name, *place.arguments()]
    with TemporaryDirectory() as folder, (Path(folder) / "errors").open("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        try:
            out, _ = process.communicate(timeout=budget)
            why = f"its process ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            out, why = end(process), f"not done after {budget:.0f} s"
        checks = [Check(**json.loads(line)) for line in out.splitlines()]
        if process.returncode:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [""])[-1]
            checks.append(Check(name, "runs to its end", False, f"{why}: {last}".replace("|", "/")))
    for check in checks:
        print(f"{check.verdict:<13}{name}: {check.what}: {check.figures}", flush=True)
    say(f"{name} took {time.perf_counter() - began:.0f} s of {budget:.0f}")
    return checks


def end(process: "subprocess.Popen[str]") -> str:
    """End it, and after ten seconds all that is left of its session; what it printed."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0]


def work(name: str, place: Place) -> None:
    """The section's checks, one JSON document a line."""
    for what, ok, figures in SECTIONS[name].checks(place):
        check = Check(name, what, None if ok is None else bool(ok), figures)
        print(json.dumps(asdict(check)), flush=True)


if __name__ == "__main__":
    main()
