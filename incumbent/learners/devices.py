"""Where tensors are computed: the one place that chooses."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

import torch

from incumbent.errors import BadParams

Device = Literal["auto", "cpu", "cuda"]
VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible() -> list[str]:
    """The GPUs that this process may see, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count()
    listed = os.environ.get(VISIBLE)
    return (listed.split(",") if listed else [str(number) for number in range(count)])[:count]


def slots() -> int:
    """How many workers of a study fit on this machine: one on each GPU; without GPUs, one on each core."""
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
    handle = lock.open("w")
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.enter_context(handle)
        return True
    handle.close()
    return False


def choose(wanted: Device) -> torch.device:
    """auto: the first GPU that the process may see (CUDA_VISIBLE_DEVICES), else the CPU.

    Raises BadParams when a GPU is asked for by name and there is none.
    """
    count = torch.cuda.device_count()
    if wanted == "cuda" and count == 0:
        raise BadParams(
            "learner.device = 'cuda', but this process sees no GPU; use 'auto' to fall back to the CPU"
        )
    return torch.device("cuda" if count and wanted != "cpu" else "cpu")
