"""Real flights of January and February, and parameters that train within a second."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from incumbent.demo.flights import load_flights, write_months
from incumbent.models.model import Model
from incumbent.params import Params, load_params
from tests.core.building import ROOT, changed
from tests.core.judging import model


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
def flights_params() -> Params:
    """The repository's own params.yaml."""
    return load_params(ROOT)


@pytest.fixture(scope="session")
def quick_params(flights_params: Params) -> Params:
    """The same with a short search, few trees and a small sample of history."""
    return changed(
        flights_params,
        learner={"rounds": 40, "patience": 10, "update_rounds": 5},
        search={"trials": 8, "folds": 5},
        retrain={"replay": 2000},
    )


@pytest.fixture(scope="session")
def weak(thinned: Sequence[Path], quick_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """One tree."""
    return model(thinned[0], quick_params, tmp_path_factory.mktemp("weak") / "v", rounds=1)


@pytest.fixture(scope="session")
def strong(thinned: Sequence[Path], quick_params: Params, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Thirty trees on the same rows."""
    return model(thinned[0], quick_params, tmp_path_factory.mktemp("strong") / "v", rounds=30)
