"""A tabular network (network.py) trained by torch; stored as safetensors, with its shape in the header."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from incumbent.compare import score
from incumbent.errors import BadParams, Tampered
from incumbent.features.schema import Schema
from incumbent.learners.devices import torch_device
from incumbent.learners.network import (
    BINS,
    Shape,
    TabM,
    from_document,
    mean_prediction,
    quantile_bins,
    to_document,
)
from incumbent.learners.protocol import Batch, NotPortable, Point, joined
from incumbent.learners.space import draw
from incumbent.learners.torch_training import Binned, Setup, Training, train_with_checkpoint
from incumbent.params import METRICS, PromotionParams, Space, Task, TorchParams

if TYPE_CHECKING:
    import optuna

    from incumbent.learners.torch_sharded import ShardedTabM

PREDICT_ROWS = 8192
HEADER = "incumbent"
ONNX_BYTES = 2_000_000_000
"""An ONNX file is one message of protobuf, which ends at 2 GiB; the rest is for the graph and the schema."""


@dataclass(frozen=True)
class Network:
    """`center`, `spread`: a regression's prediction is output * spread + center."""

    net: TabM
    task: Task
    epochs: int
    center: float
    spread: float
    threads: int

    @property
    def rounds(self) -> int:
        return self.epochs

    def predict(self, X: np.ndarray) -> np.ndarray:
        # In float64 on the CPU, so that a prediction depends neither on the other rows nor on the machine.
        torch.set_num_threads(self.threads)
        double = TabM(self.net.shape).double()
        double.load_state_dict(self.net.state_dict())
        parts = []
        with torch.inference_mode():
            for start in range(0, max(1, len(X)), PREDICT_ROWS):
                rows = torch.from_numpy(X[start : start + PREDICT_ROWS].astype(np.float64))
                parts.append(mean_prediction(double(rows), self.task, self.center, self.spread).numpy())
        predicted = np.concatenate(parts)
        return predicted if self.task == "multiclass" else predicted[:, -1]

    def gains(self) -> np.ndarray:
        """The norm of each feature's weights in the first layer, per input."""
        shape, norms = self.net.shape, (self.net.weights[0] ** 2).sum(1).detach().cpu().double()
        count = len(shape.numbers)
        shares, flags, *embedded = norms.split([count * BINS, count, *shape.embedded])
        gains = np.zeros(count + len(shape.categories))
        gains[list(shape.numbers)] = shares.reshape(count, BINS).sum(1) + flags
        gains[list(shape.categories)] = [float(part.sum()) for part in embedded]
        return np.sqrt(gains)

    def save(self, path: Path) -> None:
        about = {
            "shape": to_document(self.net.shape),
            "task": self.task,
            "epochs": self.epochs,
            "center": self.center,
            "spread": self.spread,
        }
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.net.state_dict().items()}
        save_file(tensors, path, metadata={HEADER: json.dumps(about, sort_keys=True)})

    def to_onnx(self) -> Any:
        size = sum(parameter.nbytes for parameter in self.net.parameters())
        if size >= ONNX_BYTES:
            return NotPortable(f"the network has {size / 1e9:.1f} GB, and an ONNX file holds 2 GB")
        from incumbent.learners.torch_onnx import to_onnx

        return to_onnx(self.net, self.task, self.center, self.spread)


