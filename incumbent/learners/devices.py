"""Where a model is trained: the one place that chooses, and tells when it is not where it was asked for."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Device:
    """`asked` is learner.device; `used` one of cpu, gpu (OpenCL), cuda; `fell_back` why it differs."""

    asked: str
    used: str
    fell_back: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def torch_device(asked: str) -> Device:
    """auto and cuda: the first GPU that the process may see (CUDA_VISIBLE_DEVICES), else the CPU."""
    import torch

    if asked == "cpu" or torch.cuda.device_count():
        return Device(asked, "cpu" if asked == "cpu" else "cuda")
    return Device(asked, "cpu", None if asked == "auto" else "this process sees no CUDA device")


@lru_cache
def lightgbm_device(asked: str) -> Device:
    """gpu: LightGBM's OpenCL learner; cuda needs a build with it. Whether it works is tried on a few rows."""
    if asked == "cpu":
        return Device(asked, asked)
    import lightgbm as lgb
    import numpy as np

    try:
        rows = lgb.Dataset(np.arange(64.0).reshape(-1, 1), np.arange(64) % 2)
        lgb.Booster({"device_type": asked, "verbosity": -1, "objective": "binary"}, rows)
    except lgb.basic.LightGBMError as error:
        return Device(asked, "cpu", str(error).splitlines()[0])
    return Device(asked, asked)
