"""A tabular network: piecewise-linear encodings of numbers, embeddings of categories, an ensemble in one net.

Sources: Gorishniy et al. 2022, "On Embeddings for Numerical Features in Tabular Deep Learning" (numbers as
piecewise-linear encodings over quantile bins); Gorishniy et al. 2025, "TabM: Advancing Tabular Deep Learning
with Parameter-Efficient Ensembling" (TabM-mini: members share all weights but a scale of the inputs and the
last layer, each has a loss of its own, their predictions are averaged).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from incumbent.params import Task

BINS = 16


@dataclass(frozen=True)
class Shape:
    """All parameters needed to build a network before its tensors are loaded.

    numbers, categories: positions of the features in X; sizes: of the vocabularies, in order.
    """

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    sizes: tuple[int, ...]
    outputs: int
    members: int
    width: int
    depth: int

    @property
    def embedded(self) -> tuple[int, ...]:
        """Dimensions of each category's embedding."""
        return tuple(min(16, math.ceil(1.6 * (size + 1) ** 0.56)) for size in self.sizes)

    @property
    def inputs(self) -> int:
        """Inputs of the first layer: BINS and a missing flag per number, an embedding per category."""
        return len(self.numbers) * (BINS + 1) + sum(self.embedded)


class TabM(nn.Module):
    """(n, features) as Schema.encode makes it -> (n, members, outputs): logits, or values."""

    left: torch.Tensor
    width: torch.Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("left", torch.zeros(len(shape.numbers), BINS))
        self.register_buffer("width", torch.ones(len(shape.numbers), BINS))
        self.embeddings = nn.ParameterList(
            torch.zeros(size + 1, each) for size, each in zip(shape.sizes, shape.embedded, strict=True)
        )
        self.scale = nn.Parameter(torch.ones(shape.members, shape.inputs))
        sizes = [shape.inputs, *[shape.width] * shape.depth]
        self.weights = nn.ParameterList(torch.zeros(a, b) for a, b in pairwise(sizes))
        self.biases = nn.ParameterList(torch.zeros(b) for b in sizes[1:])
        self.heads = nn.Parameter(torch.zeros(shape.members, sizes[-1], shape.outputs))
        self.head_biases = nn.Parameter(torch.zeros(shape.members, 1, shape.outputs))

    def draw(self, generator: torch.Generator) -> None:
        """Draw initial weights from `generator`: other threads use torch's global one."""
        with torch.no_grad():
            for embedding in self.embeddings:
                embedding.normal_(0, 0.1, generator=generator)
            self.scale.copy_(torch.randint(0, 2, self.scale.shape, generator=generator) * 2.0 - 1.0)
            for weight in [*self.weights, self.heads]:
                bound = 1 / math.sqrt(weight.shape[-2])
                weight.uniform_(-bound, bound, generator=generator)

    def forward(
        self, X: torch.Tensor, dropout: float = 0.0, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        hidden = self.encode(X)[:, None, :] * self.scale
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = torch.relu(hidden @ weight + bias)
            if dropout:
                kept = torch.rand(hidden.shape, generator=generator, device=hidden.device) >= dropout
                hidden = hidden * kept / (1 - dropout)
        return (hidden.transpose(0, 1) @ self.heads + self.head_biases).transpose(0, 1)

    def encode(self, X: torch.Tensor) -> torch.Tensor:
        """(n, inputs): each number as its share of every quantile bin, with a flag for missing."""
        numbers = X[:, list(self.shape.numbers)]
        missing = torch.isnan(numbers)
        filled = torch.where(missing, torch.zeros_like(numbers), numbers)[:, :, None]
        shares = ((filled - self.left) / self.width).clamp(0, 1) * ~missing[:, :, None]
        parts = [shares.flatten(1), missing.to(X.dtype)]
        for number, (position, size) in enumerate(zip(self.shape.categories, self.shape.sizes, strict=True)):
            code = X[:, position]
            known = (code >= 0) & (code < size)  # false for NaN
            parts.append(self.embed(number, torch.where(known, code, torch.full_like(code, size)).long()))
        return torch.cat(parts, dim=1)

    def embed(self, number: int, codes: torch.Tensor) -> torch.Tensor:
        """(n,) whole numbers -> (n, embedded): these rows of the table with this number."""
        return self.embeddings[number][codes]


def quantile_bins(X: np.ndarray, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Left edges and widths of each number's bins, (numbers, BINS) float32; no value reaches unused bins."""
    left = np.full((len(numbers), BINS), np.finfo(np.float32).max, dtype=np.float32)
    width = np.ones((len(numbers), BINS), dtype=np.float32)
    for row, position in enumerate(numbers):
        column = X[:, position]
        column = column[np.isfinite(column)]
        if len(column):
            edges = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)).astype(np.float32))
            if len(edges) > 1:
                left[row, : len(edges) - 1], width[row, : len(edges) - 1] = edges[:-1], np.diff(edges)
    return torch.from_numpy(left), torch.from_numpy(width)


def to_document(shape: Shape) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(shape).items()}


def from_document(document: dict[str, Any]) -> Shape:
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in document.items()}
    return Shape(**values)


def mean_prediction(outputs: torch.Tensor, task: Task, center: float, spread: float) -> torch.Tensor:
    """(n, members, outputs) -> (n, classes) probabilities, the members' mean; regression (n, 1)."""
    if task == "multiclass":
        return outputs.softmax(-1).mean(1)
    if task == "binary":
        positive = outputs.sigmoid().mean(1)
        return torch.cat([1 - positive, positive], dim=1)
    return outputs.mean(1) * spread + center