class Torch:
    file: ClassVar = "model.safetensors"

    def __init__(
        self, learner: TorchParams, seed: int, schema: Schema, promotion: PromotionParams, space: Space
    ) -> None:
        self._learner, self._seed, self._schema, self._promotion = learner, seed, schema, promotion
        self._space = space
        alone = not torch.distributed.is_initialized()
        self.device = torch_device(learner.device, whole=alone and learner.shard)

    def reseeded(self, seed: int) -> "Torch":
        return Torch(self._learner, seed, self._schema, self._promotion, self._space)

    def bin(self, X: np.ndarray, y: np.ndarray) -> Binned:
        labels = y.astype(np.int64) if self._schema.task == "multiclass" else y.astype(np.float32)
        bins = quantile_bins(X, self._numbers)
        return Binned(torch.from_numpy(X), torch.from_numpy(labels), *bins, isinstance(X, np.memmap))

    def search_space(self, trial: "optuna.Trial") -> dict[str, Any]:
        return draw(self._space, trial)

    def curve(
        self,
        binned: Binned,
        options: dict[str, Any],
        fit: np.ndarray | None,
        held: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Iterator[Point]:
        """Train on rows `fit`; yield the score on rows `held` after each epoch."""
        X, sign = binned.X[held].numpy(), 1 if METRICS[self._promotion.metric].greater_is_better else -1
        truth = self._truth(binned, held)
        with _refusals():
            training = self._training(binned, options, fit, weights)
            for epoch in range(1, self._learner.rounds + 1):
                growth = training.epoch()
                predicted = self._network(training, epoch).predict(X)
                yield Point(epoch, sign * score(truth, predicted, self._promotion), float(growth))

    def fit(
        self,
        binned: Binned,
        options: dict[str, Any],
        rounds: int,
        rows: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        checkpoint: Path | None = None,
    ) -> Network:
        with _refusals():
            training = self._training(binned, options, rows, weights, compiled=self._learner.compile)
            if checkpoint is None:
                for _ in range(rounds):
                    training.epoch()
            else:
                train_with_checkpoint(training, rounds, checkpoint, self._learner.checkpoint)
        return self._network(training, rounds)

    def fit_share(self, share: Batch, options: dict[str, Any], rounds: int, start: Path) -> Network | None:
        """Distributed data parallel in torch's process group, which averages the gradients of all shares;
        with learner.shard FSDP2, where a process holds a share of the network, too."""
        own, binned = self._of_rank(torch.distributed.get_rank()), self.bin(share.X, share.y)
        with _refusals():
            first = self._start(start)
            training = own._training(binned, options, None, share.weights, start=first, grouped=True)
            for _ in range(rounds):
                training.epoch()
        if not self._learner.shard:
            return self._network(training, rounds)
        whole = cast("ShardedTabM", training.net).whole()
        return None if whole is None else self._finished(whole, training, rounds)

    def _start(self, path: Path) -> Network:
        """The network to start with, or this process's share of it."""
        threads = self._learner.threads
        if not self._learner.shard:
            return Torch.load(path, threads)
        from incumbent.learners.torch_sharded import sharded  # brings torch.distributed

        with safe_open(path, framework="pt") as file:
            shape, about = _header(file)
            return Network(sharded(shape, file, torch.device(self.device.used)), threads=threads, **about)

    def _of_rank(self, rank: int) -> "Torch":
        """A seed of its own for each process, so that the order of rows and dropout differ."""
        return self.reseeded(int(np.random.SeedSequence([self._seed, rank]).generate_state(1)[0]))

    def update(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int
    ) -> Network:
        """Continue from the champion's weights with the new rows and the sample of history, at a lower rate
        than the tuned one, which is for training from scratch."""
        old = Torch.load(champion, self._learner.threads)
        X, y, weights, _ = joined(fresh, replay)
        binned = self.bin(X, y)
        slow = {"rate": self._learner.update_rate, "dropout": 0.0, "decay": 1e-5}
        with _refusals():
            training = self._training(binned, slow, None, weights, start=old, compiled=self._learner.compile)
            for _ in range(self._learner.update_rounds):
                training.epoch()
        return self._network(training, old.epochs + self._learner.update_rounds)

    def predict_updated(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int, held: Batch
    ) -> np.ndarray:
        return self.update(champion, fresh, replay, options, known).predict(held.X)

    def look_up(self, champion: Path, X: np.ndarray) -> None:
        """Nothing: every update changes all of a network."""

    @staticmethod
    def load(path: Path, threads: int) -> Network:
        try:
            with safe_open(path, framework="pt") as file:
                shape, about = _header(file)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            net = TabM(shape)
            net.load_state_dict(tensors)
            return Network(net, threads=threads, **about)
        except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise Tampered(f"{path.name} is no network of ours: {' '.join(str(error).split())}") from error

    def _training(
        self,
        binned: Binned,
        options: dict[str, Any],
        rows: np.ndarray | None,
        weights: np.ndarray | None,
        start: Network | None = None,
        *,
        grouped: bool = False,
        compiled: bool = False,
    ) -> Training:
        held = (start.net, start.center, start.spread) if start else None
        return Training(
            Setup(self._learner, self._schema, self._seed, self.device),
            binned,
            options,
            rows,
            weights,
            held,
            grouped=grouped,
            compiled=compiled,
        )

    def _network(self, training: Training, epochs: int) -> Network:
        """A copy of the current network, on the CPU."""
        net = TabM(training.net.shape)
        net.load_state_dict(training.net.state_dict())
        return self._finished(net, training, epochs)

    def _finished(self, net: TabM, training: Training, epochs: int) -> Network:
        task, threads = self._schema.task, self._learner.threads
        return Network(net, task, epochs, training.center, training.spread, threads)

    @property
    def _numbers(self) -> list[int]:
        return [i for i, feature in enumerate(self._schema.features) if feature.categories is None]

    def _truth(self, binned: Binned, rows: np.ndarray) -> np.ndarray:
        y = binned.y[rows].numpy()
        return y.astype(np.int8) if self._schema.task == "binary" else y


def _header(file: Any) -> tuple[Shape, dict[str, Any]]:
    """The network's shape, and the other fields of a Network but its threads, of an open safetensors file."""
    about = json.loads(file.metadata()[HEADER])
    return from_document(about.pop("shape")), about


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BadParams(
            "the rows, the network and a step of its training don't fit into the GPU's memory "
            f"({str(error).partition('. GPU ')[0]}); in params.yaml lower learner.batch, set "
            "learner.device: cpu, or set learner.shard: true and train with --engine ray on several GPUs"
        ) from error
    except RuntimeError as error:
        # torch has no public name for it; the test of a machine without a compiler fails when it moves.
        from torch._dynamo.exc import BackendCompilerFailed

        if not isinstance(error, BackendCompilerFailed):
            raise
        raise BadParams(
            f"torch can't compile the network on this machine ({str(error).splitlines()[0]}); "
            "install a C++ compiler (Debian: g++), or set learner.compile: false in params.yaml"
        ) from error
