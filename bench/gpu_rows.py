"""Rows for gpu.py: three million flights, real or made up, and the parameters to learn from them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from flights_2001 import load

from incumbent.features.schema import Feature, Schema
from incumbent.learners import Batch
from incumbent.params import Params

AIRPORTS, DAYS, HELD = 200, 181, 0.1
CATEGORIES = ("origin", "destination", "day")
THREADS = os.cpu_count() or 1

Findings = Iterator[tuple[str, bool | None, str]]
"""Each: what was checked, whether it is so (None: this machine can't tell), and the figures."""


@dataclass(frozen=True)
class Sizes:
    """rows: of the largest training; part: of the others; batch: rows a step; steps: other batches to try."""

    rows: int
    part: int
    batch: int
    steps: tuple[int, ...]


SIZES = {
    "full": Sizes(3_000_000, 200_000, 4096, (512, 4096, 16_384, 65_536)),
    "small": Sizes(20_000, 8_000, 256, (256, 1024)),
}


@dataclass(frozen=True)
class Place:
    """What of gpu.py's arguments the sections work with."""

    device: str
    rows: str
    flights: Path | None

    @property
    def sizes(self) -> Sizes:
        return SIZES[self.rows]

    @property
    def on_gpu(self) -> bool:
        return self.device == "cuda"

    def arguments(self) -> list[str]:
        given = ["--device", self.device, "--rows", self.rows]
        return [*given, "--flights", str(self.flights)] if self.flights else given


def flights(place: Place, rows: int) -> pd.DataFrame:
    """Real flights from the file, or made up ones: late by airport, hour, and weather of the day there.

    A day is a category: bad weather has no order.
    """
    if place.flights:
        frame = load(place.flights, rows).sample(frac=1, random_state=0)
        day = (frame.pop("date") - pd.Timestamp("2001-01-01")).dt.days
        return frame.assign(day=day).astype(dict.fromkeys(CATEGORIES, "category"))
    rng = np.random.default_rng(0)
    words = np.array([f"A{number:03d}" for number in range(AIRPORTS)])
    origin, destination = ((AIRPORTS * rng.random(rows) ** 3).astype(int) for _ in range(2))
    day, hour = rng.integers(0, DAYS, rows), rng.integers(5, 24, rows)
    where, habit, storm = rng.random((AIRPORTS, 2)), rng.normal(size=AIRPORTS), rng.gumbel(size=(AIRPORTS, 9))
    delay = 0.4 * habit[origin] + 0.3 * habit[destination] + storm[origin, day // 21] + (hour - 5) / 10
    delay += rng.normal(0, 2, rows)
    return pd.DataFrame(
        {
            "distance": 3000 * np.hypot(*(where[origin] - where[destination]).T),
            "origin": pd.Categorical.from_codes(origin, words),
            "destination": pd.Categorical.from_codes(destination, words),
            "hour": hour,
            "weekday": day % 7,
            "day": pd.Categorical(day),
            "late": delay > np.quantile(delay, 0.8),
        }
    )


def encoded(frame: pd.DataFrame) -> tuple[Schema, Batch, Batch]:
    """The schema, the rows to learn from, the rows held out."""
    y, X = frame["late"].to_numpy(), frame.drop(columns="late")
    words = {
        name: tuple(map(str, column.cat.categories))
        for name, column in X.items()
        if column.dtype == "category"
    }
    codes = [X[name].cat.codes if name in words else X[name] for name in X]
    batch = Batch(np.column_stack(codes).astype(np.float32), y.astype(np.int8))
    held = np.random.default_rng(1).random(len(y)) < HELD
    features = tuple(Feature(name, words.get(name)) for name in X)
    return Schema(features, "late", True, "binary"), *(
        batch.take(np.flatnonzero(which)) for which in (~held, held)
    )


def params_of(learner: dict[str, Any]) -> Params:
    return Params.model_validate(
        {
            "dataset": {"name": "flights", "target": "late", "positive": True},
            "learner": learner,
            "retrain": {"window": "all", "replay": 2000},
            "registry": {"address": "s3://incumbent/registry"},
        }
    )


def parts(folder: Path, frame: pd.DataFrame, number: int) -> list[Path]:
    """The frame in so many Parquet files, categories as text."""
    (folder / "parts").mkdir()
    frame = frame.astype(dict.fromkeys(CATEGORIES, str))
    paths = [folder / "parts" / f"part-{each}.parquet" for each in range(number)]
    for each, path in enumerate(paths):
        frame.iloc[each::number].to_parquet(path, index=False)
    return paths
