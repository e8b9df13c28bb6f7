"""A tabular network (network.py) trained by torch; kept as safetensors, its shape as JSON in the header."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from incumbent.compare import score
from incumbent.errors import Tampered
from incumbent.learners.devices import choose
from incumbent.learners.network import BINS, Shape, TabM, from_document, quantile_bins, to_document
from incumbent.metrics import METRICS, Task
from incumbent.params import PromotionParams, TorchParams
from incumbent.schema import Schema

if TYPE_CHECKING:
    import optuna

PREDICT_ROWS = 8192
HEADER = "incumbent"


@dataclass(frozen=True)
class FoldScore:
    score: float
    rounds: int


@dataclass(frozen=True)
class Binned:
    """Features and labels as tensors, and the quantile bins of the numbers; they see no label."""

    X: torch.Tensor
    y: torch.Tensor
    left: torch.Tensor
    width: torch.Tensor


@dataclass(frozen=True)
class Network:
    """`center` and `spread` turn a regression's outputs into values of the target."""

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
        # In float64 on the CPU: so a row's prediction does not depend on the rows beside it or the machine.
        torch.set_num_threads(self.threads)
        double = TabM(self.net.shape).double()
        double.load_state_dict(self.net.state_dict())
        parts = []
        with torch.inference_mode():
            for start in range(0, max(1, len(X)), PREDICT_ROWS):
                rows = torch.from_numpy(X[start : start + PREDICT_ROWS].astype(np.float64))
                parts.append(_answers(double(rows), self.task, self.center, self.spread).numpy())
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
        from incumbent.learners.torch_onnx import to_onnx

        return to_onnx(self)


class Torch:
    file: ClassVar = "model.safetensors"

    def __init__(self, learner: TorchParams, seed: int, schema: Schema, promotion: PromotionParams) -> None:
        self._learner, self._seed, self._schema, self._promotion = learner, seed, schema, promotion

    def reseeded(self, seed: int) -> "Torch":
        return Torch(self._learner, seed, self._schema, self._promotion)

    def bin(self, X: np.ndarray, y: np.ndarray) -> Binned:
        labels = y.astype(np.int64) if self._schema.task == "multiclass" else y.astype(np.float32)
        return Binned(torch.from_numpy(X), torch.from_numpy(labels), *quantile_bins(X, self._numbers))

    @staticmethod
    def search_space(trial: "optuna.Trial") -> dict[str, Any]:
        return {
            "rate": trial.suggest_float("rate", 5e-4, 1e-2, log=True),
            "width": trial.suggest_int("width", 32, 256, log=True),
            "depth": trial.suggest_int("depth", 1, 3),
            "dropout": trial.suggest_float("dropout", 0.0, 0.4),
            "decay": trial.suggest_float("decay", 1e-5, 1e-1, log=True),
        }

    def fit_fold(
        self, binned: Binned, options: dict[str, Any], fit: np.ndarray, stop: np.ndarray
    ) -> FoldScore:
        """Train on rows `fit` until the metric on rows `stop` has not got better for `patience` epochs."""
        best = FoldScore(-np.inf, 0)
        held, sign = binned.X[stop].numpy(), 1 if METRICS[self._promotion.metric].greater_is_better else -1
        truth = self._truth(binned, stop)
        training = _Training(self, binned, options, fit)
        for epoch in range(1, self._learner.rounds + 1):
            training.epoch()
            seen = sign * score(truth, training.network(epoch).predict(held), self._promotion)
            if seen > best.score:
                best = FoldScore(seen, epoch)
            elif epoch - best.rounds >= self._learner.patience:
                break
        return best

    def fit(
        self, binned: Binned, options: dict[str, Any], rounds: int, rows: np.ndarray | None = None
    ) -> Network:
        training = _Training(self, binned, options, np.arange(len(binned.y)) if rows is None else rows)
        for _ in range(rounds):
            training.epoch()
        return training.network(rounds)

    def update(
        self, champion: Path, fresh: tuple[np.ndarray, np.ndarray], replay: tuple[np.ndarray, np.ndarray]
    ) -> Network:
        """Go on from the champion's weights, more slowly, with the new rows and the sample of history."""
        old = Torch.load(champion, self._learner.threads)
        binned = self.bin(np.concatenate([fresh[0], replay[0]]), np.concatenate([fresh[1], replay[1]]))
        options = {"rate": self._learner.update_rate, "dropout": 0.0, "decay": 1e-5}
        training = _Training(self, binned, options, np.arange(len(binned.y)), start=old)
        for _ in range(self._learner.update_rounds):
            training.epoch()
        return training.network(old.epochs + self._learner.update_rounds)

    @staticmethod
    def load(path: Path, threads: int) -> Network:
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads(file.metadata()[HEADER])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            net = TabM(from_document(about.pop("shape")))
            net.load_state_dict(tensors)
            return Network(net, threads=threads, **about)
        except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise Tampered(f"{path.name} is no network of ours: {' '.join(str(error).split())}") from error

    @property
    def _numbers(self) -> list[int]:
        return [i for i, feature in enumerate(self._schema.features) if feature.categories is None]

    def _truth(self, binned: Binned, rows: np.ndarray) -> np.ndarray:
        y = binned.y[rows].numpy()
        return y.astype(np.int8) if self._schema.task == "binary" else y


