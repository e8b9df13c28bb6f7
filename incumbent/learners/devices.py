"""Where tensors are computed: the one place that chooses."""

from typing import Literal

import torch

from incumbent.errors import BadParams

Device = Literal["auto", "cpu", "cuda"]


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
