"""The sections of gpu.py that train networks in one process."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_rows import THREADS, Findings, Place, encoded, flights, params_of
from memory import MB
from sklearn.metrics import roc_auc_score

from incumbent.features.schema import Schema
from incumbent.learners import Batch, Learner, Trained, open_learner

ROOT = Path(__file__).parents[1]
EPOCHS, LONG = 4, 10
NETWORK = {"rate": 0.002, "width": 128, "depth": 2, "dropout": 0.1, "decay": 1e-4}
TREES = {"learning_rate": 0.1, "num_leaves": 63, "min_child_samples": 20}
MOST = 16 * 1024.0
"""MB of a GPU that a training may take."""


def check_contract(place: Place) -> Findings:
    if place.on_gpu:
        yield "torch can use a GPU", torch.cuda.is_available(), f"torch {torch.__version__}"
    tests = "torch" if place.rows == "full" else "torch-binary"
    suite = [str(ROOT / "tests" / "learners" / "test_learners.py"), "-q", "-p", "no:cacheprovider"]
    chosen = ["-k", f"TestContract and {tests} and {place.device}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *suite, *chosen], cwd=ROOT, capture_output=True, text=True
    )
    last = (done.stdout + done.stderr).strip().splitlines()[-1]
    yield "contract suite of the learners", done.returncode == 0 and "passed" in last, last.strip("= ")


def check_tabm(place: Place) -> Findings:
    schema, fit, held = encoded(flights(place, place.sizes.rows))
    part = fit.take(np.arange(place.sizes.part))
    fitted(network(place, schema), part, 1)  # CUDA starts with the first
    ours, seconds, _ = fitted(network(place, schema), part)
    theirs, slower, _ = fitted(network(place, schema, device="cpu"), part)
    speeds = [len(part.y) * EPOCHS / each for each in (seconds, slower)]
    figures = f"{speeds[0]:,.0f} and {speeds[1]:,.0f} rows/s: {speeds[0] / speeds[1]:.1f} times"
    yield f"faster than {THREADS} cores", speeds[0] > speeds[1] if place.on_gpu else None, figures
    first, second = auc(ours, held), auc(theirs, held)
    yield "as good in bfloat16", abs(first - second) < 0.005, f"AUC {first:.4f} and {second:.4f}"
    large, seconds, peak = fitted(network(place, schema), fit, LONG)
    trees = open_learner(params_of({"name": "lightgbm", "threads": THREADS}), schema)
    grown, slower, _ = fitted(trees, fit, 200, TREES)
    small, first, second = first, auc(large, held), auc(grown, held)
    figures = f"AUC {first:.4f} in {seconds:.1f} s, {second:.4f} in {slower:.1f} s, {len(fit.y):,} rows"
    yield "as good with all rows; LightGBM beside it", first > small - 0.02, figures
    yield "memory of the GPU", peak and peak < MOST, f"{shown(peak)}, {fit.X.nbytes / MB:,.0f} MB of rows"


def check_batches(place: Place) -> Findings:
    schema, fit, _ = encoded(flights(place, place.sizes.rows // 3))
    for size in place.sizes.steps:
        _, seconds, peak = fitted(network(place, schema, batch=size), fit, 1)
        figures = f"{len(fit.y) / seconds:,.0f} rows/s, {shown(peak)}"
        yield f"{size:,} rows a step", peak and peak < MOST, figures


def check_compile(place: Place) -> Findings:
    """In small steps, where a GPU waits most for its orders. The first of equal networks pays for the
    translation, so an epoch is what a longer training takes beyond a second short one."""
    schema, fit, held = encoded(flights(place, place.sizes.part))
    epoch, first, score = {}, {}, {}
    for compiled in (False, True):
        learner = network(place, schema, compile=compiled, batch=place.sizes.steps[0])
        _, first[compiled], _ = fitted(learner, fit, 1)
        _, short, _ = fitted(learner, fit, 1)
        model, long, _ = fitted(learner, fit, 1 + 2 * EPOCHS)
        epoch[compiled], score[compiled] = (long - short) / (2 * EPOCHS), auc(model, held)
    figures = f"AUC {score[True]:.4f} and {score[False]:.4f}"
    yield "as good compiled", abs(score[True] - score[False]) < 0.005, figures
    seconds = first[True] - first[False]
    figures = f"{epoch[True]:.2f} and {epoch[False]:.2f} s an epoch, {seconds:.0f} s to translate"
    yield "no slower compiled", epoch[True] < 1.1 * epoch[False] if place.on_gpu else None, figures


def network(place: Place, schema: Schema, **options: Any) -> Learner:
    learner = {"name": "torch", "device": place.device, "threads": THREADS, "batch": place.sizes.batch}
    return open_learner(params_of({**learner, **options}), schema)


def fitted(
    learner: Learner, rows: Batch, rounds: int = EPOCHS, options: dict[str, Any] = NETWORK
) -> tuple[Trained, float, float | None]:
    """The model, its seconds, and MB of the GPU at the peak, None without one."""
    binned, on_gpu = learner.bin(rows.X, rows.y), learner.device.used == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    model = learner.fit(binned, options, rounds)
    seconds = time.perf_counter() - began
    return model, seconds, torch.cuda.max_memory_allocated() / MB if on_gpu else None


def auc(model: Trained, rows: Batch) -> float:
    return float(roc_auc_score(rows.y, model.predict(rows.X)))


def shown(peak: float | None) -> str:
    return "no GPU" if peak is None else f"peak {peak:,.0f} MB"
