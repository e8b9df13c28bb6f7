"""Training by several processes that share the rows, on a real Ray cluster of this machine with two workers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from incumbent.challenger import Challenger, make_full, open_challenger, search
from incumbent.distributed import deal
from incumbent.engine import LOCAL, Engine, chosen
from incumbent.errors import BadParams
from incumbent.params import Params
from incumbent.rows import Side, read_rows
from incumbent.tune import StudyResult
from tests.core.building import changed

TWO = Engine("ray", 2)
TREES = StudyResult(
    {"num_leaves": 15, "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.6}, 20, ()
)
NETWORK = StudyResult({"rate": 0.01, "width": 32, "depth": 1, "dropout": 0.1, "decay": 1e-4}, 6, ())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster that somebody else started, at RAY_ADDRESS."""
    import ray

    folder = tmp_path_factory.mktemp("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        context = ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="warning",
            _node_ip_address="127.0.0.1",
        )
        yield
        ray.shutdown()
