"""Train one model on Ray, from more rows than one machine holds.

LightGBM by its data-parallel learner, torch by DDP or, with learner.shard, FSDP. Each worker reads only the
partitions of its share. The same rows, parameters, seed and number of workers give the same model. Ray is an
extra; only this module imports it, and only with --engine ray.
"""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incumbent.errors import BadParams, IncumbentError, StorageUnavailable
from incumbent.features.clean import CleaningCounts
from incumbent.features.frames import Side
from incumbent.features.rows import Rows, prior, read_rows
from incumbent.features.schema import Schema
from incumbent.learners import Batch, Trained, learner_type, open_learner
from incumbent.learners.devices import VISIBLE, Device
from incumbent.machine.resources import Resources, add_elsewhere, resources
from incumbent.params import Params
from incumbent.training.train import Fitted, challenger_seeds
from incumbent.training.training_sets import Tuned


@dataclass(frozen=True)
class _Order:
    """What every worker gets. `shares`: each worker's partitions, as name and Ray's reference to the bytes;
    `start`: Ray's reference to the file of Learner.fit_share; `ledger`: Ray's handle of the _Ledger."""

    params: Params
    schema: Schema
    tuned: Tuned
    seed: int
    shares: list[list[tuple[str, Any]]]
    start: Any
    ledger: Any


@dataclass(frozen=True)
class _Share:
    """One worker's share: number of rows, the trivial baseline's prediction, cleaning, device, and what the
    worker used."""

    rows: int
    prior: np.ndarray
    cleaning_counts: CleaningCounts
    device: Device
    used: Resources


class _Ledger:
    """Collects the workers' shares: Ray Train returns the result of the first worker only."""

    def __init__(self) -> None:
        self._shares: dict[int, _Share] = {}

    def write(self, rank: int, share: _Share) -> None:
        self._shares[rank] = share

    def read(self) -> list[_Share]:
        return list(self._shares.values())


def fit_together(
    paths: Sequence[Path],
    counts: Sequence[int],
    sample: Rows,
    tuned: Tuned,
    schema: Schema,
    params: Params,
    workers: int,
) -> Fitted:
    """One model of all training rows with these options, for each of `challenger_seeds`.

    counts: training rows of each partition; sample: encoded rows, sampled from all of them. Connects to the
    cluster at RAY_ADDRESS, or starts one on this machine. Raises BadParams for fewer partitions than workers,
    StorageUnavailable when the cluster does not answer or a worker died.
    """
    dealt = deal(counts, workers)
    models = []
    with _cluster(workers * params.learner.threads):
        import ray

        shares = [[(paths[n].name, ray.put(paths[n].read_bytes())) for n in share] for share in dealt]
        for seed in challenger_seeds(params):
            ledger = ray.remote(num_cpus=0)(_Ledger).remote()
            start = _start(sample, tuned, schema, params, seed)
            order = _Order(params, schema, tuned, seed, shares, ray.put(start), ledger)
            models.append(_opened(_run(order), params))
            done: list[_Share] = ray.get(ledger.read.remote())
            for share in done:
                add_elsewhere(share.used)
    rows = sum(share.rows for share in done)
    cleaning_counts = CleaningCounts()
    for share in done:
        cleaning_counts.update(share.cleaning_counts)
    mean = sum(share.prior * share.rows for share in done) / rows
    return Fitted(models, sample.X, rows, np.asarray(mean), cleaning_counts, done[0].device)


