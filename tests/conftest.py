"""For all tests, once a session: a real S3 server, flights, two models; and how hard hypothesis tries."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from incumbent.demo.flights import load_flights, write_months
from incumbent.local import processes
from incumbent.local import s3 as local_s3
from incumbent.local.stack import SETTLING
from incumbent.local.state import Stack, make_private_dirs
from incumbent.storage.s3.address import ensure_bucket

if TYPE_CHECKING:  # slow to import, and not for every test
    from incumbent.models.model import Model
    from incumbent.params import Params

_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples in each run: a change is judged by what it did. `deep` looks for new ones.
settings.register_profile("usual", max_examples=100, derandomize=True, **_SLOW_IS_FINE)
settings.register_profile("deep", max_examples=1200, **_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

BUCKET = "incumbent"


@dataclass(frozen=True)
class S3:
    """The server of this session; the process's AWS_* variables lead to it."""

    endpoint: str
    environment: dict[str, str] = field(repr=False)
    address: str = f"s3://{BUCKET}"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A real S3 server with an empty bucket; use a prefix of your own in it."""
    stack = Stack(tmp_path_factory.mktemp("s3"))
    make_private_dirs(stack)
    processes.start(stack, local_s3.prepare(stack))
    environment = local_s3.client_settings(stack)
    try:
        with pytest.MonkeyPatch.context() as patch:
            _forget_own_account(patch, stack.root)
            for name, value in environment.items():
                patch.setenv(name, value)
            ensure_bucket(BUCKET, environment)
            time.sleep(SETTLING)
            yield S3(environment["AWS_ENDPOINT_URL"], environment)
    finally:
        processes.stop(stack, local_s3.NAME, grace=2.0)  # its data is not needed any more
        local_s3.remove_sockets(stack)


def _forget_own_account(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """No test may ever reach the developer's own AWS account."""
    nothing = folder / "no-aws-configuration"
    nothing.touch()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_CONFIG_FILE", str(nothing))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def months(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """January and February 2013, about 25,000 flights each."""
    flights = load_flights()
    return write_months(flights[flights["month"] <= 2], tmp_path_factory.mktemp("months"))


@pytest.fixture(scope="session")
def january(months: Sequence[Path]) -> pd.DataFrame:
    return pd.read_parquet(months[0])


@pytest.fixture(scope="session")
def thinned(months: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Every third flight of both months: all days, enough rows to learn from, quick to train on."""
    folder = tmp_path_factory.mktemp("thinned")
    paths = [folder / path.name for path in months]
    for month, path in zip(months, paths, strict=True):
        pd.read_parquet(month).iloc[::3].to_parquet(path, index=False)
    return paths


@pytest.fixture(scope="session")
def flights_params() -> "Params":
    """The repository's own params.yaml."""
    from incumbent.params import load_params

    return load_params(Path(__file__).parents[1])


@pytest.fixture(scope="session")
def quick_params(flights_params: "Params") -> "Params":
    """The same with a short search, few trees, a small sample of history, and days kept in the vault."""
    from tests.building import changed

    return changed(
        flights_params,
        learner={"rounds": 40, "patience": 10, "update_rounds": 5},
        search={"trials": 8, "folds": 5},
        retrain={"replay": 2000},
        split={"holdout": 0.2},
    )


@pytest.fixture(scope="session")
def weak(
    thinned: Sequence[Path], quick_params: "Params", tmp_path_factory: pytest.TempPathFactory
) -> "Model":
    """One tree."""
    from tests.judging import model

    return model(thinned[0], quick_params, tmp_path_factory.mktemp("weak") / "v", rounds=1)


@pytest.fixture(scope="session")
def strong(
    thinned: Sequence[Path], quick_params: "Params", tmp_path_factory: pytest.TempPathFactory
) -> "Model":
    """Thirty trees on the same rows."""
    from tests.judging import model

    return model(thinned[0], quick_params, tmp_path_factory.mktemp("strong") / "v", rounds=30)
