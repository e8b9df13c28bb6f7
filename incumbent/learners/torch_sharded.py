"""A network of which each process of a group holds a share, for one that a device's memory does not hold.

By FSDP2 (Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel"): weights,
gradients and the optimizer's state are dealt to the processes by rows. Weights are whole only while they are
computed with, and large embedding tables only block by block.
"""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from incumbent.learners.network import Shape, TabM

BLOCK = 1 << 18
"""Rows of an embedding table that are whole on a device at a time."""


class ShardedTabM(TabM):
    """As TabM, its embedding tables cut into blocks. Made by `sharded`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        del self.embeddings
        sizes = enumerate(zip(shape.sizes, shape.embedded, strict=True))
        self.tables = nn.ModuleList(
            _Table(f"embeddings.{number}", size + 1, width) for number, (size, width) in sizes
        )

    def embed(self, number: int, codes: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.tables[number](codes)
        return embedded

    def whole(self) -> TabM | None:
        """A copy of the whole network, on the CPU of the group's first process; None in the others.

        All processes of the group must call it.
        """
        net = TabM(self.shape) if torch.distributed.get_rank() == 0 else None
        for name, first, parameter in self.parts():
            rows = parameter.full_tensor()
            if net is not None:
                net.get_parameter(name).data[first : first + len(rows)] = rows.cpu()
        if net is not None:
            net.left.copy_(self.left)
            net.width.copy_(self.width)
        return net

    def parts(self) -> Iterator[tuple[str, int, DTensor]]:
        """Each parameter, with the name of the TabM's that it is of, and its first row in that one."""
        for name, parameter in self.named_parameters():
            if not name.startswith("tables."):
                yield name, 0, cast(DTensor, parameter)
        for module in self.modules():
            if isinstance(module, _Block):
                yield module.table, module.first, cast(DTensor, module.rows)


class _Table(nn.Module):
    """codes (n,) -> (n, width): the rows with these numbers."""

    def __init__(self, name: str, rows: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList(
            _Block(name, first, min(BLOCK, rows - first), width) for first in range(0, rows, BLOCK)
        )

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        # FSDP frees a block's weights and gradients right after its backward only where an input of the
        # block has a gradient, which codes have not.
        embedded = torch.zeros(len(codes), self.width, device=codes.device, requires_grad=True)
        for block in self.blocks:
            embedded = block(codes, embedded)
        return embedded


class _Block(nn.Module):
    """The rows of a table from number `first`; table: its name in TabM."""

    def __init__(self, table: str, first: int, rows: int, width: int) -> None:
        super().__init__()
        self.table, self.first = table, first
        self.rows = nn.Parameter(torch.empty(rows, width))

    def forward(self, codes: torch.Tensor, embedded: torch.Tensor) -> torch.Tensor:
        """embedded (n, width), with its own rows added where a code is one of them."""
        own = codes - self.first
        inside = (own >= 0) & (own < len(self.rows))
        return embedded + self.rows[torch.where(inside, own, 0)] * inside[:, None]


def sharded(shape: Shape, file: Any, device: torch.device) -> ShardedTabM:
    """This process's share of the network in `file`, an open safetensors file; reads no more than a block of
    what it does not keep."""
    if device.type == "cpu":
        _free_at_once()
    with torch.device("meta"):
        net = ShardedTabM(shape)
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for table in net.modules():
        if isinstance(table, _Table) and len(table.blocks) > 1:  # small tables go together with all else
            for block in table.blocks:
                fully_shard(block, mesh=mesh)
    fully_shard(net, mesh=mesh)
    net.to_empty(device=device)
    with torch.no_grad():
        for name, first, parameter in net.parts():
            rows = file.get_slice(name)[first : first + len(parameter)].to(device)
            parameter.copy_(distribute_tensor(rows, mesh, parameter.placements, src_data_rank=None))
        net.left.copy_(file.get_tensor("left"))
        net.width.copy_(file.get_tensor("width"))
    return net


def _free_at_once() -> None:
    """Have this process give freed blocks back to the system. glibc keeps them otherwise, in pieces that fit
    nothing else, until they add up to the whole network; other C libraries have no such setting."""
    threshold, a_megabyte = -3, 1 << 20  # M_MMAP_THRESHOLD of malloc.h
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(threshold, a_megabyte)
