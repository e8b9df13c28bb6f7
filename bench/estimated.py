"""How near is the estimate before labels come to what labels show, beside "as good as promised"?

A table in its order of arrival is trained on up to a batch, and later ones are scored. Promised is the metric
of the rows that the model's recipe predicted out of sample. `chance` is the mean error that the metric of so
many labelled rows has by itself (0.8 standard errors): who knew the probability of each label would err
almost as much.

    python bench/estimated.py [TABLE.parquet...] [--batch batch] [--target target] [--drop COLUMN...]
        [--weeks flights-3m.parquet] [--rows 300000] [--metric roc_auc]

A batch is the rows with the same value of its column, in the order of these values. --weeks: flights of 2001.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from flights_2001 import load

from incumbent.challenger import make_full, open_challenger
from incumbent.compare import estimate, score
from incumbent.errors import BadData
from incumbent.evaluation.simulated_labels import Unlabelled, estimate_unlabelled
from incumbent.models.reference import FILE, Reference
from incumbent.params import Params
from incumbent.search.tune import StudyResult

STUDY = StudyResult({"num_leaves": 31, "learning_rate": 0.05}, 200, ())
STARTS = (0.25, 0.5)
"""Shares of the batches that are trained on, in one training each."""

AHEAD = 0.5
"""Share of the batches that each is scored on."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tables", type=Path, nargs="*")
    arguments.add_argument("--batch", default="batch")
    arguments.add_argument("--target", default="target")
    arguments.add_argument("--drop", nargs="*", default=[])
    arguments.add_argument("--weeks", type=Path)
    arguments.add_argument("--rows", type=int, default=300_000, help="of the flights")
    arguments.add_argument("--metric", default="roc_auc")
    asked = arguments.parse_args()
    print(f"mean error of {asked.metric}; held: share of arrivals whose metric the 95 % interval holds")
    titles = ("trained", "arrivals", "promised", "unchanged", "estimate", "chance")
    print(f"{'':<16}" + "".join(f"{each:>10}" for each in titles) + f"{'held':>7}")
    for table in asked.tables:
        frame = pd.read_parquet(table).drop(columns=asked.drop, errors="ignore")
        replays(table.stem, frame.rename(columns={asked.batch: "batch", asked.target: "y"}), asked.metric)
    if asked.weeks:
        flights = load(asked.weeks, asked.rows)
        week = (flights["date"] - flights["date"].min()).dt.days // 7
        frame = flights.drop(columns=["date", "late"]).assign(batch=week, y=flights["late"].astype(int))
        replays("flights 2001", frame, asked.metric)


def replays(name: str, frame: pd.DataFrame, metric: str) -> None:
    with TemporaryDirectory() as folder:
        batches = []
        for number, (_, rows) in enumerate(frame.groupby("batch")):
            batches.append(Path(folder) / f"{number:05d}.parquet")
            rows.drop(columns="batch").to_parquet(batches[-1], index=False)
        for share in STARTS:
            replay(name, batches, share, metric, Path(folder))


def replay(name: str, batches: Sequence[Path], share: float, metric: str, scratch: Path) -> None:
    """Train on the first batches, and print the errors on those that follow."""
    params = Params.model_validate(
        {
            "dataset": {"name": "table", "target": "y", "positive": 1},
            "promotion": {"metric": metric, "resamples": 200},
            "registry": {"address": "s3://none/registry"},
        }
    )
    count = round(share * len(batches))
    folder = scratch / f"trained-{count}"
    folder.mkdir()
    made = make_full(batches[:count], params, STUDY, folder)
    model, known = open_challenger(made, params, folder, "v1"), Reference.load(folder / FILE)
    assert known is not None
    promised = score(known.y, known.predictions, params.promotion)
    errors = list[tuple[float, float, float, bool]]()
    for path in batches[count : count + round(AHEAD * len(batches))]:
        frame = pd.read_parquet(path)
        scores, alone = model.predict(frame), np.arange(float(len(frame)))
        try:
            real = estimate(model.schema.labels(frame), scores, alone, params.promotion)
        except BadData:  # one class only
            continue
        interval = estimate_unlabelled(Unlabelled(scores, alone), known, None, params.promotion, params.seed)
        chance = 0.8 * real.half_width / 1.96
        held = interval.low <= real.value <= interval.high
        errors.append((abs(promised - real.value), abs(interval.value - real.value), chance, held))
    unchanged, estimated, chance, held_share = np.mean(errors, axis=0)
    print(
        f"{name:<16}{count:>10}{len(errors):>10}{promised:>10.4f}{unchanged:>10.4f}{estimated:>10.4f}"
        f"{chance:>10.4f}{held_share:>7.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
