"""Train a network epoch by epoch, with checkpoints to resume from after an interruption."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from incumbent.features.schema import Schema
from incumbent.learners.devices import Device
from incumbent.learners.network import Shape, TabM
from incumbent.machine.resources import hold_gpu
from incumbent.params import Task, TorchParams
from incumbent.tables.atomic import atomic_write


@dataclass(frozen=True)
class Binned:
    """Features and labels as tensors, and the quantile bins of the numbers, which depend on X alone.

    on_disk: whether X is a file's, of which no more than a batch may be in memory.
    """

    X: torch.Tensor
    y: torch.Tensor
    left: torch.Tensor
    width: torch.Tensor
    on_disk: bool = False


@dataclass(frozen=True)
class Setup:
    """What all trainings of a learner share; the seed orders the rows and draws weights and dropout."""

    learner: TorchParams
    schema: Schema
    seed: int
    device: Device


class Training:
    """One run of AdamW (Loshchilov & Hutter 2019) over some rows, epoch by epoch.

    rows: row numbers in `binned`, None for all; weights: (n,) of these. start: a network to continue, with
    its `center` and `spread`, as in torch.Network. grouped: whether this is one of torch's process group,
    each with its own rows; a step then takes learner.batch rows in all. compiled: use torch.compile, which
    only one thread of a process may do at a time.
    """

    def __init__(
        self,
        setup: Setup,
        binned: Binned,
        options: dict[str, Any],
        rows: np.ndarray | None,
        weights: np.ndarray | None,
        start: tuple[TabM, float, float] | None = None,
        *,
        grouped: bool = False,
        compiled: bool = False,
    ) -> None:
        self._params, self._schema = setup.learner, setup.schema
        self._device = torch.device(setup.device.used)
        if self._device.type == "cuda":
            hold_gpu()
        self._order = torch.Generator().manual_seed(setup.seed)
        self._noise = torch.Generator(self._device).manual_seed(setup.seed)
        torch.set_num_threads(self._params.threads)
        self._X, self._rows = binned.X, None if rows is None else torch.from_numpy(rows.astype(np.int64))
        if self._device.type == "cuda" and not binned.on_disk:
            self._X, self._rows = self._placed(binned.X if rows is None else binned.X[rows]), None
        y = binned.y if rows is None else binned.y[rows]
        self._weights = None
        if weights is not None:
            self._weights = self._placed(torch.from_numpy(weights.astype(np.float32)))
        self.net, self.center, self.spread = start or self._drawn(binned, y, options)
        if self._schema.task == "regression":
            y = (y - self.center) / self.spread
        self._y, self.net = self._placed(y), self.net.to(self._device)
        self._model: Callable[..., torch.Tensor] = self.net
        self._batch, self._length = self._params.batch, len(self._y)
        if grouped:
            self._join()
        if compiled:
            self._model = torch.compile(self._model)
        self._dropout = float(options["dropout"])
        self._first_loss: torch.Tensor | None = None
        self._optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=options["rate"], weight_decay=options["decay"]
        )

    def epoch(self) -> torch.Tensor:
        """Train on every row once, in a random order. Returns the mean loss in units of the first step's."""
        torch.set_num_threads(self._params.threads)
        total, steps = torch.zeros((), device=self._device), 0
        order = torch.randperm(len(self._y), generator=self._order).to(self._device)
        if self._length > len(order):
            order = order.repeat(-(-self._length // len(order)))[: self._length]
        for batch in order.split(self._batch):
            # bfloat16 has the range of float32 in half the bytes; only GPUs gain from it.
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
                outputs = self._model(self._features(batch), self._dropout, self._noise)
            losses = member_losses(
                outputs.float(), self._y[batch], self._schema.task, self._params.focal or 0.0
            )
            loss = (losses if self._weights is None else losses * self._weights[batch][:, None]).mean()
            if self._first_loss is None:
                self._first_loss = loss.detach()
            total, steps = total + loss.detach(), steps + 1
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
        return total if self._first_loss is None else total / steps / self._first_loss

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of all that the next epoch depends on: weights, optimizer state, random generators."""
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        for number, memory in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in memory.items()}
        tensors |= {"order": self._order.get_state(), "noise": self._noise.get_state()}
        return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Resume from the result of `state`."""
        self._order.set_state(state["order"])
        self._noise.set_state(state["noise"])
        weights = {n.removeprefix("net."): tensor for n, tensor in state.items() if n.startswith("net.")}
        self.net.load_state_dict(weights)
        memory: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in state.items():
            if name.startswith("optimizer."):
                _, number, what = name.split(".")
                memory.setdefault(int(number), {})[what] = tensor
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": memory, "param_groups": groups})

    def _features(self, batch: torch.Tensor) -> torch.Tensor:
        """The features of these of the rows that are trained on, gathered from all rows."""
        numbers = batch.to(self._X.device)
        return self._X[numbers if self._rows is None else self._rows[numbers]].to(self._device)

    def _drawn(self, binned: Binned, y: torch.Tensor, options: dict[str, Any]) -> tuple[TabM, float, float]:
        """A network to start with, and the center and spread of the labels; 0 and 1 but for a regression."""
        net = TabM(self._shape(options))
        net.draw(self._order)
        net.left.copy_(binned.left)
        net.width.copy_(binned.width)
        if self._schema.task != "regression":
            return net, 0.0, 1.0
        return net, float(y.double().mean()), float(y.double().std()) or 1.0

    def _join(self) -> None:
        """Join the process group. All take the same number of steps: those with fewer rows repeat some."""
        if not self._params.shard:  # a sharded network exchanges its gradients itself
            self._model = torch.nn.parallel.DistributedDataParallel(self.net, broadcast_buffers=False)
        self._batch = max(1, self._params.batch // torch.distributed.get_world_size())
        longest = torch.tensor(self._length, device=self._device)
        torch.distributed.all_reduce(longest, torch.distributed.ReduceOp.MAX)
        self._length = int(longest)

    def _shape(self, options: dict[str, Any]) -> Shape:
        features = self._schema.features
        sizes = [len(each.categories) for each in features if each.categories is not None]
        return Shape(
            numbers=tuple(i for i, each in enumerate(features) if each.categories is None),
            categories=tuple(self._schema.categorical),
            sizes=tuple(sizes),
            outputs=len(self._schema.classes) if self._schema.task == "multiclass" else 1,
            members=self._params.members,
            width=options["width"],
            depth=options["depth"],
        )

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy all rows to the device once, through pinned memory, instead of batch by batch."""
        return tensor.pin_memory().to(self._device) if self._device.type == "cuda" else tensor


def member_losses(outputs: torch.Tensor, y: torch.Tensor, task: Task, focal: float) -> torch.Tensor:
    """Loss of each row for each member, (n, members); outputs: (n, members, outputs).

    focal: gamma of Lin et al. 2017, "Focal Loss for Dense Object Detection": a row predicted with probability
    p for its class gets the weight (1 - p)^gamma, so that easy rows of the frequent class count less.
    """
    n, members, width = outputs.shape
    targets = y[:, None].expand(n, members)
    if task == "regression":
        return torch.nn.functional.mse_loss(outputs[..., 0], targets, reduction="none")
    if task == "multiclass":
        flat = torch.nn.functional.cross_entropy(
            outputs.reshape(-1, width), targets.reshape(-1), reduction="none"
        )
        losses = flat.reshape(n, members)
    else:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs[..., 0], targets, reduction="none"
        )
    return losses * (-torch.expm1(-losses)).clamp_min(1e-6) ** focal if focal else losses


def train_with_checkpoint(training: Training, epochs: int, checkpoint: Path, seconds: float) -> None:
    """Train up to `epochs` epochs in all, from the checkpoint if it exists; write one every `seconds`.

    An interruption writes a checkpoint of the last whole epoch.
    """
    done, last = 0, time.monotonic()
    if checkpoint.exists():
        with safe_open(checkpoint, framework="pt") as file:
            done = int(file.metadata()["epochs"])
            training.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    state = training.state()
    try:
        for epoch in range(done, epochs):
            training.epoch()
            done, state = epoch + 1, training.state()
            if time.monotonic() - last >= seconds:
                _keep(checkpoint, state, done)
                last = time.monotonic()
    except BaseException:
        _keep(checkpoint, state, done)
        raise


def _keep(checkpoint: Path, state: dict[str, torch.Tensor], epochs: int) -> None:
    with atomic_write(checkpoint) as part:
        save_file(state, part, metadata={"epochs": str(epochs)})
