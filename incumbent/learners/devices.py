"""Choose the device to train on, and report when it is not the one asked for."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from incumbent.machine.resources import hold_gpu

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Device:
    """`asked`: learner.device; `used`: cpu, gpu (OpenCL) or cuda; `fell_back`: why they differ."""

    asked: str
    used: str
    fell_back: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def torch_device(asked: str, *, whole: bool = False) -> Device:
    """For auto and cuda the first visible GPU (CUDA_VISIBLE_DEVICES), else the CPU.

    whole: whether it is to hold a whole network that is sharded because no GPU holds it; then the CPU.
    """
    import torch

    if asked == "cpu":
        return Device(asked, "cpu")
    if not torch.cuda.device_count():
        return Device(asked, "cpu", None if asked == "auto" else "this process sees no CUDA device")
    if whole:
        return Device(asked, "cpu", "with learner.shard only workers on Ray train on GPUs")
    return Device(asked, "cuda")


@lru_cache
def lightgbm_device(asked: str) -> Device:
    """gpu: LightGBM's OpenCL learner; cuda needs a build with it. Tries the device on a few rows."""
    if asked == "cpu":
        return Device(asked, asked)
    import lightgbm as lgb
    import numpy as np

    try:
        rows = lgb.Dataset(np.arange(64.0).reshape(-1, 1), np.arange(64) % 2)
        lgb.Booster({"device_type": asked, "verbosity": -1, "objective": "binary"}, rows)
    except lgb.basic.LightGBMError as error:
        return Device(asked, "cpu", str(error).splitlines()[0])
    hold_gpu()
    return Device(asked, asked)


def visible() -> list[str]:
    """The GPUs visible to this process, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    listed = os.environ.get(VISIBLE)
    return (listed.split(",") if listed else [str(number) for number in range(count)])[:count]


def slots() -> int:
    """Number of study workers for this machine: one for each GPU; without GPUs, one for each core."""
    return len(visible()) or os.cpu_count() or 1


@contextmanager
def one_device(folder: Path) -> Iterator[str | None]:
    """Have a GPU to oneself: this process sees no other one from here on. Waits while all are taken.

    Lock files in `folder` tell which are taken; a process that dies frees its own. Call it before anything
    is computed on a GPU. Without GPUs it is None, and nothing changes.
    """
    names = visible()
    if not names:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        while (name := next((name for name in names if _taken(folder / f"{name}.lock", held)), None)) is None:
            time.sleep(1.0)
        before = os.environ.get(VISIBLE)
        os.environ[VISIBLE] = name
        try:
            yield name
        finally:
            os.environ.pop(VISIBLE) if before is None else os.environ.update({VISIBLE: before})


def _taken(lock: Path, held: ExitStack) -> bool:
    with suppress(Timeout):
        held.enter_context(FileLock(lock, blocking=False))
        return True
    return False
