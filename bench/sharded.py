"""Memory of each of two workers that train one network with a large embedding table: DDP, and learner.shard.

Two processes of this machine, joined by gloo as Ray's workers are, train on the CPU on synthetic rows with a
category of two million values. state: weights and the optimizer's state of one worker. peak: the most that
was resident, less what was before training. On CPUs of one machine the exchange goes through its own memory:
the seconds say little of a network between machines.

    python bench/sharded.py [--categories 2000000] [--rows 20000] [--epochs 2]
"""

import argparse
import json
import multiprocessing
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
import torch
from memory import EVERY, MB
from torch.distributed.tensor import DTensor

from incumbent.features.schema import Feature, Schema
from incumbent.learners import Batch, open_learner
from incumbent.learners.torch import Torch
from incumbent.learners.torch_training import Training
from incumbent.params import Params

WORKERS = 2
OPTIONS = {"rate": 0.002, "width": 64, "depth": 2, "dropout": 0.0, "decay": 1e-4}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--categories", type=int, default=2_000_000)
    arguments.add_argument("--rows", type=int, default=20_000)
    arguments.add_argument("--epochs", type=int, default=2)
    asked = arguments.parse_args()
    context, held = multiprocessing.get_context("spawn"), rows_of(WORKERS, asked).X
    print("| workers hold | state, MB | peak, MB | s an epoch | prediction, largest difference |")
    print("| --- | --- | --- | --- | --- |")
    with TemporaryDirectory() as folder:
        start, predicted = Path(folder) / "start", []
        rows = rows_of(0, asked)
        learner = learner_of(asked, shard=False)
        learner.fit(learner.bin(rows.X, rows.y), OPTIONS, 0).save(start)
        for shard, name in ((False, "all of it (DDP)"), (True, "a share (FSDP2)")):
            place = Path(folder) / str(shard)
            place.mkdir()
            group = [
                context.Process(target=work, args=(rank, asked, place, shard)) for rank in range(WORKERS)
            ]
            for process in group:
                process.start()
            for process in group:
                process.join()
            predicted.append(Torch.load(place / "model", 1).predict(held))
            state, peak, seconds = json.loads((place / "figures").read_text())
            difference = np.abs(predicted[-1] - predicted[0]).max()
            print(f"| {name} | {state / MB:.0f} | {peak / MB:.0f} | {seconds:.1f} | {difference:.1e} |")


def learner_of(asked: argparse.Namespace, *, shard: bool) -> Torch:
    words = tuple(map(str, range(asked.categories)))
    tree: dict[str, Any] = {
        "dataset": {"name": "bench", "target": "y"},
        "learner": {"name": "torch", "device": "cpu", "shard": shard},
        "registry": {"address": "s3://incumbent/registry"},
    }
    schema = Schema((Feature("a"), Feature("b"), Feature("shop", words)), "y", 1, "binary")
    learner = open_learner(Params.model_validate(tree), schema)
    assert isinstance(learner, Torch)
    return learner


def rows_of(seed: int, asked: argparse.Namespace) -> Batch:
    rng = np.random.default_rng(seed)
    numbers, shop = rng.normal(size=(asked.rows, 2)), rng.integers(0, asked.categories, asked.rows)
    y = numbers[:, 0] + (shop % 7 == 0) + rng.normal(size=asked.rows) > 0
    return Batch(np.column_stack([numbers, shop]).astype(np.float32), y.astype(np.int8))


def work(rank: int, asked: argparse.Namespace, place: Path, shard: bool) -> None:
    """One worker; the second writes the figures, as the first collects the whole network at the end."""
    import incumbent.learners.torch_sharded  # noqa: F401  (its libraries are not the network's memory)

    torch.distributed.init_process_group("gloo", f"file://{place / 'group'}", rank=rank, world_size=WORKERS)
    learner, rows = learner_of(asked, shard=shard), rows_of(rank, asked)
    trainings, watched = list[Training](), Watched()
    epoch = Training.epoch

    def counted(training: Training) -> None:
        trainings.append(training)
        epoch(training)

    Training.epoch = counted  # type: ignore[method-assign]
    began = time.perf_counter()
    model = learner.fit_share(rows, OPTIONS, asked.epochs, place.parent / "start")
    seconds, peak = (time.perf_counter() - began) / asked.epochs, watched.end()
    if rank == 0 and model is not None:
        model.save(place / "model")
    elif rank == 1:
        tensors = trainings[0].state().values()
        state = [each.to_local() if isinstance(each, DTensor) else each for each in tensors]
        (place / "figures").write_text(json.dumps([sum(each.nbytes for each in state), peak, seconds]))
    torch.distributed.destroy_process_group()


class Watched:
    """The most bytes that were resident in this process, beyond those at the start."""

    def __init__(self) -> None:
        self._process, self._peak, self._over = psutil.Process(), 0, threading.Event()
        self._before = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(EVERY / 10):
            self._peak = max(self._peak, self._process.memory_info().rss - self._before)

    def end(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak


if __name__ == "__main__":
    main()