class _Training:
    """One run of AdamW (Loshchilov & Hutter 2019) over some rows, epoch by epoch."""

    def __init__(
        self,
        learner: Torch,
        binned: Binned,
        options: dict[str, Any],
        rows: np.ndarray,
        start: Network | None = None,
    ) -> None:
        self._params, self._schema = learner._learner, learner._schema
        self._device = choose(self._params.device)
        self._order = torch.Generator().manual_seed(learner._seed)
        self._noise = torch.Generator(self._device).manual_seed(learner._seed)
        torch.set_num_threads(self._params.threads)
        self._X, y = self._placed(binned.X[rows]), binned.y[rows]
        self._center, self._spread = 0.0, 1.0
        if start is not None:
            self._net, self._center, self._spread = start.net, start.center, start.spread
        else:
            self._net = TabM(self._shape(options))
            self._net.draw(self._order)
            self._net.left.copy_(binned.left)
            self._net.width.copy_(binned.width)
            if self._schema.task == "regression":
                self._center, self._spread = float(y.double().mean()), float(y.double().std()) or 1.0
        if self._schema.task == "regression":
            y = (y - self._center) / self._spread
        self._y, self._net = self._placed(y), self._net.to(self._device)
        self._dropout = float(options["dropout"])
        self._optimizer = torch.optim.AdamW(
            self._net.parameters(), lr=options["rate"], weight_decay=options["decay"]
        )

    def epoch(self) -> None:
        """Every row once, in an order of its own."""
        torch.set_num_threads(self._params.threads)
        order = torch.randperm(len(self._y), generator=self._order).to(self._device)
        for batch in order.split(self._params.batch):
            # float32's range in half the bytes; only GPUs gain from it.
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
                outputs = self._net(self._X[batch], self._dropout, self._noise)
            loss = _loss(outputs.float(), self._y[batch], self._schema.task)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()

    def network(self, epochs: int) -> Network:
        """A copy of what it is by now, on the CPU."""
        net = TabM(self._net.shape)
        net.load_state_dict(self._net.state_dict())
        return Network(net, self._schema.task, epochs, self._center, self._spread, self._params.threads)

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
        """All rows at once on the device, through pinned memory: no loader, no copy per batch."""
        return tensor.pin_memory().to(self._device) if self._device.type == "cuda" else tensor


def _loss(outputs: torch.Tensor, y: torch.Tensor, task: Task) -> torch.Tensor:
    """The mean over members of each one's own loss; outputs (n, members, outputs)."""
    n, members, width = outputs.shape
    if task == "multiclass":
        return torch.nn.functional.cross_entropy(outputs.reshape(-1, width), y.repeat_interleave(members))
    targets = y[:, None].expand(n, members)
    if task == "binary":
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs[..., 0], targets)
    return torch.nn.functional.mse_loss(outputs[..., 0], targets)


def _answers(outputs: torch.Tensor, task: Task, center: float, spread: float) -> torch.Tensor:
    """(n, members, outputs) -> (n, classes) probabilities, the members' mean; regression (n, 1)."""
    if task == "multiclass":
        return outputs.softmax(-1).mean(1)
    if task == "binary":
        positive = outputs.sigmoid().mean(1)
        return torch.cat([1 - positive, positive], dim=1)
    return outputs.mean(1) * spread + center