def deal(counts: Sequence[int], workers: int) -> list[list[int]]:
    """Deal partitions to workers so that they get about as many rows each: partition numbers, in order.

    counts: training rows of each partition; those without any are left out. The largest goes first, each to
    the worker with the fewest rows so far (Graham 1969). Raises BadParams for fewer partitions than workers.
    """
    there = [number for number, count in enumerate(counts) if count]
    if len(there) < workers:
        raise BadParams(
            f"params.yaml: retrain.workers = {workers}, and a worker needs a partition of its own, but the "
            f"window has {len(there)} with training rows; lower it, or split the data into more files"
        )
    shares: list[list[int]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for number in sorted(there, key=lambda each: (-counts[each], each)):
        least = loads.index(min(loads))
        shares[least].append(number)
        loads[least] += counts[number]
    return [sorted(share) for share in shares]


def _start(sample: Rows, tuned: Tuned, schema: Schema, params: Params, seed: int) -> bytes:
    """A network's preprocessing and initial weights, the same for all workers; trees need none."""
    if params.learner.name == "lightgbm":
        return b""
    learner = open_learner(params, schema).reseeded(seed)
    return _bytes_of(learner.fit(learner.bin(sample.X, sample.y), tuned.options, 0))


def _run(order: _Order) -> bytes:
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.exceptions import TrainingFailedError

    params, workers = order.params, len(order.shares)
    gpus = ray.cluster_resources().get("GPU", 0) >= workers and params.learner.device != "cpu"
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpus, resources_per_worker=_resources(params, gpus))
    with tempfile.TemporaryDirectory(prefix="incumbent-ray-") as folder:
        # Ray requires a folder; nothing is kept there, as the first worker returns the model.
        trainer = _trainer(params.learner.name)(
            _work,
            train_loop_config={"order": order},
            scaling_config=scaling,
            run_config=RunConfig(storage_path=folder),
        )
        # Waiting in Ray swallows an exception raised by a signal handler; waiting for a thread does not.
        pool = ThreadPoolExecutor(1)
        try:
            return bytes(pool.submit(trainer.fit).result().return_value)
        except TrainingFailedError as error:
            raise failure_of(error) from error
        finally:
            pool.shutdown(wait=False)


def _work(config: dict[str, Any]) -> bytes:
    """Runs in each worker; returns the bytes of the model's file where Learner.fit_share returns a model."""
    import ray

    order: _Order = config["order"]
    if not ray.get_gpu_ids():
        os.environ[VISIBLE] = ""  # Ray leaves those visible that it has not lent
    rank, learner = ray.train.get_context().get_world_rank(), open_learner(order.params, order.schema)
    rows = _rows(order, rank)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / learner.file
        start.write_bytes(ray.get(order.start))
        options = {**order.tuned.options, **_group(order.params.learner.name)}
        model = learner.reseeded(order.seed).fit_share(
            Batch(rows.X, rows.y), options, order.tuned.rounds, start
        )
    own = prior(rows, order.schema)
    share = _Share(len(rows.y), own, rows.cleaning_counts, learner.device, resources())
    ray.get(order.ledger.write.remote(rank, share))
    return b"" if model is None else _bytes_of(model)


def _rows(order: _Order, rank: int) -> Rows:
    """Training rows of the share. Its files are on the driver's machine, so Ray transfers the bytes."""
    import ray

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, reference in order.shares[rank]:
            paths.append(Path(folder) / name)
            paths[-1].write_bytes(ray.get(reference))
        return read_rows(paths, order.schema, order.params, Side.TRAINING)


def _trainer(learner: str) -> Any:
    if learner == "torch":
        from ray.train.torch import TorchTrainer

        return TorchTrainer
    from ray.train.lightgbm import LightGBMTrainer

    return LightGBMTrainer


def _group(learner: str) -> dict[str, Any]:
    """LightGBM's options to find the other workers; torch's process group exists already."""
    if learner == "torch":
        return {}
    from ray.train.lightgbm import get_network_params

    return {"tree_learner": "data", **get_network_params()}


def _resources(params: Params, gpus: bool) -> dict[str, float]:
    return {"CPU": params.learner.threads, **({"GPU": 1} if gpus else {})}


def _bytes_of(model: Trained) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        return path.read_bytes()


def _opened(model: bytes, params: Params) -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(model)
        return learner_type(params.learner.name).load(path, params.learner.threads)


def failure_of(error: Exception) -> IncumbentError:
    """What a worker said of our own, if any did; else what Ray says, in one line."""
    failures = getattr(error, "worker_failures", {}).values()
    # Ray wraps what a worker raised, and unwraps it itself by this name; it has no public one.
    causes = [getattr(failure, "_base_exc", failure) for failure in failures]
    for cause in causes:
        if isinstance(cause, IncumbentError):
            return cause
    reason = str(causes[0] if causes else error).strip().splitlines()[-1]
    return StorageUnavailable(f"training on Ray ended early: {reason}; see Ray's logs, and run it again")


@contextmanager
def _cluster(cpus: int) -> Iterator[None]:
    """The cluster at RAY_ADDRESS, or one on this machine that ends with the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    address, ours = os.environ.get("RAY_ADDRESS"), signal.getsignal(signal.SIGTERM)
    own = {"num_cpus": max(cpus, os.cpu_count() or 1), "include_dashboard": False}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level="warning", **({} if address else own))
    except ConnectionError as error:
        raise StorageUnavailable(f"no Ray cluster answers at RAY_ADDRESS = {address}: {error}") from error
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)  # Ray replaced it
        yield
    finally:
        ray.shutdown()
