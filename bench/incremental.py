"""An update with each new batch against a full training on all batches so far: CPU time, next batch's AUC.

The full training uses the options that the first study found, without search or cross-validation of its own,
so it is the cheapest one there is; `stale` is the first model, never updated. All are scored on all rows of
the batch that follows.

- By default flights of 2013: five months make the first model; June to November arrive one by one.
- With `--weeks` flights of 2001: twelve weeks make the first model, eleven arrive. Each seed has a sample of
  `--rows` rows of its own, of three million.

    python bench/incremental.py [--seeds 3] [--weeks flights-3m.parquet] [--rows 300000]

The file: see flights_2001.py.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from flights_2001 import load

from incumbent.challenger import make_full, make_update, open_challenger, search
from incumbent.compare import score
from incumbent.demo.flights import load_flights, write_months
from incumbent.models.model import Model
from incumbent.params import Params, load_params
from incumbent.training.lineage import Parent

ROOT = Path(__file__).parents[1]
MODELS = ("stale", "updated", "full")

Made = TypeVar("Made")


class Table(NamedTuple):
    """Batches in time: `first` of them make the first model, then `arrivals` arrive; one more is scored."""

    batches: Sequence[Path]
    first: int
    arrivals: int
    params: Params


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--weeks", type=Path)
    arguments.add_argument("--rows", type=int, default=300_000)
    asked = arguments.parse_args()
    rows = []
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch)
            table = weeks(asked.weeks, asked.rows, seed, home) if asked.weeks else months(seed, home)
            rows += run(table, home)
    means = pd.DataFrame(rows).groupby("arrives", sort=False).mean()
    means.insert(3, "ratio", means["full s"] / means["update s"])
    means["difference"] = means["updated"] - means["full"]
    print(
        f"\nmeans over {asked.seeds} seeds; batch: of the rows known; CPU seconds; ROC AUC of the batch after"
    )
    print(means.round(4).to_string())
    print(f"all batches: full / update {means['full s'].sum() / means['update s'].sum():.1f}  ", end="")
    print("  ".join(f"{name} {means[name].mean():.4f}" for name in MODELS))


def months(seed: int, home: Path) -> Table:
    params = load_params(ROOT)
    batches = write_months(load_flights(), home / "months")
    return Table(batches, 5, 6, params.model_copy(update={"seed": params.seed + seed}))


def weeks(file: Path, rows: int, seed: int, home: Path) -> Table:
    params = Params.model_validate(
        {
            "dataset": {
                "name": "weeks",
                "target": "late",
                "positive": True,
                "time": "date",
                "drop": ["date"],
            },
            "registry": {"address": "s3://none/registry"},
            "seed": seed,
        }
    )
    flights, batches = load(file, rows, seed), []
    for number, week in flights.groupby((flights["date"] - flights["date"].min()).dt.days // 7):
        batches.append(home / f"week-{number:02d}.parquet")
        week.to_parquet(batches[-1], index=False)
    return Table(batches, 12, 11, params)


def run(table: Table, home: Path) -> list[dict[str, Any]]:
    def folder(name: str) -> Path:
        (home / name).mkdir()
        return home / name

    batches, first, arrivals, params = table
    study, seconds = timed(search, batches[:first], params)
    print(f"seed {params.seed}: the study, which a full training of the system makes too: {seconds:.0f} s")
    place = folder("first")
    made = make_full(batches[:first], params, study, place, estimate=False)
    stale = updated = open_challenger(made, params, place, "first")
    known, rows = made.rows, []
    for number in range(first, first + arrivals):
        arrived, following = batches[number], batches[number + 1]
        parent = Parent(updated, place, made.lineage.balance, study.options, known)
        place = folder(f"update-{number}")
        made, cheap = timed(make_update, parent, [arrived], params, place)
        share = made.rows / known
        known += made.rows
        updated = open_challenger(made, params, place, place.name)
        whole = folder(f"full-{number}")
        fresh, dear = timed(make_full, batches[: number + 1], params, study, whole, estimate=False)
        full = open_challenger(fresh, params, whole, whole.name)
        scores = [auc(model, following, params) for model in (stale, updated, full)]
        rows.append(
            {
                "arrives": arrived.stem,
                "batch": share,
                "update s": cheap,
                "full s": dear,
                **dict(zip(MODELS, scores, strict=True)),
                "trees": updated.trained.rounds,
            }
        )
    return rows


def timed(work: Callable[..., Made], *given: Any, **named: Any) -> tuple[Made, float]:
    """What it made, and its CPU seconds."""
    start = time.process_time()
    made = work(*given, **named)
    return made, time.process_time() - start


def auc(model: Model, batch: Path, params: Params) -> float:
    frame = pd.read_parquet(batch)
    return score(model.schema.labels(frame), model.predict(frame), params.promotion)


if __name__ == "__main__":
    main()
