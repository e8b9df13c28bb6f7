"""An update with each new month against a full training on all months so far: CPU time, next month's AUC.

Flights of 2013: five months make the first model; June to November arrive one by one. Both are scored on all
rows of the month that follows. The full training uses the options that the first study found, without search
or cross-validation of its own, so it is the cheapest one there is; `stale` is the first model, never updated.

    python bench/incremental.py [--seeds 3]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from incumbent.challenger import make_full, make_update, open_challenger, search
from incumbent.compare import score
from incumbent.demo.flights import load_flights, write_months
from incumbent.model import Model
from incumbent.params import Params, load_params

ROOT = Path(__file__).parents[1]
FIRST, LAST = 5, 11
MODELS = ("stale", "updated", "full")

Made = TypeVar("Made")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=3)
    asked = arguments.parse_args()
    params = load_params(ROOT)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        months = write_months(load_flights(), home / "months")
        for seed in range(params.seed, params.seed + asked.seeds):
            (home / str(seed)).mkdir()
            rows += run(months, params.model_copy(update={"seed": seed}), home / str(seed))
    table = pd.DataFrame(rows).groupby("arrives", sort=False).mean()
    table.insert(2, "ratio", table["full s"] / table["update s"])
    table["difference"] = table["updated"] - table["full"]
    print(f"\nmeans over {asked.seeds} seeds; CPU seconds; ROC AUC of the month after")
    print(table.round(4).to_string())
    print(f"all months: full / update {table['full s'].sum() / table['update s'].sum():.1f}  ", end="")
    print("  ".join(f"{name} {table[name].mean():.4f}" for name in MODELS))


def run(months: Sequence[Path], params: Params, home: Path) -> list[dict[str, Any]]:
    def folder(name: str) -> Path:
        (home / name).mkdir()
        return home / name

    study, seconds = timed(lambda: search(months[:FIRST], params))
    print(f"seed {params.seed}: the study, which a full training of the system makes too: {seconds:.0f} s")
    place = folder("first")
    made = make_full(months[:FIRST], params, study, place, estimate=False)
    first = updated = open_challenger(made, params, place, "first")
    known, rows = made.rows, []
    for count in range(FIRST + 1, LAST + 1):
        arrived, following = months[count - 1], months[count]
        before, source, place = updated, place, folder(f"update-{count}")
        made, cheap = timed(make_update, before, source, study.options, known, [arrived], params, place)
        known += made.rows
        updated = open_challenger(made, params, place, place.name)
        whole = folder(f"full-{count}")
        made, dear = timed(make_full, months[:count], params, study, whole, estimate=False)
        full = open_challenger(made, params, whole, whole.name)
        scores = [auc(model, following, params) for model in (first, updated, full)]
        rows.append(
            {
                "arrives": arrived.stem,
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


def auc(model: Model, month: Path, params: Params) -> float:
    frame = pd.read_parquet(month)
    return score(model.schema.labels(frame), model.predict(frame), params.promotion)


if __name__ == "__main__":
    main()
